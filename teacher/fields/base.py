"""What a radiance field answers: how dense is it here, and what colour leaves there in this direction?

Density and colour are asked for separately, so that a renderer can drop the samples that nobody sees before it pays for
their colour. What a field may be asked about travels in one `Query`: time, per-image codes or footprints become further
fields of it, not further arguments of every function.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Query:
    """Where a field is asked, in the norm frame, and along which unit direction it is looked at."""

    positions: Float[Tensor, "n 3"]
    directions: Float[Tensor, "n 3"]

    def __getitem__(self, keep: Bool[Tensor, " n"] | slice | Tensor) -> "Query":
        return Query(self.positions[keep], self.directions[keep])


@runtime_checkable
class Field(Protocol):
    """A radiance field in the norm frame."""

    def density(self, positions: Float[Tensor, "n 3"]) -> tuple[Tensor, Tensor]:
        """Volume density [n] per norm unit, >= 0, and the features [n k] that `colour` reads."""
        ...

    def colour(self, query: Query, features: Float[Tensor, "n k"]) -> Float[Tensor, "n 3"]:
        """sRGB in [0, 1] that leaves each position against its viewing direction."""
        ...


class RadianceField(nn.Module, ABC):
    """Base of fields that are trained: parameters come in groups that the optimiser treats differently."""

    @abstractmethod
    def density(self, positions: Float[Tensor, "n 3"]) -> tuple[Tensor, Tensor]:
        """As `Field.density`."""

    @abstractmethod
    def colour(self, query: Query, features: Float[Tensor, "n k"]) -> Float[Tensor, "n 3"]:
        """As `Field.colour`."""

    def tables(self) -> dict[str, nn.Parameter]:
        """Large, sparsely touched tables [entries, features]: updated row by row, never decayed."""
        return {}

    def networks(self) -> dict[str, nn.Parameter]:
        """Everything else: dense matrices."""
        tables = self.tables()
        return {name: p for name, p in self.named_parameters() if name not in tables}
