"""Multiresolution hash encoding in plain torch: the definition of the op and its fallback."""

import itertools

import torch
from jaxtyping import Float, Int
from torch import Tensor

from teacher.ops.hash_encode.grid import HashGrid, Level

PRIMES = (1, 2654435761, 805459861, 3674653429)
"""Factors of the spatial hash, one per axis (Müller 2022, equation 4; the fourth is tiny-cuda-nn's)."""


def hash_encode(
    points: Float[Tensor, "n dims"], table: Float[Tensor, "entries features"], grid: HashGrid
) -> Float[Tensor, "n width"]:
    """As `teacher.ops.hash_encode`, for any device and floating type."""
    clamped = points.clamp(0, 1)
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
    columns = vertices.unbind(-1)
    if level.hashed:
        slots = torch.zeros_like(columns[0])
        for column, prime in zip(columns, PRIMES, strict=False):
            slots = slots ^ (column * prime & 0xFFFFFFFF)
        return slots & (level.size - 1)
    strides = (level.resolution**axis for axis in range(len(columns)))
    return sum(column * stride for column, stride in zip(columns, strides)) % level.size
