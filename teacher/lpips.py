"""LPIPS (Zhang et al. 2018) with AlexNet, without torchvision.

The linear heads ship with torchmetrics; the AlexNet weights (torchvision's `alexnet-owt-7be5be79.pth`, 244 MB) do not
ship with anything here and are never downloaded: put the file's path into $POCKETFIELD_LPIPS_WEIGHTS.
"""

import os
from functools import cache
from pathlib import Path

import torch
import torchmetrics
from jaxtyping import Float
from torch import Tensor, nn

from teacher.errors import UserError

WEIGHTS_VARIABLE = "POCKETFIELD_LPIPS_WEIGHTS"
# (torchvision's layer index, in channels, out channels, kernel, stride, padding, max-pool in front)
_LAYERS = (
    (0, 3, 64, 11, 4, 2, False),
    (3, 64, 192, 5, 1, 2, True),
    (6, 192, 384, 3, 1, 1, True),
    (8, 384, 256, 3, 1, 1, False),
    (10, 256, 256, 3, 1, 1, False),
)
# ImageNet's mean and deviation, for inputs in [-1, 1] (LPIPS's scaling layer)
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class Lpips(nn.Module):
    """The learned perceptual distance between images in [0, 1]; 0 for equal images, larger is worse."""

    def __init__(self, alexnet: dict[str, Tensor], heads: dict[str, Tensor]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        for index, inputs, outputs, kernel, stride, padding, _ in _LAYERS:
            layer = nn.Conv2d(inputs, outputs, kernel, stride, padding)
            layer.weight.data = alexnet[f"features.{index}.weight"]
            layer.bias.data = alexnet[f"features.{index}.bias"]  # pyright: ignore[reportOptionalMemberAccess]
            self.convolutions.append(layer)
        self.heads = [heads[f"lin{k}.model.1.weight"] for k in range(len(_LAYERS))]

    def _features(self, image: Float[Tensor, "height width 3"]) -> list[Tensor]:
        x = (2 * image.clamp(0, 1) - 1 - torch.tensor(_SHIFT)) / torch.tensor(_SCALE)
        x = x.permute(2, 0, 1)[None]
        features = []
        for convolution, (*_, pool) in zip(self.convolutions, _LAYERS, strict=True):
            x = nn.functional.max_pool2d(x, 3, 2) if pool else x
            x = torch.relu(convolution(x))
            features.append(nn.functional.normalize(x, dim=1, eps=1e-10))
        return features

    @torch.no_grad()
    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        """Distance between two [height width 3] images (at least 32 pixels a side)."""
        pairs = zip(self._features(image), self._features(reference), self.heads, strict=True)
        terms = [nn.functional.conv2d((a - b).square(), head).mean() for a, b, head in pairs]
        return torch.stack(terms).sum()


@cache
def load_lpips() -> Lpips | None:
    """LPIPS if its weights are on disk, else None; raises UserError if the named file is not AlexNet."""
    path = os.environ.get(WEIGHTS_VARIABLE)
    if path is None:
        return None
    try:
        alexnet = torch.load(path, map_location="cpu", weights_only=True)
        heads = torch.load(_heads_file(), map_location="cpu", weights_only=True)
        return Lpips(alexnet, heads)
    except (OSError, KeyError, RuntimeError) as error:
        raise UserError(
            f"LPIPS weights (${WEIGHTS_VARIABLE})",
            f"{path}: {error}",
            "torchvision's alexnet-owt-7be5be79.pth",
            "download that file and name its path, or unset the variable",
        ) from error


def _heads_file() -> Path:
    return Path(torchmetrics.__file__).parent / "functional/image/lpips_models/alex.pth"
