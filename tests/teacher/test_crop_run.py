"""`python -m teacher crop` on a trained teacher, and the road behind it: source, student, comparison."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from export.compare.contenders import open_contenders
from export.compare.identity import fingerprint, identities
from export.compare.views import compare_frame
from export.runs import read_run
from student import photographs
from student.evaluate import evaluate as evaluate_student
from student.held_out import frames_of, photographed
from student.photographs import Photographs, PhotographsConfig
from teacher.crop import find
from teacher.crop.command import PICTURE, Crop
from teacher.crop.files import NAME, read_crop
from teacher.errors import UserError
from teacher.evaluate import evaluate
from teacher.model import Teacher
from teacher.pseudo.source import Source, open_source
from teacher.scene import Frame
from tests.runs import copied

BOX = (-1.1, -1.0, 0.0, 0.9, 0.9, 0.8)


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A run of a test's own."""
    return copied(tiny_run, tmp_path / "run")


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a hundred steps everything is a mist: cells count as opaque from less."""
    monkeypatch.setattr(find, "OPAQUE", 0.02)


def _crop(run: Path, **how: Any) -> Source:
    Crop(run / "teacher", device="cpu", **how).run()
    return open_source(run / "teacher")


def _held_out(run: Path) -> tuple[Frame, ...]:
    frames = frames_of(str(run / "teacher"), None, "test")
    assert frames is not None
    return frames


def test_a_crop_by_hand_cuts_views_and_makes_them_others(run: Path) -> None:
    """Box, fingerprint, views; undone by --none. Units are the data's: the norm frame has another scale."""
    before = open_source(run / "teacher")
    view = before.view(0, (32, 32), 0)
    known = identities(read_run(run))
    source = _crop(run, box=BOX)
    teacher = source.renderer
    assert isinstance(teacher, Teacher) and teacher.cropped
    T = torch.tensor(teacher.scene.T_norm_world)
    corners = torch.tensor(BOX).reshape(2, 3) @ T[:3, :3].T + T[:3, 3]
    torch.testing.assert_close(source.aabb, corners)
    assert not torch.allclose(corners, torch.tensor(BOX).reshape(2, 3), atol=0.05)
    cut = source.view(0, (32, 32), 0)
    assert 0 < cut.rgba[..., 3].sum() < 0.9 * view.rgba[..., 3].sum()
    rays = cut.camera.rays()
    places = rays.origins + rays.directions * cut.depth.reshape(-1, 1)
    seen = cut.rgba[..., 3].reshape(-1) > 0.5
    assert ((places[seen] > corners[0] - 0.02) & (places[seen] < corners[1] + 0.02)).all()
    assert source.fingerprint == fingerprint(run / "teacher") != before.fingerprint
    others = identities(read_run(run))
    assert {model for model in known if known[model] != others[model]} == {"teacher"}
    with Image.open(run / "teacher" / PICTURE) as image:
        assert np.asarray(image.convert("L")).std() > 10
    again = _crop(run, none=True)
    assert again.fingerprint == before.fingerprint and torch.equal(again.aabb, before.aabb)
    assert torch.equal(again.view(0, (32, 32), 0).rgba, view.rgba)
    assert not (run / "teacher" / PICTURE).exists()


def test_eval_shows_the_whole_and_says_so(run: Path) -> None:
    """Photographs have the background, so the teacher is measured with it."""
    before = evaluate(run / "teacher", "test", "white", "cpu")
    _crop(run, box=BOX)
    after = evaluate(run / "teacher", "test", "white", "cpu")
    assert after["mean"] == before["mean"]
    assert "crop" not in before and "whole" in after["crop"]


