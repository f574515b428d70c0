"""What a radiance field answers: how dense is it here, and what colour leaves there in this direction?

Density can be asked for alone, so that a sampler can drop the places that nobody sees before their colour is paid for.
What a field may be asked about travels in one `Query`: time or footprints become further fields of it, not further
arguments of every function.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor, nn

from teacher.ops.radiance import FieldWeights, Radiance
from teacher.optimiser import Group


@dataclass(frozen=True)
class Query:
    """Where a field is asked, in the norm frame, and along which unit direction it is looked at."""

    positions: Float[Tensor, "n 3"]
    directions: Float[Tensor, "n 3"]
    codes: Float[Tensor, "n codes"]
    """What the picture adds to the question: its appearance code; no columns where there are none."""

    def __getitem__(self, keep: Bool[Tensor, " n"] | slice | Tensor) -> "Query":
        return Query(self.positions[keep], self.directions[keep], self.codes[keep])


@runtime_checkable
class Field(Protocol):
    """A radiance field in the norm frame."""

    def density(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Volume density per norm unit, >= 0; without gradients."""
        ...

    def radiance(self, query: Query) -> Radiance:
        """Density, and the sRGB in [0, 1] that leaves each position against its direction."""
        ...


class RadianceField(nn.Module, ABC):
    """Base of fields that are trained."""

    unbounded = False
    """Whether it reaches beyond the scene's box, to infinity."""

    @abstractmethod
    def density(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """As `Field.density`."""

    @abstractmethod
    def radiance(self, query: Query) -> Radiance:
        """As `Field.radiance`."""

    def groups(self) -> dict[str, Group]:
        """How the optimiser treats parameters, by name; those not named are treated as any `Group()`."""
        return {}

    def update(self, step: int, steps: int) -> None:
        """Get ready for training step `step` of `steps`."""
        return

    def on_cube(self, extent: float) -> FieldWeights | None:
        """The weights, if the field is a hash grid over the cube [-extent, extent]^3 as it stands.

        Then fused kernels can march through it (`teacher.ops.trace`).
        """
        return None
