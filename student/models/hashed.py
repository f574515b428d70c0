"""A hash grid as part of a student: learned features of a point in [-1, 1]^3.

The teacher's encoding (Müller et al. 2022, section 3) by the teacher's kernels, read once per pixel
instead of dozens of times. The points that a student asks about fill a thin shell of space, so few
of them meet in one row of a table: at equal size it tells them apart better than three planes do,
which every point that shares two coordinates must share (docs/student.md).

`HashFeatures` is what trains; `GatheredHash`, its export form, reads the same numbers with integer
arithmetic and gathers, for ONNX Runtime on a CPU and in WebAssembly. In a browser with WebGPU a
shader reads them (`export.split`).
"""

import itertools

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from student.models.grids import PointFeatures
from teacher.ops.hash_encode import HashGrid, Level, hash_encode
from teacher.ops.hash_encode.reference import PRIMES

AXES = 3


class HashFeatures(PointFeatures):
    """Features from all levels of `grid`, coarsest first."""

    def __init__(self, grid: HashGrid) -> None:
        super().__init__()
        self.grid = grid
        self.channels = grid.width
        """Channels per point."""
        self.table = nn.Parameter(0.01 * torch.randn(grid.entries, grid.features))

    def forward(
        self, points: Float[Tensor, "batch points 3 height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Features of points in [-1, 1]^3: `self.channels` times `points` channels, point-major."""
        batch, _, _, height, width = points.shape
        features = hash_encode(_rows(points).contiguous(), self.table, self.grid)
        return features.view(batch, height, width, -1).permute(0, 3, 1, 2)

    def exported(self) -> "GatheredHash":
        """The same function made of gathers."""
        return GatheredHash(self)


def _rows(points: Float[Tensor, "batch points 3 height width"]) -> Float[Tensor, "n 3"]:
    """One row per point, in [0, 1]: pixels of a batch after one another, a pixel's points together."""
    return points.permute(0, 3, 4, 1, 2).reshape(-1, AXES) * 0.5 + 0.5


class GatheredHash(nn.Module):
    """`HashFeatures` as a Gather per level, in 32-bit integers.

    Level after level, so that what lies in memory at once is the eight corners of one level.
    """

    def __init__(self, features: HashFeatures) -> None:
        super().__init__()
        self.levels = features.grid.layout
        table = features.table.detach()
        parts = [table[level.offset : level.offset + level.size] for level in self.levels]
        self.tables = nn.ParameterList(nn.Parameter(part.clone(), False) for part in parts)

    def forward(
        self, points: Float[Tensor, "batch points 3 height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """See `HashFeatures.forward`."""
        batch, _, _, height, width = points.shape
        unit = _rows(points).t().clamp(0, 1)
        pairs = zip(self.levels, self.tables, strict=True)
        features = torch.cat([_level(unit, level, table) for level, table in pairs], 1)
        return features.reshape(batch, height, width, -1).permute(0, 3, 1, 2)


def _level(
    unit: Float[Tensor, "3 n"], level: Level, table: Float[Tensor, "rows features"]
) -> Float[Tensor, "n features"]:
    """The features of one level, interpolated between the eight corners of each point's cell."""
    position = unit * level.scale + 0.5
    cell = torch.floor(position)
    beyond = position - cell
    sides = torch.stack([1 - beyond, beyond])
    vertices = torch.stack([cell, cell + 1]).int()
    corners = list(itertools.product((0, 1), repeat=AXES))
    weights = torch.stack([_product(sides, corner) for corner in corners])
    rows = torch.stack([_row(vertices, corner, level) for corner in corners])
    return (F.embedding(rows, table) * weights[..., None]).sum(0)


def _product(sides: Float[Tensor, "2 3 n"], corner: tuple[int, ...]) -> Float[Tensor, " n"]:
    x, y, z = (sides[side, axis] for axis, side in enumerate(corner))
    return x * y * z


def _row(
    vertices: Int[Tensor, "2 3 n"], corner: tuple[int, ...], level: Level
) -> Int[Tensor, " n"]:
    """As `teacher.ops.hash_encode` counts rows.

    Only a product's lowest bits count, and they depend on the factor's lowest bits alone: with
    those nothing overflows.
    """
    x, y, z = (vertices[side, axis] for axis, side in enumerate(corner))
    if not level.hashed:
        return (x + y * level.resolution + z * level.resolution**2) % level.size
    mask = level.size - 1
    _, second, third = (prime & mask for prime in PRIMES[:AXES])
    return (x ^ (y * second) ^ (z * third)) & mask
