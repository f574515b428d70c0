"""The fused field on a GPU's tensor cores: float16 table, matrices and activations, float32 sums.

points ─radiance_forward─► encoded (kept, float16), density, colour
encoded, gradients ─radiance_backward─► d table, d matrices, d points, d harmonics, d codes

Nothing here waits for the GPU.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from teacher.ops import launch
from teacher.ops.hash_encode import layout_tensor
from teacher.ops.launch import Blocks
from teacher.ops.radiance.cpu import fits as has_hidden_layers
from teacher.ops.radiance.cpu import flat, kernels_for
from teacher.ops.radiance.reference import MAX_LOG_DENSITY, FieldWeights

_WARPS = 8
"""WARPS of gpu.cuh."""
_BLOCKS = 2
"""Blocks of a multiprocessor that only evaluate."""
_FIXED_POINT = 2**28
"""What a gradient of 1 is in `TableSum` of backward.cuh, where it is an integer."""


def fits(weights: FieldWeights) -> bool:
    """Whether the kernels can run such a field on its GPU.

    They want features in pairs, hidden layers of a multiple of 16, and in a block's shared memory the
    networks and what a backward pass exchanges: 60 KiB for two layers of 64 behind 32 features.
    """
    if not has_hidden_layers(weights) or weights.grid.features % 2:
        return False
    if len(weights.density_net[0]) % 16:
        return False
    return backward_bytes(weights) <= launch.shared_limit(weights.table.device)


def field_bytes(weights: FieldWeights, colour: bool = True) -> int:
    """Bytes of shared memory that `load_field` of warp.cuh fills: FIELD_WORDS or DENSITY_WORDS."""
    layout = -(-weights.grid.levels * 5 // 4) * 4
    inputs = weights.grid.width, 1 + weights.colour_net[0].shape[1]
    nets = (weights.density_net, weights.colour_net)[: 2 if colour else 1]
    return 4 * (layout + sum(map(_words, nets, inputs)))


def density(weights: FieldWeights, points: Tensor) -> Tensor:
    """See `teacher.ops.radiance.point_density`."""
    n, result = len(points), points.new_empty(len(points))
    layout = layout_tensor(weights.grid, points.device)
    blocks = _blocks(n, points.device, _BLOCKS, field_bytes(weights, colour=False))
    arguments = (n, layout, points, weights.table.detach().half(), flat(weights.density_net))
    kernels = kernels_for("radiance", weights)
    launch.run_blocks(kernels, "radiance_density", points.device, blocks, *arguments, result)
    return result


def forward(
    weights: FieldWeights, points: Tensor, directions: Tensor, codes: Tensor
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Density, colour, and what `backward` wants back."""
    n, device = len(points), points.device
    density, colour = points.new_empty(n), points.new_empty(n, 3)
    table = weights.table.detach().half()
    matrices = flat((*weights.density_net, *weights.colour_net))
    # Fragments of 16 points: a gather of the table costs the backward pass more than their bytes.
    encoded = table.new_empty(-(-n // 16) * 16, _padded(weights.grid.width))
    inputs = (layout_tensor(weights.grid, device), points, directions, codes, table, matrices)
    outputs = (density, colour, encoded)
    blocks = _blocks(n, device, _BLOCKS, field_bytes(weights))
    kernels = kernels_for("radiance", weights)
    launch.run_blocks(kernels, "radiance_forward", device, blocks, n, *inputs, *outputs)
    return density, colour, (table, matrices, encoded, density)


def _blocks(n: int, device: torch.device, each: int, shared: int) -> Blocks:
    """At most `each` blocks per multiprocessor, and none without work."""
    needed = -(-n // (16 * _WARPS))
    return Blocks(min(needed, each * launch.processors(device)), 32 * _WARPS, shared)


def backward_bytes(weights: FieldWeights) -> int:
    """Bytes of shared memory of a block of the backward pass: FIELD_WORDS and EXCHANGE_WORDS."""
    width, colour_inputs = len(weights.density_net[0]), 1 + weights.colour_net[0].shape[1]
    widest = max(map(_padded, (width, weights.grid.width, colour_inputs)))
    return field_bytes(weights) + 4 * 16 * _WARPS * (_row_words(widest) + _row_words(width))


def _scale(density: Tensor, density_grad: Tensor, colour_grad: Tensor) -> Tensor:
    """The power of two that brings the networks' largest upstream gradient to about 2^-4, [1].

    Between layers gradients are float16, which ends at 6.1e-5 (with fewer digits 6.0e-8) and 65504:
    from 2^-4 on there is room below for what is a millionth of it, and above for the sum of 2^18
    such in one row of the table. Found in the bits of float32, without asking the GPU.
    """
    slope = density.clamp_min(math.exp(-MAX_LOG_DENSITY))
    # A sigmoid's slope is at most a quarter.
    peak = torch.maximum((density_grad * slope).abs().amax(), colour_grad.abs().amax() / 4)
    exponent = peak.reshape(1).view(torch.int32) >> 23
    exponent = exponent.where(exponent < 255, 127)  # infinite or NaN: as for 1
    return ((250 - exponent.clamp(1, 249)) << 23).view(torch.float32)


def _words(net: Sequence[Tensor], inputs: int) -> int:
    """Network::WORDS of warp.cuh."""
    width, total = len(net[0]), 0
    for outputs, columns in [(width, inputs), *[(width, width)] * (len(net) - 2), (16, width)]:
        total += outputs * _row_words(columns)
    return total


def _row_words(columns: int) -> int:
    """`words` of warp.cuh, of a padded row."""
    return (_padded(columns) + 8) // 2


def _padded(columns: int) -> int:
    return -(-columns // 16) * 16


def backward(
    weights: FieldWeights,
    points: Tensor,
    directions: Tensor,
    codes: Tensor,
    saved: Sequence[Tensor],
    density_grad: Tensor,
    colour_grad: Tensor,
    wanted: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor, tuple[Tensor, ...]]:
    """Gradients with respect to points, harmonics and codes (where wanted), table and matrices."""
    n, device = len(points), points.device
    table, matrices, encoded, density = saved
    deterministic = torch.are_deterministic_algorithms_enabled()
    blocks = _blocks(n, device, 1, backward_bytes(weights))
    table_sums = torch.zeros_like(table, dtype=torch.int64 if deterministic else None)
    matrix_sums = matrices.new_empty(blocks.count, len(matrices))
    scale = _scale(density, density_grad, colour_grad) if n else density.new_ones(1)
    shapes = points.shape, (n, 16), codes.shape
    optional = [points.new_empty(s) if w else None for s, w in zip(shapes, wanted, strict=True)]
    inputs = (layout_tensor(weights.grid, device), points, directions, codes, table, matrices)
    arguments = (
        *inputs,
        encoded,
        density_grad,
        colour_grad,
        scale,
        table_sums,
        matrix_sums,
        *optional,
    )
    kernels = kernels_for("radiance", weights)
    if deterministic:
        kernels = replace(kernels, constants=(*kernels.constants, ("DETERMINISTIC", 1)))
    launch.run_blocks(kernels, "radiance_backward", device, blocks, n, *arguments)
    of_table = table_sums * (1 / scale / (_FIXED_POINT if deterministic else 1))
    everything = (*weights.density_net, *weights.colour_net)
    parts = matrix_sums.sum(0).split([matrix.numel() for matrix in everything])
    of_matrices = tuple(p.view_as(m) for p, m in zip(parts, everything, strict=True))
    of_points, of_harmonics, of_codes = optional
    return of_points, of_harmonics, of_codes, of_table, of_matrices
