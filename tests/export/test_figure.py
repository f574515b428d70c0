"""The figure puts the right pictures side by side and measures the canvas against torch's."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from export import figure
from export.figure import write_figure
from teacher.cameras import Camera
from teacher.config import to_plain
from teacher.demo import write_demo_scene
from teacher.errors import UserError
from teacher.presets import DataConfig
from teacher.pseudo.view import View

SIZE = 24


class Green:
    """A student that sees one colour everywhere."""

    def render(self, camera: Camera) -> View:
        rgba = torch.tensor([0.0, 200 / 255, 0.0, 1.0]).expand(camera.height, camera.width, 4)
        return View(camera, rgba, torch.ones(camera.height, camera.width))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of which only the pictures exist: teacher red, student green, the canvas 10/255 off the student."""
    monkeypatch.setattr(figure, "load_student", lambda folder: (None, None))
    monkeypatch.setattr(figure, "StudentRenderer", lambda model: Green())
    write_demo_scene(tmp_path / "scene", size=SIZE, train=4, test=2)
    (tmp_path / "teacher").mkdir()
    config = {"data": to_plain(DataConfig(data=tmp_path / "scene"))}
    (tmp_path / "teacher" / "config.json").write_text(json.dumps(config))
    for folder, colour in {
        "teacher/eval": (255, 0, 0, 255),
        "canvas/wasm": (10, 210, 10, 255),
    }.items():
        (tmp_path / folder).mkdir(parents=True)
        for name in ("test_r_000", "test_r_001"):
            Image.new("RGBA", (SIZE, SIZE), colour).save(tmp_path / folder / f"{name}.png")
    return tmp_path


def test_columns_are_truth_teacher_student_canvas(run: Path) -> None:
    write_figure(run, "wasm", 2, run / "figure.png")
    pixels = np.asarray(Image.open(run / "figure.png"))
    side = SIZE + 2  # a pixel of white all round each picture
    assert pixels.shape == (2 * side, 4 * side, 3)
    centres = [pixels[side // 2, side * k + side // 2].tolist() for k in range(1, 4)]
    assert centres == [[255, 0, 0], [0, 200, 0], [10, 210, 10]]


def test_the_canvas_is_measured_against_the_student(run: Path) -> None:
    """An error of 10/255 in every channel is 28.13 dB."""
    found = write_figure(run, "wasm", 1, run / "figure.png")
    assert len(found) == 2
    assert all(value == pytest.approx(28.1308, abs=1e-3) for value in found.values())


def test_a_page_that_has_not_drawn_is_named(run: Path) -> None:
    with pytest.raises(UserError, match=r"canvas\.mjs"):
        write_figure(run, "webgpu", 1, run / "figure.png")
