"""The hash-grid radiance field in plain torch: what the fused kernels compute, and are tested against."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.encodings.directional import spherical_harmonics
from teacher.ops.hash_encode import HashGrid
from teacher.ops.hash_encode.reference import hash_encode

MAX_LOG_DENSITY = 15.0


class FieldWeights(NamedTuple):
    """All that a hash-grid field is made of; matrices are [outputs, inputs], as `nn.Linear` has them."""

    grid: HashGrid
    table: Float[Tensor, "entries features"]
    density_net: tuple[Tensor, ...]
    """From the encoded point to 1 + FEATURES values: the logarithm of density (plus 1), and features."""
    colour_net: tuple[Tensor, ...]
    """From [features, spherical harmonics of the direction, codes] to three logits."""
    mixed: bool = False
    """Whether kernels may round what flows between layers to 16 bits; on a GPU they always do."""


class Radiance(NamedTuple):
    """What a field answers for each point."""

    density: Float[Tensor, " n"]
    colour: Float[Tensor, "n 3"]


def radiance(
    points: Float[Tensor, "n 3"],
    directions: Float[Tensor, "n 3"],
    codes: Float[Tensor, "n codes"],
    weights: FieldWeights,
) -> Radiance:
    """As `teacher.ops.radiance`, for any device and floating type."""
    raw = _network(hash_encode(points, weights.table, weights.grid), weights.density_net)
    inputs = torch.cat([raw[:, 1:], spherical_harmonics(directions), codes], -1)
    colour = torch.sigmoid(_network(inputs, weights.colour_net))
    return Radiance(TruncatedExp.apply(raw[:, 0] - 1), colour)


def point_density(points: Float[Tensor, "n 3"], weights: FieldWeights) -> Float[Tensor, " n"]:
    """As `teacher.ops.radiance`, for any device and floating type."""
    raw = _network(hash_encode(points, weights.table, weights.grid), weights.density_net)
    return TruncatedExp.apply(raw[:, 0] - 1)


def _network(x: Float[Tensor, "n inputs"], matrices: Sequence[Tensor]) -> Tensor:
    """A ReLU network without biases."""
    for matrix in matrices[:-1]:
        x = torch.relu(x @ matrix.T)
    return x @ matrices[-1].T


class TruncatedExp(torch.autograd.Function):
    """exp whose gradient stays finite: a density may shoot up without throwing the network away."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        """exp(x), x clamped from above."""
        ctx.save_for_backward(x)
        return torch.exp(x.clamp_max(MAX_LOG_DENSITY))

    @staticmethod
    def backward(ctx, *grads: Tensor) -> Tensor:
        """As of exp, x clamped on both sides."""
        (x,) = ctx.saved_tensors
        return grads[0] * torch.exp(x.clamp(-MAX_LOG_DENSITY, MAX_LOG_DENSITY))
