"""What a student needs to have for its split form."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from student.models.base import LightFieldOutput
from student.models.hashed import HashFeatures


@runtime_checkable
class Splittable(Protocol):
    """A `LightField` whose picture is shade(predict(encode(coarse rays)), rays).

    `predict` is made of convolutions and ends with its only PixelShuffle; `encode` and `shade` are
    those of `student.models.surface_guided`, at any sizes.
    """

    aabb: Float[Tensor, "2 3"]
    beyond: float
    """Share of rays and grids for what lies beyond the box, see `student.models.space`."""
    upsampling: int
    fractions: Float[Tensor, " points"]
    """Where along each coarse ray the volume is read; 0 = near, 1 = far."""
    encoded: Float[Tensor, " encoded"]
    """Where along it the network is told the position."""
    octaves: int
    features: int
    """What the ray network tells the heads of each pixel, beside the guess and alpha."""
    reach: float
    """How far the correction of a guess may lead."""
    volume: HashFeatures
    shape: HashFeatures
    """Read at the guess."""
    colour: HashFeatures
    """Read at the corrected point."""
    corrector: nn.Sequential
    head: nn.Sequential

    def coarse_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """See `LightField.coarse_size`."""
        ...

    def encode(self, origins: Tensor, directions: Tensor) -> Tensor:
        """What the ray network sees of each coarse ray."""
        ...

    def predict(self, encoded: Tensor) -> Tensor:
        """The ray network."""
        ...

    def shade(self, ends: Tensor, origins: Tensor, directions: Tensor) -> LightFieldOutput:
        """The picture."""
        ...
