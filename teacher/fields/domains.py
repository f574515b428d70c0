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
    """All of space: the cube [-extent, extent]^3 evenly, what is outside squeezed into a shell around it.

    Mip-NeRF 360 (Barron et al. 2022), equation 10, in units of `extent`: x -> (2 - 1 / |x|) x / |x| where |x| > 1.
    With |x| the largest coordinate instead of the length, what is left alone is a cube, the scene's own (extent 1),
    and what it becomes fills the grid's cube: the ball of the paper would leave 48 % of its cells unused. The
    cameras, and what they look at, should be inside.
    """

    extent: float = 1.0
    """Half of the side of the cube that keeps its shape, in norm units; it gets the middle half of the grid."""

    def to_unit(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Coordinates in [0, 1]; infinity lies on the faces."""
        scaled = positions / self.extent
        size = scaled.abs().amax(-1, keepdim=True).clamp_min(1.0)
        return (scaled * ((2 - 1 / size) / size) * 0.25 + 0.5).clamp(0, 1)

    def to_norm(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """The inverse of `to_unit`, for points in the open unit cube."""
        contracted = 4 * points - 2
        size = contracted.abs().amax(-1, keepdim=True).clamp_min(1.0)
        return contracted * (self.extent / ((2 - size) * size))


Domain = Cube | Contracted
"""Parts of space that a grid can cover."""
