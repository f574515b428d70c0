"""Domains: how positions in the norm frame become coordinates in a grid's unit cube."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Cube:
    """The cube [-extent, extent]^3, linearly; positions outside are clamped onto it."""

    extent: float = 1.0
    """Half of the cube's side, in norm units."""

    def to_unit(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Coordinates in [0, 1]."""
        return (positions * (0.5 / self.extent) + 0.5).clamp(0, 1)


@dataclass(frozen=True)
class Contracted:
    """All of space: the unit ball as it is, what is outside squeezed into the shell up to radius 2.

    Mip-NeRF 360 (Barron et al. 2022), equation 10: x -> (2 - 1 / |x|) x / |x| for |x| > 1.
    """

    def to_unit(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Coordinates in [0, 1]; infinity lies on the sphere of radius 1/2."""
        norm = positions.norm(dim=-1, keepdim=True).clamp_min(1.0)
        return (positions / norm * (2 - 1 / norm) * 0.25 + 0.5).clamp(0, 1)


Domain = Cube | Contracted
