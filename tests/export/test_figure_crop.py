"""The figure of a cropped run shows teacher and photograph through the crop."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.figure import write_figure
from student.held_out import frames_of
from teacher.crop.files import CropFile
from teacher.model import Teacher
from tests.runs import copied

SIDE = 32 + 2  # a pixel of white all round each picture


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of the tiny run that keeps one half of the scene; the canvas is black."""
    run = copied(tiny_run, tmp_path / "run")
    low, high = Teacher.load(run / "teacher").aabb
    high[0] = 0.5 * (low + high)[0]
    (a, b, c), (x, y, z) = low.tolist(), high.tolist()
    CropFile(((a, b, c), (x, y, z))).write(run / "teacher")
    (run / "canvas/wasm").mkdir(parents=True)
    for frame in frames_of(str(run / "teacher"), None, "test") or ():
        path = run / "canvas/wasm" / f"{Path(frame.name).name}.png"
        Image.new("RGBA", (32, 32), "black").save(path)
    return run


def columns(run: Path) -> list[np.ndarray]:
    write_figure(run, "wasm", 3, run / "figure.png")
    pixels = np.asarray(Image.open(run / "figure.png")).astype(int)
    return [pixels[:, SIDE * k : SIDE * (k + 1)] for k in range(4)]


def test_teacher_and_photograph_are_shown_through_the_crop(run: Path) -> None:
    """Of views from all round, half a table fills some less than a whole one."""
    truth, teacher, _, _ = columns(run)
    (run / "teacher/crop.json").unlink()
    whole_truth, whole_teacher, _, _ = columns(run)
    for cut, whole in ((truth, whole_truth), (teacher, whole_teacher)):
        assert 0 < _shown(cut) < 0.9 * _shown(whole)


def test_the_photograph_is_cut_where_the_teacher_sees_nothing(run: Path) -> None:
    truth, teacher, _, _ = columns(run)
    empty = (teacher == 255).all(-1)
    assert empty.any() and (truth[empty] == 255).all()


def _shown(pixels: np.ndarray) -> int:
    """How many pixels are not white."""
    return int((pixels < 250).any(-1).sum())
