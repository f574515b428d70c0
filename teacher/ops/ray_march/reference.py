"""Marching rays through an occupancy grid in plain torch: the op's definition and fallback.

Letters, per ray: t0 = where it enters the box or passes the near distance, k = number of an
interval of its lattice. The lattice is laid over the whole ray, and then thinned out.
"""

import math

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from teacher.ops.occupancy.morton import cells_of, unpack
from teacher.rays import Samples

_LATTICE_AT_ONCE = 2**20
"""Intervals that are laid out at a time, to bound the memory."""


def ray_march(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    occupancy: UInt8[Tensor, "cascades bytes"],
    aabb: Float[Tensor, "2 3"],
    near: Float[Tensor, " rays"] | float,
    jitter: Float[Tensor, " rays"],
    step: float,
    cone_angle: float,
    max_samples: int,
    capacity: int | None = None,
) -> Samples:
    """As `teacher.ops.ray_march`, for any device and floating type."""
    grid = unpack(occupancy, cells_of(occupancy))
    lattice = (step, cone_angle, largest_step(grid.shape[1], len(grid), step))
    t0, far = _clip(origins, directions, aabb, torch.as_tensor(near, dtype=origins.dtype))
    resolved = _resolved(t0, *lattice) & _resolved(far, *lattice)
    t0, far = torch.where(resolved, t0, 0), torch.where(resolved, far, 0)
    rays = max(_LATTICE_AT_ONCE // (1 + _most_intervals(t0, far, step)), 1)
    pieces = (x.split(rays) for x in (origins, directions, t0, far, jitter))
    parts = [
        _thin(o, d, far, _edges(t0, far, jitter, *lattice), grid, lattice, max_samples)
        for o, d, t0, far, jitter in zip(*pieces, strict=True)
    ]
    counts, starts, ends = (torch.cat(values) for values in zip(*parts, strict=True))
    bounds, complete = offsets(counts, capacity)
    index = torch.arange(len(origins), device=origins.device).repeat_interleave(counts).int()
    if capacity is not None:
        index, starts, ends = (fit(x, int(bounds[-1]), capacity) for x in (index, starts, ends))
    return Samples(index, starts, ends, bounds, complete)


def largest_step(cells: int, cascades: int, step: float) -> float:
    """The longest interval of a widening cone: the diagonal of the coarsest cascade's cells."""
    return max(step, 2**cascades * math.sqrt(3) / cells)


def offsets(
    counts: Int[Tensor, " rays"], capacity: int | None
) -> tuple[Int[Tensor, " rays_plus_one"], Bool[Tensor, " rays"] | None]:
    """Where each ray's samples begin and, with a capacity, which rays have all of theirs.

    >>> offsets(torch.tensor([2, 3, 1, 0]), 4)
    (tensor([0, 2, 2, 2, 2], dtype=torch.int32), tensor([ True, False, False,  True]))
    """
    ends = counts.cumsum(0, dtype=torch.int32)
    if capacity is None:
        return torch.nn.functional.pad(ends, (1, 0)), None
    fits = ends <= capacity
    ends = torch.where(fits, counts, 0).cumsum(0, dtype=torch.int32)
    return torch.nn.functional.pad(ends, (1, 0)), fits | (counts == 0)


def fit(values: Tensor, used: int, capacity: int) -> Tensor:
    """The first `used` of the values, in an array of length `capacity` that ends in zeros."""
    return torch.nn.functional.pad(values[:used], (0, capacity - used))


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
    edges = [t0 + jitter * _length(t0, step, cone_angle, largest)]
    while len(edges) < 2 or bool((edges[-1] < far).any()):
        edges.append(edges[-1] + _length(edges[-1], step, cone_angle, largest))
    return torch.stack(edges, 1)


def _thin(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    far: Float[Tensor, " rays"],
    edges: Float[Tensor, "rays edges"],
    grid: Bool[Tensor, "cascades cells cells cells"],
    lattice: tuple[float, float, float],
    max_samples: int,
) -> tuple[Int[Tensor, " rays"], Float[Tensor, " samples"], Float[Tensor, " samples"]]:
    """Keep the intervals that are samples: their number per ray, their starts and their ends."""
    middle = 0.5 * (edges[:, :-1] + edges[:, 1:])
    points = (origins[:, None] + middle[..., None] * directions[:, None]).nan_to_num(0)
    cascade = _cascade(points, _length(edges[:, :-1], *lattice), *grid.shape[:2])
    scaled = (points / (1 << cascade)[..., None] + 1) * (0.5 * grid.shape[1])
    x, y, z = scaled.floor().clamp(0, grid.shape[1] - 1).long().unbind(-1)
    kept = grid[cascade, x, y, z] & (middle < far[:, None])
    kept &= kept.cumsum(1) <= max_samples
    return kept.sum(1), edges[:, :-1][kept], edges[:, 1:][kept]


def _cascade(
    points: Float[Tensor, "rays n 3"],
    length: Float[Tensor, "rays n"],
    cascades: int,
    cells: int,
) -> Int[Tensor, "rays n"]:
    """The finest that holds the point and whose cells are not shorter than `length`, or the last."""
    if cascades == 1:
        return torch.zeros_like(length, dtype=torch.long)
    reach = points.abs().amax(-1)
    coarser = [(reach > 2**c) | (length > 2**c * 2 / cells) for c in range(cascades - 1)]
    return sum(coarser, torch.zeros_like(reach, dtype=torch.long))


def _length(
    t: Float[Tensor, "*shape"], step: float, cone_angle: float, largest: float
) -> Float[Tensor, "*shape"]:
    """How long an interval that begins at t is."""
    return (t * cone_angle).clamp(step, largest)


def _resolved(
    t: Float[Tensor, " rays"], step: float, cone_angle: float, largest: float
) -> Bool[Tensor, " rays"]:
    """Whether numbers near t are close enough to count the intervals and to tell them apart."""
    return t + 0.25 * _length(t, step, cone_angle, largest) > t
