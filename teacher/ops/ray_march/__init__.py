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
    """Place samples along rays, in occupied cells only (Müller 2022, appendix E.1).

    Along each ray lies a lattice of intervals. With t0 the distance where the ray enters the box,
    or `near` if that is farther, it begins at t0 + jitter * dt, and an interval that begins at t
    has length dt = clamp(t * cone_angle, step, a cell's diagonal); a cone angle of 0 makes all
    equal. The samples are the intervals whose middle is in the box and in an occupied cell. A ray
    that misses the box has none. Not differentiable.

    Args:
        origins: in the frame of the grid, [rays, 3].
        directions: of unit length, [rays, 3].
        occupancy: indexed [x][y][z], over the cube [-1, 1]^3; not zero where occupied.
        aabb: lower and upper corner of the box to stay in, inside the cube.
        near: no sample before this distance, for each ray or for all.
        jitter: in [0, 1), shifts each ray's lattice by that part of an interval.
        step: the shortest interval, > 0.
        cone_angle: growth of the intervals with distance, >= 0.
        max_samples: no more than this per ray.

    Returns:
        The samples, with int32 `ray_indices` and `offsets`.

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernel reads, or the
            lattice has no step.

    >>> occupancy = torch.zeros(4, 4, 4, dtype=torch.uint8)
    >>> occupancy[2] = 1  # the slab 0 <= x < 0.5
    >>> o, d = torch.tensor([[-2.0, 0.0, 0.0]]), torch.tensor([[1.0, 0.0, 0.0]])
    >>> aabb = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
    >>> ray_march(o, d, occupancy, aabb, 0.0, torch.zeros(1), 0.25, 0.0, 100).t_starts
    tensor([2.0000, 2.2500])
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
