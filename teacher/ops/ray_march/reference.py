"""Marching rays through an occupancy grid in plain torch: the op's definition and fallback.

Letters, per ray: t0 = where it enters the box or passes the near distance, k = number of an
interval of its lattice. The lattice is laid over the whole ray, and then thinned out.
"""

import math

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from teacher.rays import Samples

_LATTICE_AT_ONCE = 2**20
"""Intervals that are laid out at a time, to bound the memory."""


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
    """As `teacher.ops.ray_march`, for any device and floating type."""
    t0, far = _clip(origins, directions, aabb, torch.as_tensor(near, dtype=origins.dtype))
    largest = largest_step(occupancy.shape[0], step)
    rays = max(_LATTICE_AT_ONCE // (1 + _most_intervals(t0, far, step)), 1)
    pieces = (x.split(rays) for x in (origins, directions, t0, far, jitter))
    parts = [
        _thin(o, d, far, _edges(t0, far, jitter, step, cone_angle, largest), occupancy, max_samples)
        for o, d, t0, far, jitter in zip(*pieces, strict=True)
    ]
    counts, starts, ends = (torch.cat(values) for values in zip(*parts, strict=True))
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)]).int()
    ray_indices = torch.arange(len(origins), device=origins.device).repeat_interleave(counts)
    return Samples(ray_indices.int(), starts, ends, offsets)


def largest_step(cells: int, step: float) -> float:
    """The longest interval of a widening cone: a cell's diagonal."""
    return max(step, 2 * math.sqrt(3) / cells)


def _clip(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    aabb: Float[Tensor, "2 3"],
    near: Float[Tensor, "*rays"],
) -> tuple[Float[Tensor, " rays"], Float[Tensor, " rays"]]:
    """Where each ray enters and leaves the box (Kay and Kajiya 1986); twice 0 if it misses."""
    parallel = directions == 0
    inside = (origins >= aabb[0]) & (origins <= aabb[1])
    slope = torch.where(parallel, 1, directions)
    a, b = (aabb[0] - origins) / slope, (aabb[1] - origins) / slope
    always = torch.where(inside, -math.inf, math.inf).to(a)
    entry = torch.where(parallel, always, torch.minimum(a, b)).amax(1)
    leave = torch.where(parallel, -always, torch.maximum(a, b)).amin(1)
    t0 = torch.maximum(entry, near)
    hit = (t0 < leave) & leave.isfinite()  # a ray without a direction is clipped by no slab
    return torch.where(hit, t0, 0), torch.where(hit, leave, 0)


def _most_intervals(t0: Float[Tensor, " rays"], far: Float[Tensor, " rays"], step: float) -> int:
    return math.ceil(float((far - t0).max()) / step) + 1 if len(t0) else 1


def _edges(
    t0: Float[Tensor, " rays"],
    far: Float[Tensor, " rays"],
    jitter: Float[Tensor, " rays"],
    step: float,
    cone_angle: float,
    largest: float,
) -> Float[Tensor, "rays edges"]:
    """Where the lattice's intervals meet: evenly, or farther apart in proportion to t."""
    most = _most_intervals(t0, far, step)
    if cone_angle == 0:
        k = torch.arange(most + 1, device=t0.device, dtype=t0.dtype)
        return t0[:, None] + (k + jitter[:, None]) * step
    edges = [t0 + jitter * (t0 * cone_angle).clamp(step, largest)]
    while len(edges) < 2 or bool((edges[-1] < far).any()):
        edges.append(edges[-1] + (edges[-1] * cone_angle).clamp(step, largest))
    return torch.stack(edges, 1)


def _thin(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    far: Float[Tensor, " rays"],
    edges: Float[Tensor, "rays edges"],
    occupancy: UInt8[Tensor, "cells cells cells"] | Bool[Tensor, "cells cells cells"],
    max_samples: int,
) -> tuple[Int[Tensor, " rays"], Float[Tensor, " samples"], Float[Tensor, " samples"]]:
    """Keep the intervals that are samples: their number per ray, their starts and their ends."""
    cells = occupancy.shape[0]
    middle = 0.5 * (edges[:, :-1] + edges[:, 1:])
    points = (origins[:, None] + middle[..., None] * directions[:, None]).nan_to_num(0)
    x, y, z = ((points + 1) * (0.5 * cells)).floor().clamp(0, cells - 1).long().unbind(-1)
    kept = occupancy[x, y, z].bool() & (middle < far[:, None])
    kept &= kept.cumsum(1) <= max_samples
    return kept.sum(1), edges[:, :-1][kept], edges[:, 1:][kept]
