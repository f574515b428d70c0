"""Metrics against closed forms and independent implementations."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from teacher import lpips, metrics
from teacher.errors import UserError

GENERATOR = torch.Generator().manual_seed(0)
IMAGE = torch.rand(40, 48, 3, generator=GENERATOR)
NOISE = 0.1 * torch.randn(40, 48, 3, generator=GENERATOR)


def test_psnr_of_a_constant_error_is_its_closed_form() -> None:
    """An error of e everywhere gives -20 log10 e."""
    flat = torch.full((4, 5, 3), 0.5)
    assert metrics.psnr(flat + 0.1, flat) == pytest.approx(20.0, abs=1e-4)


def test_psnr_clamps_both_images() -> None:
    """Values outside [0, 1] cannot be displayed, so they do not count."""
    white = torch.ones(2, 2, 3)
    assert metrics.psnr(3 * white, white) == metrics.psnr(white, 2 * white) == 100.0


@pytest.mark.parametrize("height, width", [(11, 11), (40, 48), (23, 91)])
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.3])
def test_ssim_equals_scikit_image(height: int, width: int, noise: float) -> None:
    """Ours and skimage's Gaussian SSIM agree (window, sigma, constants); skimage is shown the mirrored border."""
    image = torch.rand(height, width, 3, generator=GENERATOR)
    noisy = (image + noise * torch.randn(image.shape, generator=GENERATOR)).clamp(0, 1)
    theirs = structural_similarity(
        *(np.pad(x.double().numpy(), ((5, 5), (5, 5), (0, 0)), "reflect") for x in (image, noisy)),
        channel_axis=2,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert metrics.ssim(noisy, image) == pytest.approx(theirs, abs=2e-5)


def test_ssim_of_unrelated_noise_is_about_zero() -> None:
    """Swapped axes (MobileR2L's bug) would score 0.5 here."""
    other = torch.rand(40, 48, 3, generator=GENERATOR)
    assert abs(metrics.ssim(other, IMAGE)) < 0.1


def test_ms_ssim_of_flat_pictures_is_its_closed_form() -> None:
    """Contrast and structure are equal; luminance, of the coarsest scale alone, has the weight 0.1333."""
    a, b = torch.full((180, 200, 3), 0.5), torch.full((180, 200, 3), 0.8)
    constant = 0.01**2
    luminance = (2 * 0.5 * 0.8 + constant) / (0.5**2 + 0.8**2 + constant)
    assert metrics.ms_ssim(a, b) == pytest.approx(luminance**0.1333, abs=1e-5)
    assert metrics.ms_ssim(a, a) == pytest.approx(1)


def test_ms_ssim_is_the_product_of_its_scales() -> None:
    """Of skimage's maps, by the paper's definition: averages of 2 x 2 pixels between scales, five weights."""
    image = torch.rand(190, 176, 3, generator=GENERATOR)
    image = torch.nn.functional.avg_pool2d(image.permute(2, 0, 1), 5, 1, 2).permute(1, 2, 0)
    noisy = (image + 0.05 * torch.randn(image.shape, generator=GENERATOR)).clamp(0, 1)
    assert metrics.ms_ssim(noisy, image) == pytest.approx(_ms_ssim(noisy, image), abs=2e-4)


def _ms_ssim(image: torch.Tensor, reference: torch.Tensor) -> float:
    value, weights = 1.0, (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    pair = [x.double().permute(2, 0, 1) for x in (image, reference)]
    for scale, weight in enumerate(weights):
        ssim, contrast = _ssim_and_contrast(*(x.numpy() for x in pair))
        value *= (ssim if scale == 4 else contrast) ** weight
        pair = [torch.nn.functional.avg_pool2d(x, 2) for x in pair]
    return value


def _ssim_and_contrast(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Means over [3, height, width] of SSIM, mirrored at the border, and of its part without luminance, inside."""
    blur = partial(gaussian_filter, sigma=(0, 1.5, 1.5), radius=(0, 5, 5), mode="mirror")
    mean_a, mean_b = blur(a), blur(b)
    spread = blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2
    contrast = (2 * (blur(a * b) - mean_a * mean_b) + 0.03**2) / (spread + 0.03**2)
    luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
    inside = np.s_[:, 5:-5, 5:-5]
    return float((luminance * contrast).mean()), float(contrast[inside].mean())


@pytest.mark.parametrize("height, width", [(175, 300), (300, 175), (40, 48)])
def test_ms_ssim_of_small_pictures_says_why_there_is_none(height: int, width: int) -> None:
    image = torch.rand(height, width, 3, generator=GENERATOR)
    reason = f"n/a (sides of at least 176 pixels, not {width}x{height})"
    assert metrics.ms_ssim(image, image) == reason


def test_the_smallest_picture_has_an_ms_ssim() -> None:
    image = torch.rand(176, 176, 3, generator=GENERATOR)
    assert isinstance(metrics.ms_ssim(image, image), float)


def test_the_mean_of_the_flip_map_is_flip() -> None:
    errors = metrics.flip_map(IMAGE + NOISE, IMAGE)
    assert errors.shape == IMAGE.shape[:2] and 0 <= errors.min() and errors.max() <= 1
    assert float(errors.mean()) == pytest.approx(metrics.flip(IMAGE + NOISE, IMAGE), abs=1e-6)


def test_flip_of_black_and_white_is_near_its_end() -> None:
    """More than of any greys between, and the same both ways."""
    black, grey, white = (torch.full((32, 32, 3), value) for value in (0.0, 0.5, 1.0))
    most = metrics.flip(black, white)
    assert 0.95 < most <= 1
    assert metrics.flip(black, grey) < most and metrics.flip(grey, white) < most
    assert metrics.flip(white, black) == pytest.approx(most, abs=1e-6)


def test_pixels_that_do_not_count_change_nothing() -> None:
    """PSNR is of the others alone, and no metric looks at what lies there."""
    kept = torch.ones(40, 48, dtype=torch.bool)
    kept[:, :20] = False
    noisy = IMAGE + NOISE
    ruined = torch.where(kept[..., None], noisy, torch.ones(()))
    found = metrics.measure(noisy, IMAGE, kept)
    assert found == metrics.measure(ruined, IMAGE, kept)
    assert found["psnr"] == metrics.psnr(noisy[:, 20:], IMAGE[:, 20:])
    assert float(found["ssim"]) > metrics.ssim(noisy, IMAGE)


def test_a_mask_that_keeps_all_is_none() -> None:
    everything = torch.ones(40, 48, dtype=torch.bool)
    noisy = IMAGE + NOISE
    assert metrics.measure(noisy, IMAGE, everything) == metrics.measure(noisy, IMAGE)


def test_flip_is_zero_for_equal_images_and_grows_with_noise() -> None:
    small, large = (metrics.flip(IMAGE + k * NOISE, IMAGE) for k in (0.5, 2.0))
    assert metrics.flip(IMAGE, IMAGE) == pytest.approx(0, abs=1e-6)
    assert 0 < small < large < 1


def test_lpips_is_not_available_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(lpips.WEIGHTS_VARIABLE, raising=False)
    lpips.load_lpips.cache_clear()
    assert metrics.lpips(IMAGE, IMAGE) == "n/a (no weights: $POCKETFIELD_LPIPS_WEIGHTS)"


def test_lpips_names_a_file_that_is_not_alexnet(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"something": torch.zeros(1)}, tmp_path / "wrong.pth")
    monkeypatch.setenv(lpips.WEIGHTS_VARIABLE, str(tmp_path / "wrong.pth"))
    lpips.load_lpips.cache_clear()
    with pytest.raises(UserError, match=r"alexnet-owt"):
        metrics.lpips(IMAGE, IMAGE)


def test_lpips_is_a_distance(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zero for equal images, positive and symmetric otherwise, whatever the weights."""
    weights = {}
    for index, inputs, outputs, kernel, *_ in lpips._LAYERS:
        scale = 1 / math.sqrt(inputs * kernel * kernel)
        weight = torch.randn(outputs, inputs, kernel, kernel, generator=GENERATOR)
        weights[f"features.{index}.weight"] = scale * weight
        weights[f"features.{index}.bias"] = torch.zeros(outputs)
    torch.save(weights, tmp_path / "alexnet.pth")
    monkeypatch.setenv(lpips.WEIGHTS_VARIABLE, str(tmp_path / "alexnet.pth"))
    lpips.load_lpips.cache_clear()
    a, b = torch.rand(2, 64, 64, 3, generator=GENERATOR)
    assert metrics.lpips(a, a) == 0
    assert metrics.lpips(a, b) == pytest.approx(metrics.lpips(b, a))
    assert float(metrics.lpips(a, b)) > 0
    lpips.load_lpips.cache_clear()


def test_average_is_the_mean_over_images_and_keeps_text() -> None:
    rows = [{"psnr": 20.0, "lpips": "n/a"}, {"psnr": 30.0, "lpips": "n/a"}]
    assert metrics.average(rows) == {"psnr": 25.0, "lpips": "n/a"}
