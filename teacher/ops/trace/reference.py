"""Tracing in plain torch: every sample of every ray is looked at, whether it can be seen or not."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from teacher.ops.composite.reference import composite
from teacher.ops.radiance.reference import FieldWeights, point_density, radiance
from teacher.ops.ray_march.reference import fit, offsets, ray_march
from teacher.rays import Samples


class Space(NamedTuple):
    """Where rays are sampled: see `teacher.ops.ray_march`, whose arguments these are."""

    bits: UInt8[Tensor, "cascades bytes"]
    aabb: Float[Tensor, "2 3"]
    near: float
    step: float
    cone_angle: float
    max_samples: int

    @property
    def extent(self) -> float:
        """Half of the side of the outermost cascade's cube."""
        return 2.0 ** (len(self.bits) - 1)


class Visible(NamedTuple):
    """The samples that can be seen, and at how many places the field was asked to find them."""

    samples: Samples
    looked: Int[Tensor, ""]


class Traced(NamedTuple):
    """What rays see."""

    rgba: Float[Tensor, "rays 4"]
    """Premultiplied."""
    depth: Float[Tensor, " rays"]
    """The sum of weight * distance, not divided by alpha."""
    looked: Int[Tensor, ""]


def visible_samples(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    jitter: Float[Tensor, " rays"],
    space: Space,
    weights: FieldWeights,
    early_stop: float = 1e-4,
    cull: float = 1e-4,
    capacity: int | None = None,
) -> Visible:
    """As `teacher.ops.trace`, for any device."""
    samples, weight, _ = _weigh(origins, directions, jitter, space, weights, early_stop)
    visible = weight > cull
    before = torch.nn.functional.pad(visible.cumsum(0, dtype=torch.int32), (1, 0))
    bounds, complete = offsets(before[samples.offsets.long()].diff(), capacity)
    used = int(bounds[-1])
    room = used if capacity is None else capacity
    found = (samples.ray_indices, samples.t_starts, samples.t_ends)
    index, starts, ends = (fit(x[visible], used, room) for x in found)
    return Visible(Samples(index, starts, ends, bounds, complete), torch.tensor(len(samples)))


def trace(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    codes: Float[Tensor, "rays codes"],
    jitter: Float[Tensor, " rays"],
    space: Space,
    weights: FieldWeights,
    early_stop: float = 1e-4,
    cull: float = 1e-4,
) -> Traced:
    """As `teacher.ops.trace`, for any device."""
    samples, weight, points = _weigh(origins, directions, jitter, space, weights, early_stop)
    weight = weight * (weight > cull)
    index = samples.ray_indices.long()
    _, colour = radiance(points, directions[index], codes[index], weights)
    middle = 0.5 * (samples.t_starts + samples.t_ends)
    seen = weight[:, None] * torch.cat([colour, torch.ones_like(weight)[:, None]], 1)
    rgba = origins.new_zeros(len(origins), 4).index_add_(0, index, seen)
    depth = origins.new_zeros(len(origins)).index_add_(0, index, weight * middle)
    return Traced(rgba, depth, torch.tensor(len(samples)))


def _weigh(
    origins: Tensor,
    directions: Tensor,
    jitter: Tensor,
    space: Space,
    weights: FieldWeights,
    early_stop: float,
) -> tuple[Samples, Tensor, Tensor]:
    """All samples, the weight of each, and where they are in the unit cube."""
    march = (space.bits, space.aabb, space.near, jitter, space.step, space.cone_angle)
    samples = ray_march(origins, directions, *march, space.max_samples)
    index = samples.ray_indices.long()
    middle = 0.5 * (samples.t_starts + samples.t_ends)
    positions = origins[index] + middle[:, None] * directions[index]
    points = positions * (0.5 / space.extent) + 0.5
    density = point_density(points, weights)
    none = density.new_zeros(len(density), 0)
    intervals = (samples.t_starts, samples.t_ends, samples.offsets)
    *_, weight = composite(density, none, *intervals, early_stop)
    return samples, weight, points
