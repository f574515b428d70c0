"""The building blocks of light-field networks: residual 1x1 blocks and upsampling stages.

A 1x1 convolution over the ray grid is one layer of a per-ray MLP; only upsampling stages mix neighbouring rays. All
stages keep a coarse ray at the centre of its block of pixels.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Activation = Literal["relu", "gelu"]
Norm = Literal["none", "batch"]
Upsampling = Literal["transposed", "shuffle", "resize"]


def activation(kind: Activation) -> nn.Module:
    """ReLU folds into the convolution before it in every runtime; GELU is what MobileR2L was trained with."""
    return {"relu": nn.ReLU, "gelu": nn.GELU}[kind]()


class ResidualBlock(nn.Module):
    """x + conv(activation(conv(x))) with 1x1 convolutions; no activation after the sum (MobileR2L, figure 2).

    Without a norm the second convolution starts at zero, so the block starts as the identity and any depth trains
    (SkipInit, De and Smith 2020). With `batch` norm it is the paper's block.
    """

    def __init__(self, channels: int, kind: Activation = "relu", norm: Norm = "none") -> None:
        super().__init__()
        first, last = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)
        if norm == "batch":
            layers = [first, nn.BatchNorm2d(channels), activation(kind), last, nn.BatchNorm2d(channels)]
        else:
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # pyright: ignore[reportArgumentType]
            layers = [first, activation(kind), last]
        self.layers = nn.Sequential(*layers)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """The same shape."""
        return x + self.layers(x)


class LongSkip(nn.Sequential):
    """Residual blocks with one more skip around all of them: blocks(x) + x."""

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """The same shape."""
        return super().forward(x) + x


class ShuffleUpsample(nn.Sequential):
    """Convolution to factor^2 times the channels, then PixelShuffle; `kernel` 1 keeps rays apart, 3 mixes neighbours."""

    def __init__(self, inputs: int, outputs: int, factor: int, kernel: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs * factor**2, kernel, padding=kernel // 2),
            nn.PixelShuffle(factor),
        )


class ResizeUpsample(nn.Sequential):
    """1x1 convolution on the coarse grid, then bilinear enlargement with pixel centres aligned."""

    def __init__(self, inputs: int, outputs: int, factor: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 1),
            nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False),
        )


def transposed_upsample(inputs: int, outputs: int, factor: int) -> nn.ConvTranspose2d:
    """The paper's stage: transposed convolution k4 s2 p1 for a factor of 2, k3 s3 p0 for 3.

    For training only: ONNX Runtime Web has a long record of wrong results with ConvTranspose (notes on issues #17298 to
    #28976), so nothing that goes to a browser uses it.
    """
    kernel, padding = {2: (4, 1), 3: (3, 0)}[factor]
    return nn.ConvTranspose2d(inputs, outputs, kernel, factor, padding)


def upsample(
    kind: Upsampling, inputs: int, outputs: int, factor: int, kernel: int = 1
) -> nn.Module:
    """The upsampling stage of that kind; `kernel` is the shuffle's (the others mix neighbours anyway)."""
    if kind == "transposed":
        return transposed_upsample(inputs, outputs, factor)
    if kind == "resize":
        return ResizeUpsample(inputs, outputs, factor)
    return ShuffleUpsample(inputs, outputs, factor, kernel)
