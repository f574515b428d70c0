"""A hash grid as part of a student: learned features of a point in [-1, 1]^3.

The teacher's encoding (Müller et al. 2022, section 3) by the teacher's kernels, read once per pixel
instead of dozens of times. The points that a student asks about fill a thin shell of space, so few
of them meet in one row of a table: at equal size it tells them apart better than three planes do,
which every point that shares two coordinates must share (docs/student.md). Tables train in float32
and are saved in half precision, as a page gets them.

`HashFeatures` is what trains; `GatheredHash`, its export form, reads the same numbers with integer
arithmetic and gathers, for ONNX Runtime on a CPU and in WebAssembly. In a browser with WebGPU a
shader reads them (`export.split`).
Letters: F = features of a row, n = points.
"""

import operator
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from student.models.grids import PointFeatures
from teacher.ops.hash_encode import HashGrid, Level, hash_encode
from teacher.ops.hash_encode.reference import PRIMES

AXES = 3
_LARGEST = torch.finfo(torch.float16).max


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


def rounded(table: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Features as they are shipped: in half precision, the largest half for what is beyond it."""
    return table.detach().clamp(-_LARGEST, _LARGEST).half().float()


def with_rounded_tables(model: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """`weights` of `model` with all tables as they are shipped.

    A first guess of where a ray ends that is a thousandth aside can be another colour, so a student
    is measured with the tables that a visitor gets.
    """
    grids = [name for name, part in model.named_modules() if isinstance(part, HashFeatures)]
    return weights | {f"{name}.table": rounded(weights[f"{name}.table"]) for name in grids}


def _rows(points: Float[Tensor, "batch points 3 height width"]) -> Float[Tensor, "n 3"]:
    """One row per point, in [0, 1]: pixels of a batch after one another, a pixel's points together."""
    return points.permute(0, 3, 4, 1, 2).reshape(-1, AXES) * 0.5 + 0.5


class GatheredHash(nn.Module):
    """`HashFeatures` by GatherElements, in 32-bit integers, for a CPU.

    A point's eight rows in a level are combinations of two numbers for each axis, and so are their
    weights. Features come first in memory and points last, from the tables to the result:
    everything but the look-up itself is then arithmetic on long rows, and nothing is transposed.
    With one row after the other (Gather, then products of four numbers with one) a frame took three
    times as long, see docs/decisions.md. Level after level, so that what lies in memory at once is
    the eight corners of one level.
    """

    sides: Int[Tensor, "2 1"]
    """A cell's lower and upper corner along an axis."""
    factors: Int[Tensor, "levels 3 1 1"]
    """What a lattice point's coordinate counts in its row."""

    def __init__(self, features: HashFeatures) -> None:
        super().__init__()
        self.levels = features.grid.layout
        factors = torch.tensor([_factors(level) for level in self.levels], dtype=torch.int32)
        self.register_buffer("factors", factors[:, :, None, None])
        self.register_buffer("sides", torch.tensor([[0], [1]], dtype=torch.int32))
        tables = [_table(features.table.detach(), level) for level in self.levels]
        self.tables = nn.ParameterList(nn.Parameter(table, False) for table in tables)

    def forward(
        self, points: Float[Tensor, "batch points 3 height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """See `HashFeatures.forward`."""
        batch, count, _, height, width = points.shape
        levels, unit = zip(self.levels, self.factors, self.tables, strict=True), _axes(points)
        features = torch.cat([self._read(unit, *level) for level in levels])
        if batch * count > 1:  # the exporter would write a transposition for a single one as well
            features = features.unflatten(1, (batch * count, -1)).transpose(0, 1)
        return features.reshape(batch, -1, height, width)

    def _read(
        self,
        unit: Float[Tensor, "3 1 n"],
        level: Level,
        factors: Int[Tensor, "3 1 1"],
        table: Float[Tensor, "F rows"],
    ) -> Float[Tensor, "F n"]:
        """The features of one level, blended between the corners of each point's cell."""
        position = unit * level.scale + 0.5
        cell = torch.floor(position)
        weights = (position - cell - (1 - self.sides).float()).abs()
        corners = (cell.int() + self.sides) * factors
        if level.hashed:
            rows = _combined(corners & (level.size - 1), operator.xor)
        else:
            rows = _combined(corners, operator.add)
        indices = rows.reshape(1, -1).expand(len(table), -1).long()
        values = torch.gather(table, 1, indices).unflatten(1, (8, -1))
        return (values * _combined(weights, operator.mul).reshape(1, 8, -1)).sum(1)


def _axes(points: Float[Tensor, "batch points 3 height width"]) -> Float[Tensor, "3 1 n"]:
    """A row for each axis, in [0, 1]; pictures, points and pixels after one another."""
    if points.shape[0] * points.shape[1] > 1:
        points = points.permute(2, 0, 1, 3, 4)
    return (points.reshape(AXES, 1, -1) * 0.5 + 0.5).clamp(0, 1)


def _combined(axes: Tensor, combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """[3, 2, n], a number for both sides along each axis, to [2, 2, 2, n]: all corners, x fastest."""
    x, y, z = axes.unbind()
    return combine(z[:, None, None], combine(y[:, None], x))


def _factors(level: Level) -> list[int]:
    """Of a product only its lowest bits count, and they depend on the factor's lowest bits alone:
    with those nothing overflows.
    """
    if level.hashed:
        return [prime & (level.size - 1) for prime in PRIMES[:AXES]]
    return [level.resolution**axis for axis in range(AXES)]


def _table(table: Float[Tensor, "entries F"], level: Level) -> Float[Tensor, "F rows"]:
    """One level's rows as columns.

    In a dense level rows are counted modulo its size. Corners just beyond the lattice reach past
    that, so its first rows follow once more behind its last one, instead of a division for each
    corner.
    """
    rows = table[level.offset : level.offset + level.size]
    if not level.hashed:
        beyond = sum(level.resolution ** (axis + 1) for axis in range(AXES)) + 1 - level.size
        rows = torch.cat([rows, rows[:beyond]])
    return rows.t().contiguous()
