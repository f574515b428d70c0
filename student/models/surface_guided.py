"""The surface-guided student: where does the ray end, and what is there?

    encode   once per coarse ray: points along it -> feature volume; three of them -> frequencies
    predict  -> 1x1 residual body -> 3x3 conv -> PixelShuffle
             -> per pixel: a first guess of where the ray ends, alpha, a few features
    shade    once per pixel: point at the guess -> hash grid of shape -> correction of the guess
             corrected point -> hash grid of colour -> small 1x1 head -> RGB

A network over rays spends its capacity on where each ray ends. Here the ray network only guesses
that, from a ray for 4x4 pixels and guided by the teacher's depth. What it cannot know at that
resolution, the exact silhouette, is learned as a function of space: near the surface a grid says how
far away it is, and one step along the ray (Newton's, as it were) finds it. Colour, whose detail a
hash grid stores cheaply, is looked up there. What each part is worth: docs/student.md.

`encode` and `shade` are all that is not a convolution: in a browser they are shaders of their own
around `predict`, see `export.split`.
"""

from copy import deepcopy
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from student.models.base import LightField, LightFieldOutput, grid_rays
from student.models.blocks import LongSkip, ResidualBlock, ShuffleUpsample
from student.models.encoding import encode_frequencies
from student.models.hashed import HashFeatures
from student.models.space import Space
from teacher.ops.hash_encode import HashGrid


@dataclass(frozen=True)
class SurfaceGuidedConfig:
    """Sizes of the surface-guided student."""

    upsampling: int = 4
    """Output pixels per coarse ray, along each side."""
    points: int = 32
    """Points along each coarse ray at which the ray network reads the feature volume."""
    volume: HashGrid = field(
        default_factory=lambda: HashGrid(levels=1, features=4, log2_size=17, base=48, finest=48)
    )
    """The feature volume: a grid of one level, small enough to be dense."""
    encoded_points: int = 3
    """Points along each coarse ray whose position the ray network is told."""
    octaves: int = 6
    """Frequencies of their encoding: 2^0 ... 2^(octaves - 1)."""
    width: int = 64
    """Channels of the ray network."""
    blocks: int = 5
    """Residual blocks of the ray network, two 1x1 convolutions each."""
    shape: HashGrid = field(
        default_factory=lambda: HashGrid(levels=4, features=2, log2_size=15, base=32, finest=256)
    )
    """The hash grid that corrects the guess."""
    reach: float = 0.15
    """How far a correction may lead, as a fraction of the ray's way through the box."""
    colour: HashGrid = field(
        default_factory=lambda: HashGrid(levels=8, features=4, log2_size=15, finest=512)
    )
    """The hash grid that is read at the surface."""
    features: int = 8
    """What the ray network tells the heads about each pixel, beside the guess and alpha."""
    head_width: int = 32
    """Channels of the two heads."""
    beyond: float | None = None
    """Share of rays and grids for what lies beyond the scene's box, see `student.models.space`; None:
    its `BEYOND` where the teacher has no bounds, else 0.
    """

    def build(self, aabb: Float[Tensor, "2 3"]) -> "SurfaceGuided":
        """The network, freshly initialised, for a scene within `aabb`."""
        return SurfaceGuided(self, aabb)


