"""The exposure study's own arithmetic: what it does to pictures, and how it judges."""

from dataclasses import replace
from pathlib import Path

import torch

from teacher.pictures import Picture
from teacher.scene import Scene
from tests.bench.bench_exposure import VARIANTS, _linear, _srgb, drifted, markdown
from tests.clouds import clouds_scene


def _light(picture: Picture) -> torch.Tensor:
    return _linear(torch.from_numpy(picture.rgba()[..., :3] / 255))


def _log_ratios(before: Scene, after: Scene) -> torch.Tensor:
    """Stops between each picture and what it was, where neither end of the range is near."""
    found = []
    for a, b in zip(before.splits["train"], after.splits["train"], strict=True):
        x, y = _light(a.picture), _light(b.picture)
        middle = (x > 0.05) & (x < 0.5)
        found.append((y[middle] / x[middle]).log2().median())
    return torch.stack(found)


def test_only_training_pictures_drift_and_not_on_average(tmp_path: Path) -> None:
    scene = clouds_scene(tmp_path / "clouds", 6, 1)
    lit = drifted(scene, tmp_path / "lit", 0.3, 7)
    stops = _log_ratios(scene, lit)
    assert abs(float(stops.mean())) < 0.01 and 0.1 < float(stops.abs().max()) < 0.6
    assert lit.splits["test"] == scene.splits["test"]
    again = drifted(scene, tmp_path / "again", 0.3, 7)
    assert torch.equal(_log_ratios(scene, again), stops)
    assert _log_ratios(scene, drifted(scene, tmp_path / "none", 0.0, 7)).abs().max() < 1e-6


def test_srgb_and_light_are_inverse() -> None:
    codes = torch.arange(256) / 255
    torch.testing.assert_close(_srgb(_linear(codes)), codes, atol=1e-5, rtol=0)
    assert abs(float(_linear(torch.tensor(0.5))) - 0.2140) < 1e-4


def test_the_table_has_a_row_for_each_training() -> None:
    row = {"psnr": 20.0, "psnr_aligned": 21.0, "training_psnr": 22.0, "log_gain_deviation": None}
    text = markdown({"a": row, "b": {**row, "log_gain_deviation": 0.05}})
    assert text.splitlines()[2:] == [
        "| a | 20.00 | 21.00 | 22.00 | – |",
        "| b | 20.00 | 21.00 | 22.00 | 0.050 |",
    ]


def test_what_is_usual_is_the_presets_less_its_looks() -> None:
    from tests.bench.bench_exposure import Bench

    usual = Bench()._config(VARIANTS["as usual"], 0)
    assert not usual.per_image.gains and not usual.per_image.size and usual.corrections.rate == 0
    assert replace(usual, **VARIANTS["gain"]).per_image.gains == 1
