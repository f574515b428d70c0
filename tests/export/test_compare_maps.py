"""Maps against closed forms, and that their colours can be read back."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from export.compare import maps
from export.compare.colours import coloured, table
from teacher.metrics import flip

GREY = np.full((16, 20, 4), (100, 100, 100, 255), np.uint8)


def _shifted(by: int) -> np.ndarray:
    other = GREY.copy()
    other[:8, :, :3] += np.uint8(by)
    return other


def test_equal_pictures_show_no_error() -> None:
    assert (maps.error_map(GREY, GREY) == table("error")[0]).all()
    assert (maps.flip_map(GREY, GREY) == table("error")[0]).all()
    neutral = maps.error_map(GREY, GREY, signed=True)
    assert np.ptp(neutral.astype(int), axis=-1).max() <= 6, "nearly white"


def test_an_error_has_the_colour_of_its_size() -> None:
    """51 / 255 = 0.2 of brightness: at a gain of 4 the colour at 0.8 of the bar."""
    seen = maps.error_map(_shifted(51), GREY, gain=4.0)
    expected = coloured(np.array(0.8), "error")
    assert (seen[:8] == expected).all() and (seen[8:] == table("error")[0]).all()
    bar = maps.colour_bar("error", gain=4.0)
    assert (bar.low, bar.high) == (0.0, 0.25) and bar.labels[-1] == (1.0, "≥ 0.25")
    assert (bar.pixels[0, round(0.8 * 255)] == expected).all()


def test_signs_are_told_apart() -> None:
    brighter = maps.error_map(_shifted(40), GREY, signed=True)[0, 0].astype(int)
    darker = maps.error_map(GREY, _shifted(40), signed=True)[0, 0].astype(int)
    assert brighter[0] > brighter[2] + 30 and darker[2] > darker[0] + 30
    bar = maps.colour_bar("signed error")
    assert (bar.low, bar.high) == (-0.25, 0.25)


def test_errors_are_of_pictures_over_the_background() -> None:
    """Nothing against white: an error of 1 over black, none over white."""
    nothing, white = np.zeros((12, 12, 4), np.uint8), np.full((12, 12, 4), 255, np.uint8)
    assert (maps.error_map(nothing, white, "white") == table("error")[0]).all()
    assert (maps.error_map(nothing, white, "black", gain=1.0) == table("error")[255]).all()


def test_masked_pixels_show_no_error(tmp_path: Path) -> None:
    kept = np.ones((16, 20), np.uint8)
    kept[:8] = 0
    Image.fromarray(kept * 255).save(tmp_path / "kept.png")
    for mask in (kept > 0, tmp_path / "kept.png"):
        assert (maps.error_map(_shifted(51), GREY, kept=mask) == table("error")[0]).all()
        assert (maps.flip_map(_shifted(51), GREY, kept=mask) == table("error")[0]).all()


def test_the_flip_map_averages_to_the_metric() -> None:
    import torch

    noise = np.random.default_rng(0).integers(0, 256, (2, 24, 30, 3), np.uint8)
    errors, mean = maps.flip_error(*(x.astype(np.float32) / 255 for x in noise))
    a, b = (torch.from_numpy(x).float() / 255 for x in noise)
    assert mean == pytest.approx(flip(a, b), abs=1e-6) == pytest.approx(errors.mean(), abs=1e-5)
    assert (maps.flip_map(*noise) == coloured(errors, "error")).all()


def test_files_and_arrays_are_the_same(tmp_path: Path) -> None:
    Image.fromarray(_shifted(30)).save(tmp_path / "a.png")
    Image.fromarray(GREY).save(tmp_path / "b.png")
    paths = tmp_path / "a.png", tmp_path / "b.png"
    assert np.array_equal(maps.error_map(*paths), maps.error_map(_shifted(30), GREY))
    assert np.array_equal(maps.alpha_picture(paths[0]), np.full((16, 20, 3), 255, np.uint8))


def test_depth_has_one_range_for_all_models(tmp_path: Path) -> None:
    """2 norm units look the same in both pictures, though only one of them reaches 4."""
    near, far = (np.full((20, 20), value, np.uint16) for value in (20_000, 40_000))
    far[0], near[0, 0] = 20_000, 0
    Image.fromarray(near).save(tmp_path / "near.png")
    limits = maps.depth_limits([tmp_path / "near.png", far])
    assert limits == pytest.approx((2.0, 4.0))
    seen = maps.depth_picture(tmp_path / "near.png", limits), maps.depth_picture(far, limits)
    assert (seen[0][1, 1] == seen[1][0, 0]).all() and (seen[1][1, 1] == table("depth")[255]).all()
    assert (seen[0][0, 0] == maps._NOTHING).all()
    assert maps.colour_bar("depth", limits).labels[0] == (0.0, "2")


def test_nothing_hit_is_drawn_all_the_same() -> None:
    nothing = np.zeros((4, 4), np.uint16)
    assert maps.depth_limits([nothing]) == (0.0, 1.0) == maps.depth_limits([])
    assert (maps.depth_picture(nothing) == maps._NOTHING).all()


@given(st.integers(1, 65535))
def test_flat_depth_has_a_range(value: int) -> None:
    low, high = maps.depth_limits([np.full((3, 3), value, np.uint16)])
    assert low < high


@pytest.mark.parametrize("ramp", ["error", "depth"])
def test_lightness_grows_evenly(ramp: str) -> None:
    """CIE lightness, computed another way than the ramp was: never falls, no step above three times the mean."""
    steps = np.diff(_lightness(table(ramp)))
    assert steps.min() > -0.05
    assert steps[8:].max() < 3 * steps.mean()


def test_the_signed_ramp_is_brightest_in_the_middle() -> None:
    lightness = _lightness(table("signed"))
    assert lightness.argmax() in (127, 128) and lightness[127] == pytest.approx(
        lightness[128], abs=0.5
    )
    assert abs(lightness[0] - lightness[255]) < 8


def _lightness(colours: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB bytes."""
    srgb = colours / 255
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    y = light @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, 24389 / 27 * y)


@pytest.mark.parametrize("kind", ["error", "signed error", "flip", "depth", "alpha"])
def test_every_bar_says_what_it_means(kind: str) -> None:
    bar = maps.colour_bar(kind, size=(64, 5))
    assert bar.pixels.shape == (5, 64, 3) and bar.pixels.dtype == np.uint8
    assert bar.low < bar.high and bar.unit and len(bar.labels) == 3
    assert bar.colours[0] == tuple(bar.pixels[0, 0]) and bar.colours[-1] == tuple(bar.pixels[0, -1])
