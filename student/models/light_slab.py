"""LightSlab: a ray is four numbers, and features of all pairs of them are stored on planes.

    coarse rays -> (u, v, s, t) in [-1, 1]^4 -> six feature planes, one for each pair of the four
                -> concatenated, beside sines and cosines -> 1x1 residual body -> PixelShuffle
                   stages -> 1x1 convolution -> RGBA, depth

After Gupta et al., "LightSpeed: Light and Fast Neural Light Fields on Mobile Devices" (NeurIPS
2023): a 4D grid of features over rays, factored into six planes at several resolutions; the network
behind it mends what the factors cannot express. No code was ever published, so sizes, the sphere
below and everything about training are ours.

How four numbers describe a ray:

* `slabs`: where its line crosses two parallel planes, opposite faces of the scene's box. For
  captures from one side. Each number is x / sqrt(1 + x^2) of the box coordinate x, so any crossing
  has a place on the lattice (the box itself has 71 % of it), and nothing is divided by zero.
* `sphere`: where its line enters and leaves the sphere around the scene's box. For captures from
  all around. Each point is put on a square by an octahedral map.

The octahedral map needs only abs and where, is continuous inside the square, and its area varies by
a factor of 3 sqrt(3) (measured and closed form: 1 / (|x| + |y| + |z|)^3). No map of a sphere onto a
square is continuous everywhere; this one's cut is the square's border: the four quarter circles
from one pole to the equator, each of which appears on both halves of one side. Two things keep the
cut from being seen. It lies where rays of captures from above are rarest: below for entering
points, above for leaving points, which are mapped by their antipodes (so that both are equal for a
ray through the centre, as on slabs). And features fade to zero towards the border, so that the
network's input is continuous everywhere: it is left with the sines of the two points, which know of
no cut.

Lines, not half-lines, are described: a camera inside the sphere must see no more of the scene
behind itself than the training cameras saw between them.
"""

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from student.models.base import LightField, LightFieldOutput, grid_rays
from student.models.blocks import LongSkip, ResidualBlock
from student.models.encoding import clip_to_box, encode_frequencies
from student.models.grids import FeatureGrids
from student.models.mobile_r2l import RGB_ALPHA_DEPTH, as_picture, upsampling_stages

PAIRS = tuple(combinations(range(4), 2))
"""The six pairs of (u, v, s, t)."""
_TINY = 1e-16
"""Beside squares: rays that lie within a slab have a place too."""


@dataclass(frozen=True)
class LightSlabConfig:
    """Sizes of LightSlab."""

    parametrisation: Literal["sphere", "slabs"] = "sphere"
    """How rays become four numbers: for captures from all around, or from one side."""
    axis: Literal[0, 1, 2] = 1
    """Axis (x, y or z of the norm frame) that the two slabs are perpendicular to."""
    fade: float = 0.05
    """Distance from the octahedral square's border within which features fade to zero."""
    planes: tuple[int, ...] = (32, 64, 128, 256)
    """Resolutions of the feature planes."""
    features: int = 4
    """Channels of each of them."""
    octaves: int = 6
    """Frequencies of the ray's encoding: 2^0 ... 2^(octaves - 1)."""
    width: int = 256
    """Channels of the body."""
    blocks: int = 14
    """Residual blocks of the body, two 1x1 convolutions each."""
    factors: tuple[int, ...] = (2, 2, 2)
    """Enlargement of each upsampling stage."""
    channels: tuple[int, ...] = (64, 64, 16)
    """Channels behind each stage."""
    stage_blocks: int = 1
    """Residual blocks behind each stage."""

    @property
    def upsampling(self) -> int:
        """Output pixels per ray, along each side."""
        return math.prod(self.factors)

    def build(self, aabb: Float[Tensor, "2 3"]) -> "LightSlab":
        """The network, freshly initialised, for a scene within `aabb`."""
        return LightSlab(self, aabb)


class RayCoordinates(NamedTuple):
    """Rays as points of [-1, 1]^4."""

    uvst: Float[Tensor, "batch 4 height width"]
    encoded: Float[Tensor, "batch numbers height width"]
    """Numbers in [-1, 1] that are continuous where `uvst` has a cut, for sines and cosines."""
    weight: Float[Tensor, "batch 1 height width"]
    """Factor on features of `uvst`, 0 where it has a cut."""