def test_photographs_count_where_the_cropped_teacher_sees_them(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the student's evaluation, in a comparison, and, where it is opaque, as lessons."""
    whole = open_source(run / "teacher")
    source, frames = _crop(run, box=BOX), _held_out(run)
    held, before = photographed(source, frames[0]), photographed(whole, frames[0])
    inside = held.teacher.rgba[..., 3] > 0.5
    assert torch.equal(held.kept, inside) and 0.02 < inside.float().mean() < 0.9
    assert held.truth is not None and before.truth is not None and before.kept.all()
    assert torch.equal(held.truth[inside], before.truth[inside]) and not held.truth[~inside].any()
    metrics = evaluate_student(run / "student")
    assert "alpha is above 0.5" in metrics["crop"]
    contenders = open_contenders(read_run(run), device="cpu")
    compared = compare_frame(contenders, frames[0])
    assert torch.equal(compared.kept, inside)
    scores = compared.scores["truth"]
    assert scores["teacher"] == metrics["per_view"][0]["teacher_truth"]
    train = frames_of(str(run / "teacher"), None, "train")
    assert train is not None
    config = PhotographsConfig(hold_back=4)
    with pytest.raises(UserError, match="no pixel counts"):  # a mist: nothing is wholly opaque
        Photographs(source, train, (32, 32), config)
    monkeypatch.setattr(photographs, "_WHOLLY", 0.6)
    lessons = Photographs(source, train, (32, 32), config)
    for camera, _, kept in lessons.held_back:
        assert torch.equal(kept, source.renderer.render(camera).rgba[..., 3] > 0.6)
    lesson = lessons.draw(8, torch.Generator().manual_seed(0))
    assert 0 < lesson.kept.mean() < 0.5 and lesson.kept.flatten(1).any(1).all()


def test_where_the_object_is_not_in_the_picture_that_should_be_empty(run: Path) -> None:
    """A tiny box in the far corner of the scene: no pixel is inside, all of them count, none is NaN."""
    source = _crop(run, box=(9.0, 9.0, 9.0, 9.1, 9.1, 9.1))
    held = photographed(source, _held_out(run)[0])
    assert held.truth is not None and not held.truth.any() and held.kept.all()


def test_it_is_found_by_itself(run: Path, capsys: pytest.CaptureFixture[str], thin: None) -> None:
    """Something, of a poor teacher: within the scene's box, in the data's units; without the data set too."""
    whole = open_source(run / "teacher").aabb
    source = _crop(run, auto=True)
    crop = read_crop(run / "teacher")
    assert crop is not None and crop.cells is not None and crop.found["by"] == "auto"
    assert (source.aabb[0] >= whole[0] - 0.1).all() and (source.aabb[1] <= whole[1] + 0.1).all()
    assert source.view(0, (32, 32), 0).rgba[..., 3].max() > 0.5
    said = capsys.readouterr().out
    numbers = " ".join(f"{value:.3f}" for value in crop.found["box_of_data"][0])
    assert numbers in said and "trained anew" in said
    top = crop.found["box_of_data"][1][2]
    (run / "still-life").rename(run / "elsewhere")
    _crop(run, z_max=top - 0.2)
    assert "by the teacher alone" in capsys.readouterr().out
    lower = read_crop(run / "teacher")
    assert lower is not None
    assert lower.found["box_of_data"][1][2] == pytest.approx(top - 0.2, abs=1e-4)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({}, "nothing to do"),
        ({"auto": True, "box": BOX}, "one of them"),
        ({"none": True, "z_min": 0.0}, "--none alone"),
        ({"box": (0.0, 0.0, 0.0, 1.0, 1.0, 0.0)}, "mend the numbers"),
        ({"box": BOX, "z_min": 2.0}, "--z-min"),
        ({"auto": True, "margin": -1.0}, "--margin"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_writes_nothing(
    tiny_run: Path, how: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        Crop(tiny_run / "teacher", device="cpu", **how).run()
    assert not (tiny_run / "teacher" / NAME).exists()


def test_a_moved_scene_takes_its_points_along(run: Path) -> None:
    """Points stay where the cameras are when a scene is brought into a teacher's frame."""
    from teacher.evaluate import load_data
    from teacher.model import as_described, describe_scene

    scene = load_data(run / "teacher").load()
    camera = scene.cameras()[0].position[None]
    moved = replace(scene, points=camera)
    shifted = describe_scene(scene)
    T = np.array(shifted.T_norm_world) @ np.diag([0.5, 0.5, 0.5, 1.0])
    other = as_described(moved, replace(shifted, T_norm_world=tuple(map(tuple, T.tolist()))))
    assert other.points is not None
    torch.testing.assert_close(other.points, other.cameras()[0].position[None])
    assert not torch.allclose(other.points, camera)
