"""MobileR2L, layer by layer, and our form of it.

    coarse rays -> 8 points each -> sines and cosines (312 channels) -> 1x1 residual body, long skip
        -> upsampling stages, each with 1x1 residual blocks -> 1x1 convolution -> sigmoid

After Cao et al., "Real-Time Neural Light Field on Mobile Devices" (CVPR 2023), and its published
code. Two presets share this file (`student.presets`):

* `mobile_r2l_paper`: depth planes along rays scaled to z = -1, jittered in training; GELU,
  BatchNorm, transposed convolutions; 4 305 539 parameters with three outputs. For comparison only:
  transposed convolutions have a long record of wrong results in ONNX Runtime Web, and GELU and
  BatchNorm cost memory traffic in training.
* `mobile_r2l`, for export: PixelShuffle instead of transposed convolutions (the first stage 3x3, so
  that neighbouring rays still mix), ReLU, which folds into the convolution before it, no BatchNorm
  (residual blocks start as the identity instead, so training equals evaluation), and points only
  where the ray is inside the scene's box.

The paper has three outputs and a white background; both our presets have five, RGB, alpha and
depth, by a last convolution of 16 -> 5 instead of 16 -> 3 (34 parameters more). RGB is multiplied
by alpha; depth is the fraction of the ray's way through the box.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from student.models.base import LightField, LightFieldOutput, camera_rays, grid_rays
from student.models.blocks import (
    Activation,
    LongSkip,
    Norm,
    ResidualBlock,
    Upsampling,
    activation,
    upsample,
)
from student.models.encoding import clip_to_box, encode_frequencies, points_between, to_unit_box

RGB_ALPHA_DEPTH = 5


@dataclass(frozen=True)
class MobileR2LConfig:
    """Sizes and variants of MobileR2L; the defaults are ours, made for export."""

    points: int = 8
    """Points along each ray."""
    octaves: int = 6
    """Frequencies of the points' encoding: 2^0 ... 2^(octaves - 1)."""
    sampling: Literal["box", "planes"] = "box"
    """Points from entering to leaving the scene's box, or on planes parallel to the image (the
    paper).
    """
    width: int = 256
    """Channels of the body."""
    blocks: int = 29
    """Residual blocks of the body; the paper's D60 is 29."""
    activation: Activation = "relu"
    """Nonlinearity everywhere."""
    norm: Norm = "none"
    """Normalisation inside residual blocks."""
    stages: Upsampling = "shuffle"
    """How the picture grows."""
    factors: tuple[int, ...] = (2, 2, 2)
    """Enlargement of each stage; (2, 2, 3) is the paper's for forward-facing scenes."""
    channels: tuple[int, ...] = (64, 64, 16)
    """Channels behind each stage."""
    stage_blocks: int = 2
    """Residual blocks behind each stage."""

    @property
    def upsampling(self) -> int:
        """Output pixels per ray, along each side."""
        return math.prod(self.factors)

    def build(self, aabb: Float[Tensor, "2 3"]) -> "MobileR2L":
        """The network, freshly initialised, for a scene within `aabb`."""
        return MobileR2L(self, aabb)


class MobileR2L(LightField):
    """The network of `MobileR2LConfig`; see the module's docstring."""

    def __init__(self, config: MobileR2LConfig, aabb: Float[Tensor, "2 3"]) -> None:
        super().__init__(config.upsampling, aabb)
        self.octaves = config.octaves
        self.sampler = {"box": BoxPoints, "planes": PlanePoints}[config.sampling](config.points)
        encoded = 3 * config.points * (2 * config.octaves + 1)
        self.head = nn.Sequential(
            nn.Conv2d(encoded, config.width, 1), activation(config.activation)
        )
        blocks = (config.activation, config.norm)
        self.body = LongSkip(*(ResidualBlock(config.width, *blocks) for _ in range(config.blocks)))
        stages = tuple(zip(config.channels, config.factors, strict=True))
        self.upsample = nn.Sequential(
            *upsampling_stages(config.width, stages, config.stage_blocks, config.stages, *blocks)
        )
        self.out = nn.Conv2d(config.channels[-1], RGB_ALPHA_DEPTH, 1)

    def forward(
        self,
        T_norm_camera: Float[Tensor, "batch 4 4"],
        intrinsics: Float[Tensor, "batch 4"],
        size: tuple[int, int],
    ) -> LightFieldOutput:
        """See `LightField.forward`."""
        points = self.sampler(T_norm_camera, intrinsics, self.coarse_size(size), self.aabb)
        hidden = self.body(self.head(encode_frequencies(points.flatten(1, 2), self.octaves)))
        near, far = clip_to_box(*grid_rays(T_norm_camera, intrinsics, size), self.aabb)
        return as_picture(self.out(self.upsample(hidden)), near, far)