class LightSlab(LightField):
    """The network of `LightSlabConfig`; see the module's docstring."""

    def __init__(self, config: LightSlabConfig, aabb: Float[Tensor, "2 3"]) -> None:
        super().__init__(config.upsampling, aabb)
        self.config = config
        self.planes = FeatureGrids(PAIRS, config.planes, config.features)
        numbers = {"sphere": 6, "slabs": 4}[config.parametrisation]
        inputs = self.planes.channels + numbers * (2 * config.octaves + 1)
        self.head = nn.Sequential(nn.Conv2d(inputs, config.width, 1), nn.ReLU())
        self.body = LongSkip(*(ResidualBlock(config.width) for _ in range(config.blocks)))
        stages = zip(config.channels, config.factors, strict=True)
        self.upsample = nn.Sequential(
            *upsampling_stages(config.width, tuple(stages), config.stage_blocks)
        )
        self.out = nn.Conv2d(config.channels[-1], RGB_ALPHA_DEPTH, 1)

    def forward(
        self,
        T_norm_camera: Float[Tensor, "batch 4 4"],
        intrinsics: Float[Tensor, "batch 4"],
        size: tuple[int, int],
    ) -> LightFieldOutput:
        """See `LightField.forward`."""
        rays = grid_rays(T_norm_camera, intrinsics, self.coarse_size(size))
        hidden = self.body(self.head(self.encode(*rays)))
        near, far = clip_to_box(*grid_rays(T_norm_camera, intrinsics, size), self.aabb)
        return as_picture(self.out(self.upsample(hidden)), near, far)

    def encode(
        self,
        origins: Float[Tensor, "batch 3 height width"],
        directions: Float[Tensor, "batch 3 height width"],
    ) -> Float[Tensor, "batch inputs height width"]:
        """What the network sees of each coarse ray."""
        if self.config.parametrisation == "slabs":
            found = slab_coordinates(origins, directions, self.aabb, self.config.axis)
        else:
            found = sphere_coordinates(origins, directions, self.aabb, self.config.fade)
        features = self.planes(found.uvst[:, None]) * found.weight
        return torch.cat([features, encode_frequencies(found.encoded, self.config.octaves)], 1)


def slab_coordinates(
    origins: Float[Tensor, "batch 3 height width"],
    directions: Float[Tensor, "batch 3 height width"],
    aabb: Float[Tensor, "2 3"],
    axis: int,
) -> RayCoordinates:
    """Where rays' lines cross the box's lower (u, v) and upper (s, t) face perpendicular to `axis`.

    A crossing at x, in box coordinates (faces at -1 and 1), is the number x / sqrt(1 + x^2). Of x =
    N / D, D the direction along the axis, that is N / sqrt(D^2 + N^2) with D's sign: finite for
    rays parallel to the faces too, whose numbers jump between -1 and 1.
    """
    centre = (0.5 * (aabb[1] + aabb[0]))[None, :, None, None]
    half = (0.5 * (aabb[1] - aabb[0]))[None, :, None, None]
    origin, direction = ((origins - centre) / half).split(1, 1), (directions / half).split(1, 1)
    along, across = direction[axis], [other for other in range(3) if other != axis]
    forward = torch.where(along < 0, -torch.ones_like(along), torch.ones_like(along))
    numbers = []
    for face in (-1.0, 1.0):
        for other in across:
            crossing = origin[other] * along + (face - origin[axis]) * direction[other]
            length = (crossing.square() + along.square() + _TINY).sqrt()
            numbers.append(crossing * forward / length)
    uvst = torch.cat(numbers, 1)
    return RayCoordinates(uvst, uvst, torch.ones_like(along))


def sphere_coordinates(
    origins: Float[Tensor, "batch 3 height width"],
    directions: Float[Tensor, "batch 3 height width"],
    aabb: Float[Tensor, "2 3"],
    fade: float,
) -> RayCoordinates:
    """Where rays' lines enter (u, v) and leave (s, t) the sphere through the box's corners.

    Both points of a line that misses are the sphere's point nearest to it, which is continuous
    across the silhouette.

    Args:
        origins: of the rays, in norm units.
        directions: unit.
        aabb: the scene's box.
        fade: distance from the square's border at which features begin to fade.
    """
    centre = (0.5 * (aabb[1] + aabb[0]))[None, :, None, None]
    radius = 0.5 * (aabb[1] - aabb[0]).square().sum().sqrt()
    origin = (origins - centre) / radius
    nearest = origin - directions * (origin * directions).sum(1, keepdim=True)
    chord = torch.relu(1 - nearest.square().sum(1, keepdim=True)).sqrt()
    enters, leaves = (_unit(nearest + directions * way) for way in (-chord, chord))
    uv, st = octahedral(enters), octahedral(-leaves)
    weight = torch.ones_like(chord)
    for coordinate in (*uv.split(1, 1), *st.split(1, 1)):
        weight = weight * ((1 - coordinate.abs()) / fade).clamp(0.0, 1.0)
    return RayCoordinates(torch.cat([uv, st], 1), torch.cat([enters, leaves], 1), weight)


def octahedral(
    directions: Float[Tensor, "batch 3 height width"],
) -> Float[Tensor, "batch 2 height width"]:
    """Unit vectors to [-1, 1]^2: +z in the middle, the equator on the inner diamond, -z in all
    corners.

    Praun and Hoppe 2003; Cigolle et al. 2014, "A Survey of Efficient Representations for
    Independent Unit Vectors", listing 1. Continuous but for the square's border, see above.
    """
    x, y, z = (directions / directions.abs().sum(1, keepdim=True)).split(1, 1)
    folded = [
        torch.where(a < 0, b.abs() - 1, 1 - b.abs())  # (1 - |b|) with the sign of a
        for a, b in ((x, y), (y, x))
    ]
    return torch.cat([torch.where(z < 0, f, a) for f, a in zip(folded, (x, y), strict=True)], 1)


def _unit(
    vectors: Float[Tensor, "batch 3 height width"],
) -> Float[Tensor, "batch 3 height width"]:
    return vectors / vectors.square().sum(1, keepdim=True).sqrt()
