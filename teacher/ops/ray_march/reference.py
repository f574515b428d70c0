"""Marching rays through an occupancy grid in plain torch: the definition of the op and its fallback.

Letters, per ray: t0 = where it enters the box or leaves the near plane, k = number of an interval of its lattice, dt = an
interval's length. The lattice is laid over the whole ray; samples are the intervals whose middle is in an occupied cell.
"""

import math

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from teacher.rays import Samples

_LATTICE_AT_ONCE = 2**20


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
    parts = [
        _march(origins[a:b], directions[a:b], occupancy, far[a:b], edges, max_samples)
        for a in range(0, max(len(origins), 1), rays)
        for b in [a + rays]
        for edges in [_edges(t0[a:b], far[a:b], jitter[a:b], step, cone_angle, largest)]
    ]
    counts, starts, ends = (torch.cat(values) for values in zip(*parts, strict=True))
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)]).int()
    ray_indices = torch.arange(len(origins), device=origins.device).repeat_interleave(counts)
    return Samples(ray_indices.int(), starts, ends, offsets)


def largest_step(cells: int, step: float) -> float:
    """The longest interval of a widening cone: a cell's diagonal, so that no step jumps over a cell."""
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
    """The lattice's points along each ray: uniform, or growing in proportion to t (dt = t * cone_angle)."""
    most = _most_intervals(t0, far, step)
    if cone_angle == 0:
        k = torch.arange(most + 1, device=t0.device, dtype=t0.dtype)
        return t0[:, None] + (k + jitter[:, None]) * step
    edges = [t0 + jitter * (t0 * cone_angle).clamp(step, largest)]
    while len(edges) < 2 or bool((edges[-1] < far).any()):
        edges.append(edges[-1] + (edges[-1] * cone_angle).clamp(step, largest))
    return torch.stack(edges, 1)


def _march(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    occupancy: UInt8[Tensor, "cells cells cells"] | Bool[Tensor, "cells cells cells"],
    far: Float[Tensor, " rays"],
    edges: Float[Tensor, "rays edges"],
    max_samples: int,
) -> tuple[Int[Tensor, " rays"], Float[Tensor, " samples"], Float[Tensor, " samples"]]:
    """Samples per ray, and their packed starts and ends."""
    cells = occupancy.shape[0]
    middle = 0.5 * (edges[:, :-1] + edges[:, 1:])
    points = origins[:, None] + middle[..., None] * directions[:, None]
    x, y, z = ((points + 1) * (0.5 * cells)).floor().clamp(0, cells - 1).long().unbind(-1)
    kept = occupancy[x, y, z].bool() & (middle < far[:, None])
    kept &= kept.cumsum(1) <= max_samples
    return kept.sum(1), edges[:, :-1][kept], edges[:, 1:][kept]
