"""The shape of a multiresolution hash grid: each level's resolution, and its place in the table."""

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from teacher.errors import UserError

_ALIGNMENT = 8
"""A dense level's number of rows is rounded up to this."""


class Level(NamedTuple):
    """One grid of the hierarchy."""

    scale: float
    """A coordinate x in [0, 1] lies at x * scale + 0.5, in cells; a float32 value."""
    resolution: int
    """Grid points along each axis."""
    offset: int
    """The level's first row in the table."""
    size: int
    """Its number of rows."""
    hashed: bool
    """Whether grid points share rows by hashing; a dense level has a row for each."""


@dataclass(frozen=True)
class HashGrid:
    """A multiresolution hash grid (Müller 2022, table 1), laid out like tiny-cuda-nn's."""

    dims: int = 3
    """Axes of a point: 3 for space, 4 for space and time."""
    levels: int = 16
    """Number of resolutions (L)."""
    features: int = 2
    """Features per row (F): 1, 2, 4 or 8."""
    log2_size: int = 19
    """Logarithm of the most rows that a level may have (T)."""
    base: int = 16
    """Resolution of the coarsest level (N_min)."""
    finest: int = 2048
    """Resolution of the finest level (N_max)."""

    def __post_init__(self) -> None:
        fits = {
            "dims": 1 <= self.dims <= 4,
            "levels": self.levels >= 1,
            "features": self.features in (1, 2, 4, 8),
            "log2_size": 3 <= self.log2_size <= 28,
            "base": self.base >= 2,
            "finest": self.base <= self.finest <= 2**20,
        }
        if wrong := [name for name, fit in fits.items() if not fit]:
            raise UserError(
                "the hash grid",
                ", ".join(f"{name} = {getattr(self, name)}" for name in wrong),
                "dims 1…4, levels >= 1, features 1, 2, 4 or 8, log2_size 3…28, "
                "2 <= base <= finest <= 2^20",
                "correct the field",
            )

    @property
    def width(self) -> int:
        """Features of an encoded point."""
        return self.levels * self.features

    @property
    def entries(self) -> int:
        """Rows of the table, over all levels."""
        last = self.layout[-1]
        return last.offset + last.size

    @property
    def layout(self) -> tuple[Level, ...]:
        """The levels, coarsest first; resolutions grow as in the paper's equations 2 and 3."""
        return _layout(self)


@functools.cache
def _layout(grid: HashGrid) -> tuple[Level, ...]:
    growth = math.log(grid.finest / grid.base) / max(grid.levels - 1, 1)
    levels, offset = [], 0
    for index in range(grid.levels):
        scale = float(np.float32(grid.base * math.exp(index * growth) - 1))
        resolution = math.ceil(scale) + 1
        vertices = resolution**grid.dims
        size = min(-(-vertices // _ALIGNMENT) * _ALIGNMENT, 2**grid.log2_size)
        levels.append(Level(scale, resolution, offset, size, hashed=vertices > size))
        offset += size
    return tuple(levels)