class SurfaceGuided(LightField):
    """The network of `SurfaceGuidedConfig`; see the module's docstring."""

    def __init__(self, config: SurfaceGuidedConfig, aabb: Float[Tensor, "2 3"]) -> None:
        super().__init__(config.upsampling, aabb)
        self.octaves, self.features = config.octaves, config.features
        self.reach, self.beyond = config.reach, config.beyond or 0.0
        self.fractions: Float[Tensor, " points"]
        self.encoded: Float[Tensor, " encoded"]
        for name, count in (("fractions", config.points), ("encoded", config.encoded_points)):
            self.register_buffer(name, torch.linspace(0, 1, count), persistent=False)
        self.volume = HashFeatures(config.volume)
        inputs = config.points * self.volume.channels
        inputs += config.encoded_points * 3 * (2 * config.octaves + 1)
        width = config.width
        self.body = nn.Sequential(
            nn.Conv2d(inputs, width, 1),
            nn.ReLU(),
            LongSkip(*(ResidualBlock(width) for _ in range(config.blocks))),
        )
        self.mix = nn.Conv2d(width, width, 3, padding=1)
        self.tail = ShuffleUpsample(width, 2 + config.features, config.upsampling)
        told = config.features + 3
        self.shape, self.colour = HashFeatures(config.shape), HashFeatures(config.colour)
        self.corrector = _head(self.shape.channels + 2 + told, config.head_width, 2)
        last = self.corrector[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)  # no correction to begin with
        nn.init.zeros_(last.bias)
        self.head = _head(self.colour.channels + 1 + told, config.head_width, 3)

    def forward(
        self,
        T_norm_camera: Float[Tensor, "batch 4 4"],
        intrinsics: Float[Tensor, "batch 4"],
        size: tuple[int, int],
    ) -> LightFieldOutput:
        """See `LightField.forward`."""
        coarse = grid_rays(T_norm_camera, intrinsics, self.coarse_size(size))
        ends = self.predict(self.encode(*coarse))
        return self.shade(ends, *grid_rays(T_norm_camera, intrinsics, size))

    @property
    def space(self) -> Space:
        """Where features are read."""
        return Space(self.aabb, self.beyond)

    def at_half_size(self) -> "SurfaceGuided | None":
        """See `LightField.at_half_size`: what the ray network says of four pixels is averaged.

        Its last layer being linear, that is the same layer with averaged weights.
        """
        if self.upsampling % 2:
            return None
        half = deepcopy(self)
        half.upsampling = self.upsampling // 2
        last = self.tail[0]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        outputs = last.out_channels // 4
        half.tail = ShuffleUpsample(
            last.in_channels, outputs // half.upsampling**2, half.upsampling
        )
        halved = half.tail[0]
        assert isinstance(halved, nn.Conv2d) and halved.bias is not None
        halved.weight.data = _averaged(last.weight.detach(), half.upsampling)
        halved.bias.data = _averaged(last.bias.detach(), half.upsampling)
        return half

    def encode(
        self,
        origins: Float[Tensor, "batch 3 height width"],
        directions: Float[Tensor, "batch 3 height width"],
    ) -> Float[Tensor, "batch inputs height width"]:
        """What the ray network sees of each coarse ray: features along it, and where it is."""
        near, far = self.space.interval(origins, directions)
        seen, encoded = (
            self.space.points(origins, directions, near, far, fractions)
            for fractions in (self.fractions, self.encoded)
        )
        frequencies = encode_frequencies(encoded.flatten(1, 2), self.octaves)
        return torch.cat([self.volume(seen), frequencies], 1)

    def predict(
        self, encoded: Float[Tensor, "batch inputs height width"]
    ) -> Float[Tensor, "batch ends tall wide"]:
        """Per pixel: logits of the guessed fraction of the way through the box and of alpha; features."""
        hidden = self.body(encoded)
        return self.tail(hidden + torch.relu(self.mix(hidden)))

    def shade(
        self,
        ends: Float[Tensor, "batch ends height width"],
        origins: Float[Tensor, "batch 3 height width"],
        directions: Float[Tensor, "batch 3 height width"],
    ) -> LightFieldOutput:
        """The picture, given what `predict` says of each pixel."""
        space = self.space
        near, far = space.interval(origins, directions)

        def point_at(fraction: Tensor) -> Tensor:
            return space.points(origins, directions, near, far, fraction)

        guess = torch.sigmoid(ends[:, :1])
        near_surface = torch.cat([self.shape(point_at(guess)), ends, directions], 1)
        step, more = self.corrector(near_surface).split(1, 1)
        fraction = (guess + self.reach * torch.tanh(step)).clamp(0, 1)
        alpha = torch.sigmoid(ends[:, 1:2] + more)
        seen = torch.cat([self.colour(point_at(fraction)), ends[:, 1:], directions], 1)
        rgb = torch.sigmoid(self.head(seen)) * alpha
        rgba, depths = (
            torch.cat([rgb, alpha], 1),
            (space.distance(near, far, f) for f in (fraction, guess)),
        )
        return LightFieldOutput(rgba, *depths)


def _averaged(weights: Tensor, side: int) -> Tensor:
    """Rows in the order of a PixelShuffle by 2 * `side`, averaged to those of one by `side`."""
    return weights.unflatten(0, (-1, side, 2, side, 2)).mean((2, 4)).flatten(0, 2)


def _head(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, width, 1),
        nn.ReLU(),
        nn.Conv2d(width, width, 1),
        nn.ReLU(),
        nn.Conv2d(width, outputs, 1),
    )
