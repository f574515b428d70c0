"""Image quality, defined once for the whole project.

PSNR is -10 log10(MSE) of one pair of images clamped to [0, 1]; a set's PSNR is the *mean over images* of that.
SSIM is Wang et al. 2004 with an 11-pixel Gaussian window (sigma 1.5) on [height, width, channel] images, so its axes
are right (MobileR2L's published .993 comes from swapped ones). Windows at the border see the picture mirrored there, as
in torchmetrics; scikit-image leaves them out, which gives less where the border is empty (.961 for .967, the teacher of
the built-in scene at 128 pixels). MS-SSIM is Wang et al. 2003, at five scales: sides of at least 176 pixels. FLIP is
NVIDIA's LDR-FLIP (Andersson et al. 2020), 0 for equal images. LPIPS needs downloaded weights, which
nothing here fetches (see `teacher.lpips`). A metric that cannot be had says why instead: "n/a (...)".

`measure` is the one function that scores a picture: the stages' own eval, the comparison and all that is made of it.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from teacher.flip import flip_error

Image = Float[Tensor, "height width 3"]
MS_SSIM_SIDE = 176
"""Pixels that a side must have: the window's 11 at a sixteenth of the size."""


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


def ms_ssim(image: Image, reference: Image) -> float | str:
    """Multi-scale structural similarity in [0, 1], or why there is none: five scales want sides of 176 pixels."""
    if min(image.shape[:2]) < MS_SSIM_SIDE:
        height, width = image.shape[:2]
        return f"n/a (sides of at least {MS_SSIM_SIDE} pixels, not {width}x{height})"
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    # in float64: variances of flat pictures are differences that float32 has no digits left for
    pair = [x.clamp(0, 1).double().permute(2, 0, 1)[None] for x in (image, reference)]
    return float(multiscale_structural_similarity_index_measure(pair[0], pair[1], data_range=1.0))


def flip(image: Image, reference: Image) -> float:
    """Mean LDR-FLIP error in [0, 1] at the tool's default viewing distance; 0 for equal images."""
    return flip_error(*(_pixels(x) for x in (image, reference)))[1]


def flip_map(image: Image, reference: Image) -> Float[Tensor, "height width"]:
    """LDR-FLIP error of every pixel, in [0, 1]; its mean is `flip`."""
    return torch.from_numpy(flip_error(*(_pixels(x) for x in (image, reference)))[0])


def _pixels(image: Image) -> np.ndarray:
    return np.ascontiguousarray(image.clamp(0, 1).numpy())


def lpips(image: Image, reference: Image) -> float | str:
    """Learned perceptual distance (AlexNet), or why there is none: its weights are not on disk."""
    from teacher.lpips import WEIGHTS_VARIABLE, load_lpips

    model = load_lpips()
    return (
        f"n/a (no weights: ${WEIGHTS_VARIABLE})"
        if model is None
        else float(model(image, reference))
    )


METRICS: dict[str, Callable[[Image, Image], float | str]] = {
    "psnr": psnr,
    "ssim": ssim,
    "ms_ssim": ms_ssim,
    "flip": flip,
    "lpips": lpips,
}


def measure(
    image: Image, reference: Image, kept: Bool[Tensor, "height width"] | None = None
) -> dict[str, float | str]:
    """All metrics of one pair of images, clamped to [0, 1].

    Pixels that are not `kept` (masked out, or outside of the photograph) are left out of PSNR, and as the reference has
    them for SSIM, FLIP and the like. White instead would be an edge that both have: SSIM of a photograph that lost 3 %
    at its border rises from .894 to .906 for it.
    """
    image, reference = image.clamp(0, 1), reference.clamp(0, 1)
    if kept is None or bool(kept.all()):
        return {name: metric(image, reference) for name, metric in METRICS.items()}
    filled = torch.where(kept[..., None], image, reference)
    found = {name: metric(filled, reference) for name, metric in METRICS.items()}
    return {**found, "psnr": psnr(image[kept], reference[kept])}


def average(rows: list[dict[str, float | str]]) -> dict[str, float | str]:
    """Mean over images of each metric; text ("n/a (...)") stays as it is."""
    mean: dict[str, float | str] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        numbers = [value for value in values if isinstance(value, float)]
        mean[name] = sum(numbers) / len(numbers) if numbers else values[0]
    return mean
