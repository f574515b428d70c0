"""Tracing on a CPU: groups of rays over the threads, float32."""

import torch
from torch import Tensor

from teacher.ops import launch
from teacher.ops.hash_encode import layout_tensor
from teacher.ops.occupancy.morton import cells_of
from teacher.ops.radiance.cpu import flat, kernels_for
from teacher.ops.radiance.reference import FieldWeights
from teacher.ops.ray_march import allocate
from teacher.ops.ray_march.reference import largest_step, offsets
from teacher.ops.trace.reference import Space, Traced, Visible

_GROUP = 128
"""GROUP of cpu.cuh."""


def visible_samples(
    origins: Tensor,
    directions: Tensor,
    jitter: Tensor,
    space: Space,
    weights: FieldWeights,
    early_stop: float,
    cull: float,
    capacity: int | None,
) -> Visible:
    """See `teacher.ops.trace.visible_samples`."""
    rays = len(origins)
    groups = -(-rays // _GROUP)
    counts = torch.empty(rays, dtype=torch.int32)
    looked, found = torch.zeros(groups, dtype=torch.int64), torch.zeros(groups, dtype=torch.int64)
    kernels = kernels_for("trace", weights)
    table, matrices = weights.table.detach(), flat(weights.density_net)
    inputs = (origins, directions, jitter, *scene(space, weights, table, matrices))
    limits = (float(early_stop), float(cull))
    outputs = (counts, looked, found)
    launch.run(kernels, "trace_visible", origins.device, groups, rays, *inputs, *limits, *outputs)
    samples = allocate(origins, *offsets(counts, capacity), capacity)
    outputs = (samples.ray_indices, samples.t_starts, samples.t_ends)
    launch.run(
        kernels, "trace_gather", origins.device, groups, rays, samples.offsets, found, *outputs
    )
    return Visible(samples, looked.sum())


def trace(
    origins: Tensor,
    directions: Tensor,
    codes: Tensor,
    jitter: Tensor,
    space: Space,
    weights: FieldWeights,
    early_stop: float,
    cull: float,
) -> Traced:
    """See `teacher.ops.trace.trace`."""
    rays = len(origins)
    groups = -(-rays // _GROUP)
    rgba, depth = origins.new_empty(rays, 4), origins.new_empty(rays)
    looked = torch.zeros(groups, dtype=torch.int64)
    table, matrices = weights.table.detach(), flat((*weights.density_net, *weights.colour_net))
    inputs = (origins, directions, jitter, *scene(space, weights, table, matrices))
    rest = (float(early_stop), float(cull), codes, rgba, depth, looked)
    kernels = kernels_for("trace", weights)
    launch.run(kernels, "trace_render", origins.device, groups, rays, *inputs, *rest)
    return Traced(rgba, depth, looked.sum())


def lattice(space: Space) -> tuple[Tensor | int | float, ...]:
    """What kernels want to know to march."""
    cells, cascades, step = cells_of(space.bits), len(space.bits), float(space.step)
    largest = float(largest_step(cells, cascades, step))
    near, cone_angle = float(space.near), float(space.cone_angle)
    return (space.bits, cells, cascades, space.aabb, near, step, cone_angle, largest)


def scene(
    space: Space, weights: FieldWeights, table: Tensor, matrices: Tensor
) -> tuple[Tensor | int | float, ...]:
    """What kernels want to know of space and field; `table` and `matrices` as they read them."""
    layout = layout_tensor(weights.grid, space.bits.device)
    return (*lattice(space), space.max_samples, 0.5 / space.extent, layout, table, matrices)
