"""Multiresolution hash encoding in plain torch: the op's definition and fallback."""

import itertools

import torch
from jaxtyping import Float, Int
from torch import Tensor

from teacher.ops.hash_encode.grid import HashGrid, Level

PRIMES = (1, 2654435761, 805459861, 3674653429)
"""The spatial hash's factors, one per axis (Müller 2022, equation 4, and tiny-cuda-nn's fourth)."""


def hash_encode(
    points: Float[Tensor, "n dims"], table: Float[Tensor, "entries features"], grid: HashGrid
) -> Float[Tensor, "n width"]:
    """As `teacher.ops.hash_encode`, for any device and floating type."""
    clamped = points.nan_to_num(0).clamp(0, 1)
    corners = torch.tensor(list(itertools.product((0, 1), repeat=grid.dims)), device=points.device)
    return torch.cat([_interpolate(clamped, table, level, corners) for level in grid.layout], 1)


def _interpolate(
    points: Float[Tensor, "n dims"],
    table: Float[Tensor, "entries features"],
    level: Level,
    corners: Int[Tensor, "corners dims"],
) -> Float[Tensor, "n features"]:
    """The features of one level, interpolated between the corners of each point's cell."""
    position = points * level.scale + 0.5
    cell = position.detach().floor()
    fraction = (position - cell)[:, None]
    weights = torch.where(corners.bool(), fraction, 1 - fraction).prod(-1)
    rows = level.offset + _slots(cell.long()[:, None] + corners, level)
    values = table.index_select(0, rows.flatten()).unflatten(0, rows.shape)
    return (weights[..., None] * values).sum(1)


def _slots(vertices: Int[Tensor, "n corners dims"], level: Level) -> Int[Tensor, "n corners"]:
    """The row of each grid point within its level."""
    slots = torch.zeros_like(vertices[..., 0])
    for axis, column in enumerate(vertices.unbind(-1)):
        if level.hashed:
            slots = slots ^ (column * PRIMES[axis] & 0xFFFFFFFF)
        else:
            slots = slots + column * level.resolution**axis
    return slots % level.size
