"""What a teacher holds to be solid: its field's density, where the renderer would look at all.

A field is free to say anything where no ray is sampled, and it does. Cells that an occupancy grid leaves out are
therefore empty here, and so is what lies outside the region or outside the crop that a run has.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from teacher.mesh.region import Region
from teacher.model import Teacher
from teacher.samplers.occupancy import OccupancySampler

Density = Callable[[Float[Tensor, "n 3"]], Float[Tensor, " n"]]
"""Density per norm unit at positions in the norm frame, both on the CPU."""


def solid_density(teacher: Teacher, region: Region) -> Density:
    """The density of `teacher` that can be seen inside `region`; 0 elsewhere."""
    field, sampler = teacher.variant.field, teacher.variant.sampler
    device = sampler.aabb.device
    box, crop = Region(sampler.aabb), teacher.crop
    occupied = (
        sampler.density > sampler.threshold if isinstance(sampler, OccupancySampler) else None
    )

    @torch.no_grad()
    def density(positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        inside = positions.to(device)
        kept = region.holds(inside)
        if crop is not None:
            kept &= crop.keeps(inside)
        if occupied is not None:
            kept &= box.holds(inside) & _occupied(occupied, inside)
        found = torch.zeros(len(positions), device=device)
        found[kept] = field.density(inside[kept])
        return found.cpu()

    return density


def _occupied(
    cells: Bool[Tensor, "cascades x y z"], positions: Float[Tensor, "n 3"]
) -> Bool[Tensor, " n"]:
    """Whether the cells of `positions` are occupied, in the smallest cascade that holds each."""
    cascades, side = cells.shape[:2]
    size = positions.abs().amax(-1)
    cascade = torch.log2(size.clamp_min(1e-9)).ceil().clamp(0, cascades - 1).long()
    scaled = positions / (1 << cascade)[:, None]
    x, y, z = ((scaled + 1) * (0.5 * side)).long().clamp(0, side - 1).unbind(-1)
    return cells[cascade, x, y, z] & (size <= 2.0 ** (cascades - 1))