def as_picture(
    logits: Float[Tensor, "batch 5 height width"],
    near: Float[Tensor, "batch 1 height width"],
    far: Float[Tensor, "batch 1 height width"],
) -> LightFieldOutput:
    """A picture of logits of RGB, alpha and the fraction of the way from `near` to `far`."""
    rgb, alpha, fraction = torch.sigmoid(logits).split([3, 1, 1], 1)
    return LightFieldOutput(torch.cat([rgb * alpha, alpha], 1), near + (far - near) * fraction)


class RayPoints(nn.Module):
    """Points at `count` equal fractions of some interval of each ray: what both samplings share."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.fractions: Float[Tensor, " points"]
        self.register_buffer("fractions", torch.linspace(0, 1, count), persistent=False)


class BoxPoints(RayPoints):
    """`count` points from where a ray enters the box to where it leaves it, in box coordinates [-1,
    1].
    """

    def forward(
        self,
        T_norm_camera: Float[Tensor, "batch 4 4"],
        intrinsics: Float[Tensor, "batch 4"],
        size: tuple[int, int],
        aabb: Float[Tensor, "2 3"],
    ) -> Float[Tensor, "batch points 3 height width"]:
        """The points of a grid of `size` rays."""
        origins, directions = grid_rays(T_norm_camera, intrinsics, size)
        near, far = clip_to_box(origins, directions, aabb)
        return to_unit_box(points_between(origins, directions, near, far, self.fractions), aabb)


class PlanePoints(RayPoints):
    """`count` points on planes parallel to the image, in norm units: the paper's sampling.

    The paper sets the first and last plane by hand (2 and 6 for cameras 4 away from the origin).
    Here they are the camera's distance from the box's centre less and plus half the box's diagonal,
    which is that for any scene.
    """

    def forward(
        self,
        T_norm_camera: Float[Tensor, "batch 4 4"],
        intrinsics: Float[Tensor, "batch 4"],
        size: tuple[int, int],
        aabb: Float[Tensor, "2 3"],
    ) -> Float[Tensor, "batch points 3 height width"]:
        """The points of a grid of `size` rays; jittered within their strata in training."""
        R, t = T_norm_camera[:, :3, :3], T_norm_camera[:, :3, 3]
        directions = (R @ camera_rays(intrinsics, size).flatten(2)).unflatten(2, size)
        origins = t[:, :, None, None].expand_as(directions)
        distance = (t - 0.5 * (aabb[0] + aabb[1])).square().sum(1).sqrt()[:, None, None, None]
        radius = 0.5 * (aabb[1] - aabb[0]).square().sum().sqrt()
        ones = torch.ones_like(directions[:, :1])
        near, far = torch.relu(distance - radius) * ones, (distance + radius) * ones
        fractions = self._jittered(ones) if self.training else self.fractions
        return points_between(origins, directions, near, far, fractions)

    def _jittered(
        self, like: Float[Tensor, "batch 1 height width"]
    ) -> Float[Tensor, "batch points height width"]:
        """One uniform draw per ray and stratum; strata end half-way between points (NeRF, equation
        2).
        """
        middle = 0.5 * (self.fractions[1:] + self.fractions[:-1])
        low = torch.cat([self.fractions[:1], middle])[None, :, None, None]
        high = torch.cat([middle, self.fractions[-1:]])[None, :, None, None]
        shape = (like.shape[0], len(self.fractions), *like.shape[2:])
        return low + (high - low) * torch.rand(shape, device=like.device)


def upsampling_stages(
    inputs: int,
    stages: Sequence[tuple[int, int]],
    blocks: int,
    upsampling: Upsampling = "shuffle",
    kind: Activation = "relu",
    norm: Norm = "none",
) -> list[nn.Module]:
    """Upsampling stages with `blocks` residual blocks behind each.

    Args:
        inputs: channels that come in.
        stages: (channels behind it, factor) of each stage.
        blocks: residual blocks behind each stage.
        upsampling: how the picture grows.
        kind: nonlinearity of the blocks.
        norm: normalisation within them.
    """
    layers: list[nn.Module] = []
    for number, (channels, factor) in enumerate(stages):
        # only the first stage mixes neighbours when shuffling: it is where that is cheapest
        layers.append(upsample(upsampling, inputs, channels, factor, 1 if number else 3))
        layers += [ResidualBlock(channels, kind, norm) for _ in range(blocks)]
        inputs = channels
    return layers
