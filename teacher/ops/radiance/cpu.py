"""The fused field on a CPU: encodings are kept for the backward pass, all else is computed again.

points ─radiance_forward─► encoded (kept), density, colour
encoded, gradients ─radiance_backward─► d encoded, d matrices ─hash_encode's backward─► d table
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from teacher.ops import launch
from teacher.ops.build import Kernels
from teacher.ops.hash_encode import layout_tensor, points_gradient, table_gradient
from teacher.ops.radiance.reference import FieldWeights

_SPAN = 1024
"""SPAN of field.cuh."""
_PARTS = 32
"""Parts of the points with sums of their own."""


def fits(weights: FieldWeights) -> bool:
    """Whether the kernels can run such a field: every network has hidden layers, all of one width."""
    nets = weights.density_net, weights.colour_net
    widths = {len(matrix) for net in nets for matrix in net[:-1]}
    return weights.grid.dims == 3 and len(widths) == 1 and all(len(net) > 1 for net in nets)


def kernels_for(op: str, weights: FieldWeights) -> Kernels:
    """The kernels of `op` compiled for the shape of `weights`."""
    grid, density_net, colour_net = weights.grid, weights.density_net, weights.colour_net
    constants = {
        "DIMS": grid.dims,
        "FEATURES": grid.features,
        "LEVELS": grid.levels,
        "WIDTH": len(density_net[0]),
        "DENSITY_LAYERS": len(density_net) - 1,
        "COLOUR_LAYERS": len(colour_net) - 1,
        "CODES": colour_net[0].shape[1] - 31,
        "MIXED": int(weights.mixed),
    }
    return Kernels(op, tuple(constants.items()))


def flat(matrices: Sequence[Tensor]) -> Tensor:
    """Matrices one behind the other."""
    return torch.cat([matrix.detach().flatten() for matrix in matrices])


def density(weights: FieldWeights, points: Tensor) -> Tensor:
    """See `teacher.ops.radiance.point_density`."""
    n, result = len(points), points.new_empty(len(points))
    layout = layout_tensor(weights.grid, points.device)
    arguments = (n, layout, points, weights.table.detach(), flat(weights.density_net), result)
    kernels = kernels_for("radiance", weights)
    launch.run(kernels, "radiance_density", points.device, -(-n // _SPAN), *arguments)
    return result


def forward(
    weights: FieldWeights, points: Tensor, directions: Tensor, codes: Tensor
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Density, colour, and what `backward` wants back."""
    n = len(points)
    density, colour = points.new_empty(n), points.new_empty(n, 3)
    encoded = points.new_empty(n, weights.grid.width)
    matrices = flat((*weights.density_net, *weights.colour_net))
    inputs = (layout_tensor(weights.grid, points.device), points, directions, codes)
    outputs = (density, colour, encoded)
    kernels = kernels_for("radiance", weights)
    arguments = (n, *inputs, weights.table.detach(), matrices, *outputs)
    launch.run(kernels, "radiance_forward", points.device, -(-n // _SPAN), *arguments)
    return density, colour, (encoded,)


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
    for_points, for_directions, for_codes = wanted
    encoded_grad = torch.empty_like(saved[0])
    harmonics = points.new_empty(n, 16) if for_directions else None
    of_codes = torch.empty_like(codes) if for_codes else None
    everything = (*weights.density_net, *weights.colour_net)
    matrices = flat(everything)
    sums = matrices.new_zeros(_PARTS, len(matrices))
    inputs = (saved[0], directions, codes, matrices, density_grad, colour_grad)
    outputs = (encoded_grad, harmonics, of_codes, sums)
    kernels = kernels_for("radiance", weights)
    launch.run(kernels, "radiance_backward", device, _PARTS if n else 0, n, *inputs, *outputs)
    grid, table = weights.grid, weights.table
    of_points = points_gradient(grid, points, table, encoded_grad) if for_points else None
    of_table = table_gradient(grid, points, table, encoded_grad)
    parts = sums.sum(0).split([matrix.numel() for matrix in everything])
    of_matrices = tuple(p.view_as(m) for p, m in zip(parts, everything, strict=True))
    return of_points, harmonics, of_codes, of_table, of_matrices
