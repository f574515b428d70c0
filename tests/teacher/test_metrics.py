"""Metrics against closed forms and independent implementations."""

import math

import pytest
import torch
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


def test_ssim_equals_scikit_image() -> None:
    """Ours and skimage's Gaussian SSIM agree (same window, sigma and constants)."""
    noisy = (IMAGE + NOISE).clamp(0, 1)
    theirs = structural_similarity(
        IMAGE.numpy(),
        noisy.numpy(),
        channel_axis=2,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert metrics.ssim(noisy, IMAGE) == pytest.approx(theirs, abs=2e-3)


def test_ssim_of_unrelated_noise_is_about_zero() -> None:
    """Swapped axes (MobileR2L's bug) would score 0.5 here."""
    other = torch.rand(40, 48, 3, generator=GENERATOR)
    assert abs(metrics.ssim(other, IMAGE)) < 0.1


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
