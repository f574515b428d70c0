"""Tracing on a GPU: a ray for each thread, the field on tensor cores, 16 samples at a time.

rays ─trace_render─► rgba, depth
rays ─trace_visible─► counts, bits ─scan─► offsets ─trace_gather─► samples

A bit for each sample that was looked at is all that is kept between the two: marching again takes much less
time than asking the field again, and much less memory than room for the samples of every ray.
Nothing here waits for the GPU, unless samples are wanted without a capacity.
"""

from dataclasses import replace

import torch
from torch import Tensor

from teacher.ops import launch
from teacher.ops.build import Kernels
from teacher.ops.launch import Blocks
from teacher.ops.radiance.cpu import flat, kernels_for
from teacher.ops.radiance.cuda import field_bytes
from teacher.ops.radiance.reference import FieldWeights
from teacher.ops.ray_march import allocate
from teacher.ops.ray_march.reference import offsets
from teacher.ops.trace.cpu import lattice, scene
from teacher.ops.trace.reference import Space, Traced, Visible

_WARPS = 8
"""WARPS of gpu.cuh."""
_BLOCKS = 2
"""Blocks of a multiprocessor: as many as their registers leave room for."""
_POINTS_BYTES = 4 * 32 * 3
"""Points of gpu.cuh, which each warp has."""
_DESK_BYTES = _POINTS_BYTES + 4 * 32 * (1 + 1 + 9)
"""Picture::Desk of gpu.cuh, likewise."""


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
    rays, device = len(origins), origins.device
    counts = torch.empty(rays, dtype=torch.int32, device=device)
    words = -(-space.max_samples // 32)
    marks, seen = torch.empty_like(jitter), counts.new_empty(rays, words)
    next_ray, looked = _counters(device)
    table, matrices = weights.table.detach().half(), flat(weights.density_net)
    limits = (float(early_stop), float(cull))
    inputs = (origins, directions, jitter, *scene(space, weights, table, matrices), *limits)
    outputs = (next_ray, looked, counts, marks, seen, words)
    shared = field_bytes(weights, colour=False) + _WARPS * _POINTS_BYTES
    kernels, blocks = _kernels(weights), _blocks(rays, device, shared)
    launch.run_blocks(kernels, "trace_visible", device, blocks, rays, *inputs, *outputs)
    samples = allocate(origins, *offsets(counts, capacity), capacity)
    inputs = (origins, directions, jitter, *lattice(space), marks, seen, words)
    outputs = (samples.offsets, samples.ray_indices, samples.t_starts, samples.t_ends)
    blocks = Blocks(-(-rays // (32 * _WARPS)), 32 * _WARPS)
    launch.run_blocks(kernels, "trace_gather", device, blocks, rays, *inputs, *outputs)
    return Visible(samples, looked)


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
    rays, device = len(origins), origins.device
    rgba, depth = origins.new_empty(rays, 4), origins.new_empty(rays)
    next_ray, looked = _counters(device)
    table = weights.table.detach().half()
    matrices = flat((*weights.density_net, *weights.colour_net))
    limits = (float(early_stop), float(cull))
    inputs = (origins, directions, jitter, *scene(space, weights, table, matrices), *limits)
    outputs = (next_ray, looked, codes, rgba, depth)
    blocks = _blocks(rays, device, field_bytes(weights) + _WARPS * _DESK_BYTES)
    kernels = _kernels(weights)
    launch.run_blocks(kernels, "trace_render", device, blocks, rays, *inputs, *outputs)
    return Traced(rgba, depth, looked)


def _kernels(weights: FieldWeights) -> Kernels:
    """Without fused multiply-add, so that marching twice gives the same samples twice."""
    return replace(kernels_for("trace", weights), exact=True)


def _blocks(rays: int, device: torch.device, shared: int) -> Blocks:
    """As many as stay on the GPU at once, and none without a ray."""
    needed = -(-rays // (32 * _WARPS))
    return Blocks(min(needed, _BLOCKS * launch.processors(device)), 32 * _WARPS, shared)


def _counters(device: torch.device) -> tuple[Tensor, Tensor]:
    """The number of the next ray, and of the samples looked at."""
    return (
        torch.zeros(1, dtype=torch.int32, device=device),
        torch.zeros((), dtype=torch.int64, device=device),
    )
