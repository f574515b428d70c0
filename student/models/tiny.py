"""`tiny`: the surface-guided student, made for CPUs and for phones.

    where the ray ends (smooth, easy), once per coarse ray:
        points along the ray -> feature volume; three of them -> frequencies
        -> 1x1 residual body -> 3x3 conv -> PixelShuffle -> depth, alpha, a few features per pixel
    what is there (detail, kept in planes), once per pixel:
        point = origin + depth * direction -> feature planes
        point's features, ray's features, direction -> small 1x1 head -> RGB

A network over rays spends its capacity on where each ray ends. Here the ray network only predicts
that, guided by the teacher's depth, and the colour is looked up at the predicted surface. The
volume lets it see along the ray what is there; what was measured is in docs/decisions.md.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from student.models.base import LightField, LightFieldOutput, grid_rays
from student.models.blocks import LongSkip, ResidualBlock, ShuffleUpsample
from student.models.encoding import clip_to_box, encode_frequencies, points_between, to_unit_box
from student.models.grids import PLANES, VOLUME, FeatureGrids


@dataclass(frozen=True)
class TinyConfig:
    """Sizes of the surface-guided student."""

    upsampling: int = 4
    """Output pixels per coarse ray, along each side."""
    points: int = 32
    """Points along each coarse ray at which the ray network reads the feature volume."""
    volume: tuple[int, ...] = (48,)
    """Resolutions of the feature volume."""
    volume_features: int = 2
    """Channels of each of them."""
    encoded_points: int = 3
    """Points along each coarse ray whose position the ray network is told."""
    octaves: int = 6
    """Frequencies of their encoding: 2^0 ... 2^(octaves - 1)."""
    width: int = 64
    """Channels of the ray network."""
    blocks: int = 5
    """Residual blocks of the ray network, two 1x1 convolutions each."""
    surface_planes: tuple[int, ...] = (64, 128, 256)
    """Resolutions of the feature planes that are read at the surface."""
    surface_features: int = 4
    """Channels of each of them."""
    features: int = 4
    """What the ray network tells the colour head about each pixel, beside depth and alpha."""
    head_width: int = 16
    """Channels of the colour head."""

    def build(self, aabb: Float[Tensor, "2 3"]) -> "Tiny":
        """The network, freshly initialised, for a scene within `aabb`."""
        return Tiny(self, aabb)


class Tiny(LightField):
    """The network of `TinyConfig`; see the module's docstring."""

    def __init__(self, config: TinyConfig, aabb: Float[Tensor, "2 3"]) -> None:
        super().__init__(config.upsampling, aabb)
        self.octaves, self.features = config.octaves, config.features
        self.fractions: Float[Tensor, " points"]
        self.encoded: Float[Tensor, " encoded"]
        for name, count in (("fractions", config.points), ("encoded", config.encoded_points)):
            self.register_buffer(name, torch.linspace(0, 1, count), persistent=False)
        self.volume = FeatureGrids(VOLUME, config.volume, config.volume_features)
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
        self.surface_planes = FeatureGrids(PLANES, config.surface_planes, config.surface_features)
        seen = self.surface_planes.channels + 1 + config.features + 3
        self.head = nn.Sequential(
            nn.Conv2d(seen, config.head_width, 1),
            nn.ReLU(),
            nn.Conv2d(config.head_width, config.head_width, 1),
            nn.ReLU(),
            nn.Conv2d(config.head_width, 3, 1),
        )

    def forward(
        self,
        T_norm_camera: Float[Tensor, "batch 4 4"],
        intrinsics: Float[Tensor, "batch 4"],
        size: tuple[int, int],
    ) -> LightFieldOutput:
        """See `LightField.forward`."""
        coarse = grid_rays(T_norm_camera, intrinsics, self.coarse_size(size))
        hidden = self.body(self.encode(*coarse))
        ends = self.tail(hidden + torch.relu(self.mix(hidden)))
        origins, directions = grid_rays(T_norm_camera, intrinsics, size)
        near, far = clip_to_box(origins, directions, self.aabb)
        fraction = torch.sigmoid(ends[:, :1])
        surface = to_unit_box(points_between(origins, directions, near, far, fraction), self.aabb)
        seen = torch.cat([self.surface_planes(surface), ends[:, 1:], directions], 1)
        alpha = torch.sigmoid(ends[:, 1:2])
        rgb = torch.sigmoid(self.head(seen)) * alpha
        return LightFieldOutput(torch.cat([rgb, alpha], 1), near + (far - near) * fraction)

    def encode(
        self,
        origins: Float[Tensor, "batch 3 height width"],
        directions: Float[Tensor, "batch 3 height width"],
    ) -> Float[Tensor, "batch inputs height width"]:
        """What the ray network sees of each coarse ray: features along it, and where it is."""
        near, far = clip_to_box(origins, directions, self.aabb)
        seen, encoded = (
            to_unit_box(points_between(origins, directions, near, far, fractions), self.aabb)
            for fractions in (self.fractions, self.encoded)
        )
        frequencies = encode_frequencies(encoded.flatten(1, 2), self.octaves)
        return torch.cat([self.volume(seen), frequencies], 1)
