"""Tracing on a CPU: groups of rays over the threads, float32."""

import torch
from torch import Tensor

from teacher.ops import launch
from teacher.ops.hash_encode import layout_tensor
from teacher.ops.occupancy.morton import cells_of
from teacher.ops.radiance.cpu import flat, kernels_for
from teacher.ops.radiance.reference import FieldWeights
from teacher.ops.ray_march.reference import largest_step
from teacher.ops.trace.reference import Space, Traced, Visible
from teacher.rays import Samples

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
) -> Visible:
    """See `teacher.ops.trace.visible_samples`."""
    rays = len(origins)
    groups = -(-rays // _GROUP)
    counts = torch.empty(rays, dtype=torch.int32)
    looked, found = torch.zeros(groups, dtype=torch.int64), torch.zeros(groups, dtype=torch.int64)
    kernels = kernels_for("trace", weights)
    inputs = (origins, directions, jitter, *_scene(space, weights, flat(weights.density_net)))
    limits = (float(early_stop), float(cull))
    outputs = (counts, looked, found)
    launch.run(kernels, "trace_visible", origins.device, groups, rays, *inputs, *limits, *outputs)
    offsets = torch.zeros(rays + 1, dtype=torch.int32)
    torch.cumsum(counts, 0, dtype=torch.int32, out=offsets[1:])
    n = int(offsets[-1])
    index, starts, ends = offsets.new_empty(n), origins.new_empty(n), origins.new_empty(n)
    outputs = (found, index, starts, ends)
    launch.run(kernels, "trace_gather", origins.device, groups, rays, offsets, *outputs)
    return Visible(Samples(index, starts, ends, offsets), looked.sum())


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
    matrices = flat((*weights.density_net, *weights.colour_net))
    inputs = (origins, directions, jitter, *_scene(space, weights, matrices))
    rest = (float(early_stop), float(cull), codes, rgba, depth, looked)
    kernels = kernels_for("trace", weights)
    launch.run(kernels, "trace_render", origins.device, groups, rays, *inputs, *rest)
    return Traced(rgba, depth, looked.sum())


def _scene(
    space: Space, weights: FieldWeights, matrices: Tensor
) -> tuple[Tensor | int | float, ...]:
    """What both kernels want to know of space and field."""
    cells, step = cells_of(space.bits), float(space.step)
    march = (space.bits, cells, len(space.bits), space.aabb, float(space.near), step)
    largest = largest_step(cells, len(space.bits), step)
    lattice = (float(space.cone_angle), float(largest), space.max_samples)
    layout = layout_tensor(weights.grid, space.bits.device)
    return (*march, *lattice, 0.5 / space.extent, layout, weights.table.detach(), matrices)
