"""The building blocks of light-field networks: residual 1x1 blocks and upsampling stages.

A 1x1 convolution over the ray grid is one layer of a per-ray MLP; only upsampling stages mix
neighbouring rays. All stages keep a coarse ray at the centre of its block of pixels.
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

Activation = Literal["relu", "gelu"]
Norm = Literal["none", "batch"]
Upsampling = Literal["transposed", "shuffle", "resize"]


def activation(kind: Activation) -> nn.Module:
    """ReLU folds into the convolution before it in every runtime; GELU is MobileR2L's."""
    return {"relu": nn.ReLU, "gelu": nn.GELU}[kind]()


class ResidualBlock(nn.Module):
    """x + conv(activation(conv(x))), 1x1 convolutions and no activation after the sum.

    Without a norm the second convolution starts at zero, so the block starts as the identity and
    any depth trains (SkipInit, De and Smith 2020). With `batch` norm it is the paper's block.
    """

    def __init__(self, channels: int, kind: Activation = "relu", norm: Norm = "none") -> None:
        super().__init__()
        first, last = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)
        if norm == "batch":
            norms = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
            self.layers = nn.Sequential(first, norms[0], activation(kind), last, norms[1])
            return
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # pyright: ignore[reportArgumentType]
        self.layers = nn.Sequential(first, activation(kind), last)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """The same shape."""
        return x + self.layers(x)


class LongSkip(nn.Sequential):
    """Residual blocks with one more skip around all of them: blocks(x) + x."""

    def forward(
        self, input: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """The same shape."""
        return super().forward(input) + input


class ShuffleUpsample(nn.Sequential):
    """Convolution to factor^2 times the channels, then PixelShuffle.

    A `kernel` of 1 keeps rays apart, 3 mixes neighbours.
    """

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

    For comparison only: ONNX Runtime Web has a long record of wrong results with ConvTranspose
    (microsoft/onnxruntime issues 17298 to 28976), so nothing that goes to a browser uses it.
    """
    kernel, padding = {2: (4, 1), 3: (3, 0)}[factor]
    return nn.ConvTranspose2d(inputs, outputs, kernel, factor, padding)


def upsample(
    kind: Upsampling, inputs: int, outputs: int, factor: int, kernel: int = 1
) -> nn.Module:
    """The upsampling stage of that kind; `kernel` is the shuffle's, the others mix anyway."""
    if kind == "transposed":
        return transposed_upsample(inputs, outputs, factor)
    if kind == "resize":
        return ResizeUpsample(inputs, outputs, factor)
    return ShuffleUpsample(inputs, outputs, factor, kernel)
