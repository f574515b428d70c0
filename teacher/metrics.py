"""Image quality, defined once for the whole project.

PSNR is -10 log10(MSE) of one pair of images clamped to [0, 1]; a set's PSNR is the *mean over images* of that.
SSIM is Wang et al. 2004 with an 11-pixel Gaussian window (sigma 1.5) on [height, width, channel] images, so its axes
are right (MobileR2L's published .993 comes from swapped ones). FLIP is NVIDIA's LDR-FLIP (Andersson et al. 2020), 0 for
equal images. LPIPS needs downloaded weights, which nothing here fetches: it is reported as "n/a" (see `teacher.lpips`).
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Image = Float[Tensor, "height width 3"]


def mse_to_psnr(mse: float | Float[Tensor, ""]) -> float:
    """PSNR in dB of a mean squared error of values in [0, 1]; 100 dB stands for equality.

    >>> round(mse_to_psnr(0.01), 6)
    20.0
    """
    return float(-10 * torch.log10(torch.as_tensor(mse, dtype=torch.float64).clamp_min(1e-10)))


def psnr(image: Float[Tensor, "*shape"], reference: Float[Tensor, "*shape"]) -> float:
    """PSNR in dB between two images, both clamped to [0, 1]."""
    return mse_to_psnr((image.clamp(0, 1) - reference.clamp(0, 1)).double().square().mean())


def ssim(image: Image, reference: Image) -> float:
    """Structural similarity in [-1, 1]; images of at least 11 pixels a side."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    pair = [x.clamp(0, 1).permute(2, 0, 1)[None] for x in (image, reference)]
    value = structural_similarity_index_measure(pair[0], pair[1], data_range=1.0)
    assert isinstance(value, Tensor)
    return float(value)


def flip(image: Image, reference: Image) -> float:
    """Mean LDR-FLIP error in [0, 1] at the tool's default viewing distance; 0 for equal images."""
    import flip_evaluator

    pair = [np.ascontiguousarray(x.clamp(0, 1).numpy()) for x in (reference, image)]
    _, mean, _ = flip_evaluator.evaluate(pair[0], pair[1], "LDR")
    return float(mean)


def lpips(image: Image, reference: Image) -> float | str:
    """Learned perceptual distance (AlexNet), or "n/a" where its weights are not on disk."""
    from teacher.lpips import load_lpips

    model = load_lpips()
    return "n/a" if model is None else float(model(image, reference))


METRICS: dict[str, Callable[[Image, Image], float | str]] = {
    "psnr": psnr,
    "ssim": ssim,
    "flip": flip,
    "lpips": lpips,
}


def measure(image: Image, reference: Image) -> dict[str, float | str]:
    """All metrics of one pair of images in [0, 1]."""
    return {name: metric(image, reference) for name, metric in METRICS.items()}


def average(rows: list[dict[str, float | str]]) -> dict[str, float | str]:
    """Mean over images of each metric; text (such as "n/a") stays as it is."""
    mean: dict[str, float | str] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        numbers = [value for value in values if isinstance(value, float)]
        mean[name] = sum(numbers) / len(numbers) if numbers else values[0]
    return mean
