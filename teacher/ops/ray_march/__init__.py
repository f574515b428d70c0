"""Sampling rays where space is occupied: an occupancy grid and rays to packed samples."""

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from teacher.errors import UserError
from teacher.ops import launch
from teacher.ops.build import Kernels
from teacher.ops.checks import expect
from teacher.ops.ray_march import reference
from teacher.rays import Samples

__all__ = ["ray_march"]

_LOG2_BLOCK = 3
_KERNELS = Kernels("ray_march", (("LOG2_BLOCK", _LOG2_BLOCK),), exact=True)


@torch.no_grad()
def ray_march(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    occupancy: UInt8[Tensor, "cells cells cells"] | Bool[Tensor, "cells cells cells"],
    aabb: Float[Tensor, "2 3"],
    near: Float[Tensor, " rays"] | float,
    jitter: Float[Tensor, " rays"],
    step: float,
    cone_angle: float,
    max_samples: int,
) -> Samples:
    """Place samples along rays, in occupied cells only (instant-ngp, Müller 2022, appendix E).

    Along a ray lies a lattice of intervals: with t0 the distance where it enters the box (or `near`, if farther), it
    begins at t0 + jitter * dt and its intervals have length dt = clamp(t * cone_angle, step, a cell's diagonal). A
    cone angle of 0 makes it uniform. Samples are the intervals whose middle is inside the box and in an occupied cell.
    A ray that misses the box has none. Not differentiable.

    Args:
        origins: in the frame of the grid, [rays, 3].
        directions: of unit length, [rays, 3].
        occupancy: indexed [x][y][z], over the cube [-1, 1]^3; not zero where occupied.
        aabb: lower and upper corner of the box to stay in, inside the cube.
        near: no sample before this distance, for each ray or for all.
        jitter: in [0, 1), a shift of each ray's lattice; 0 puts the first interval's start at t0.
        step: the shortest interval, > 0.
        cone_angle: growth of the intervals with distance, >= 0.
        max_samples: no more per ray than this.

    Returns:
        The samples, with int32 `ray_indices` and `offsets`.

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernel reads, or `step` is not positive.
    """
    device, rays = origins.device, len(origins)
    nears = near if isinstance(near, Tensor) else origins.new_full((rays,), near)
    _check(origins, directions, occupancy, aabb, nears, jitter, step, cone_angle)
    if launch.backend(device) == "reference":
        return reference.ray_march(
            origins, directions, occupancy, aabb, near, jitter, step, cone_angle, max_samples
        )
    cells = occupancy.shape[0]
    lattice = (float(step), float(cone_angle), reference.largest_step(cells, step), max_samples)
    coarse = _coarsen(occupancy)
    inputs = (origins, directions, occupancy, coarse, cells, aabb, nears, jitter, *lattice)
    counts = torch.empty(rays, dtype=torch.int32, device=device)
    launch.run(_KERNELS, "ray_march", device, rays, *inputs, counts, None, None, None, None)
    offsets = torch.zeros(rays + 1, dtype=torch.int32, device=device)
    torch.cumsum(counts, 0, dtype=torch.int32, out=offsets[1:])
    samples = int(offsets[-1])
    result = Samples(
        offsets.new_empty(samples), origins.new_empty(samples), origins.new_empty(samples), offsets
    )
    outputs = (offsets, result.ray_indices, result.t_starts, result.t_ends)
    launch.run(_KERNELS, "ray_march", device, rays, *inputs, counts, *outputs)
    return result


def _coarsen(occupancy: Tensor) -> Tensor:
    """Which blocks of cells hold an occupied one: rays cross empty blocks in one jump."""
    cells = occupancy.shape[0]
    coarse = torch.empty(
        (-(-cells // 2**_LOG2_BLOCK),) * 3, dtype=torch.uint8, device=occupancy.device
    )
    launch.run(_KERNELS, "coarsen", occupancy.device, coarse.numel(), occupancy, cells, coarse)
    return coarse


def _check(
    origins: Tensor,
    directions: Tensor,
    occupancy: Tensor,
    aabb: Tensor,
    nears: Tensor,
    jitter: Tensor,
    step: float,
    cone_angle: float,
) -> None:
    device, rays, cells = origins.device, len(origins), occupancy.shape[0]
    expect("ray_march: origins", origins, (rays, 3), device)
    expect("ray_march: directions", directions, (rays, 3), device)
    expect("ray_march: occupancy", occupancy, (cells,) * 3, device, (torch.uint8, torch.bool))
    expect("ray_march: aabb", aabb, (2, 3), device)
    expect("ray_march: near", nears, (rays,), device)
    expect("ray_march: jitter", jitter, (rays,), device)
    if not (step > 0 and cone_angle >= 0):
        raise UserError(
            "ray_march: the lattice",
            f"step = {step}, cone_angle = {cone_angle}",
            "step > 0 and cone_angle >= 0",
            "give the length of the shortest interval, in the units of the grid's frame",
        )
