"""One camera through everything that a run has: figures are those of the stages' own eval; what is missing is told."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from export.compare.contenders import Contenders, open_contenders
from export.compare.identity import identities
from export.compare.onnx_view import resampled
from export.compare.records import MODELS, Scores
from export.compare.targets import targets_of
from export.compare.views import compare_view
from export.manifest import CameraPose
from export.runs import read_run
from export.verify import OnnxPicture, open_graph
from student.evaluate import evaluate as evaluate_student
from teacher.cameras import Camera
from teacher.errors import UserError
from teacher.evaluate import evaluate as evaluate_teacher
from teacher.metrics import METRICS
from teacher.pseudo.view import View
from tests.runs import copied


@pytest.fixture(scope="module")
def contenders(tiny_run: Path) -> Contenders:
    """Everything of the tiny run; tests must not change it."""
    return open_contenders(read_run(tiny_run))


def _from_elsewhere(contenders: Contenders, width: int, height: int) -> Camera:
    return contenders.cameras[3].resized(width, height)


def test_a_whole_run_opens_without_a_problem(contenders: Contenders) -> None:
    assert tuple(contenders.renderers) == MODELS
    assert contenders.problems == ()
    assert (contenders.like.width, contenders.like.height) == (32, 32)
    assert len(contenders.cameras) == 12
    assert all(contenders.envelope.contains(camera) for camera in contenders.cameras)


def test_exports_draw_what_the_student_draws(contenders: Contenders) -> None:
    seen = compare_view(contenders, contenders.like)
    assert seen.truth is None and "truth" not in seen.scores
    exports = seen.scores["student"]
    assert float(exports["onnx fp32"]["psnr"]) > 80
    assert float(exports["onnx fp16"]["psnr"]) > 45
    assert seen.scores["teacher"].keys() == {"student", "onnx fp32", "onnx fp16"}
    assert seen.scores["teacher"]["student"].keys() == METRICS.keys()
    assert all(time > 0 for time in seen.milliseconds.values())
    assert seen.milliseconds.keys() == set(MODELS)
    solid = seen.views["student"].rgba[..., 3] > 0.9
    torch.testing.assert_close(
        seen.views["onnx fp32"].depth[solid], seen.views["student"].depth[solid], atol=1e-3, rtol=0
    )


def test_half_precision_is_rounded_as_on_a_gpu(tiny_run: Path, contenders: Contenders) -> None:
    """Not only its weights: ONNX Runtime's CPU kernels compute in float32."""
    camera = contenders.like
    pose = CameraPose(tuple(camera.T_world_camera.flatten().tolist()), camera.fractions)
    path = tiny_run / "bundle" / "student.fp16.onnx"
    rounded = contenders.renderers["onnx fp16"].render(camera).rgba
    as_proved = open_graph("fp16", onnx.load(path), "").render(pose).rgba[0].permute(1, 2, 0)
    as_it_is = OnnxPicture(path).render(pose).rgba[0].permute(1, 2, 0)
    assert torch.equal(rounded, as_proved) and not torch.equal(rounded, as_it_is)


def test_without_scores_nothing_is_measured(
    contenders: Contenders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.compare.views.measure", lambda *_: pytest.fail("measured"))
    assert compare_view(contenders, contenders.like, scores=False).scores == {}


def test_an_export_keeps_its_size_and_shows_the_same_view_at_others(contenders: Contenders) -> None:
    """Resampled from its own size, it stays near the student that was asked for the other one."""
    for width, height in ((16, 16), (48, 40), (20, 44)):
        camera = _from_elsewhere(contenders, width, height)
        seen = compare_view(contenders, camera)
        assert seen.sizes == {
            **dict.fromkeys(("teacher", "student"), (width, height)),
            **dict.fromkeys(("onnx fp32", "onnx fp16"), (32, 32)),
        }
        assert seen.views["onnx fp32"].rgba.shape == (height, width, 4)
        assert seen.views["onnx fp32"].depth.shape == (height, width)
        assert float(seen.scores["student"]["onnx fp32"]["psnr"]) > 17
        other = contenders.renderers["onnx fp32"].render(contenders.like.resized(width, height))
        far = (other.rgba - seen.views["student"].rgba).square().mean()
        near = (seen.views["onnx fp32"].rgba - seen.views["student"].rgba).square().mean()
        assert near < far, "that would be another camera's picture"


def test_resampling_keeps_means_and_mixes_no_background_into_depth() -> None:
    generator = torch.Generator().manual_seed(0)
    rgba = torch.rand(1, 4, 8, 12, generator=generator)
    rgba[:, 3, :, :6] = 0
    depth = torch.where(rgba[:, 3:] > 0, 3.0, 0.0)
    smaller, near = resampled(rgba, depth, (4, 3))
    torch.testing.assert_close(smaller.mean((2, 3)), rgba.mean((2, 3)))
    solid = smaller[:, 3:] > 0
    assert near[~solid].eq(0).all() and near[solid].tolist() == pytest.approx(8 * [3.0])
    same, _ = resampled(rgba, depth, (8, 12))
    assert same is rgba


def test_the_first_picture_is_not_timed_and_slow_ones_are_timed_once(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 5 s, 1 s, 2 s, 9 s ... the first is left out; cheap pictures give the median of three."""
    run = open_contenders(read_run(tiny_run), ("student",))
    view = View(run.like, torch.zeros(2, 2, 4), torch.zeros(2, 2))
    now, rendered = [0.0], []
    monkeypatch.setattr("export.compare.contenders.time.perf_counter", lambda: now[0])

    def rendering(seconds: list[float]):
        def render() -> View:
            now[0] += seconds[len(rendered)]
            rendered.append(seconds)
            return view

        return render

    assert run.timed("student", (2, 2), rendering([5.0, 0.01, 0.03, 0.02]), 3)[1] == pytest.approx(
        20
    )
    assert len(rendered) == 4
    rendered.clear()
    assert run.timed("student", (2, 2), rendering([0.5, 9.0]), 3)[1] == pytest.approx(500)
    assert len(rendered) == 1, "warm already, and too slow to be timed again"


@pytest.mark.parametrize("which", ["tiny_run", "odd_run"])
def test_every_stage_gives_a_view_the_same_figures(
    which: str, request: pytest.FixtureRequest
) -> None:
    """To the last bit, of pinhole photographs."""
    _agree(request.getfixturevalue(which))


def _agree(run: Path) -> None:
    teacher, student = (_rows(run / stage) for stage in ("teacher", "student"))
    for compared, taught, learnt in zip(_scores(run), teacher, student, strict=True):
        assert compared["truth"]["teacher"] == taught["metrics"] == learnt["teacher_truth"]
        assert compared["truth"]["student"] == learnt["truth"]
        assert compared["teacher"]["student"] == learnt["teacher"]


def _rows(stage: Path) -> list[dict[str, Any]]:
    """What the stage's own eval says of each view."""
    return json.loads((stage / "eval" / "metrics.json").read_text())["per_view"]


def _scores(run: Path) -> list[dict[str, dict[str, Scores]]]:
    contenders = open_contenders(read_run(run), ("teacher", "student"))
    targets = targets_of(contenders.run, "test", contenders.surroundings)
    assert [target.name for target in targets] == [row["name"] for row in _rows(run / "student")]
    assert len(targets) == 3
    return [target.compare(contenders, "white").scores for target in targets]


def _edited(run: Path, **keys: Any) -> None:
    """Give the test photographs of `run` other `keys`, and measure them again with both stages."""
    path = run / "still-life" / "transforms_test.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))
    evaluate_teacher(run / "teacher", "test", "white")
    evaluate_student(run / "student")


def test_masked_pixels_count_for_none_of_the_stages(tiny_run: Path, tmp_path: Path) -> None:
    """Half of every photograph is hidden, and ruined: all figures agree, and no PSNR falls for it."""
    run = copied(tiny_run, tmp_path / "run")
    mask, photographs = np.zeros((32, 32), np.uint8), run / "still-life"
    mask[:, 16:] = 255
    Image.fromarray(mask).save(photographs / "mask.png")
    for path in (photographs / "test").glob("*.png"):
        pixels = np.array(Image.open(path))
        pixels[:, :16] = (255, 0, 255, 255)
        Image.fromarray(pixels).save(path)
    frames = json.loads((photographs / "transforms_test.json").read_text())["frames"]
    _edited(run, frames=[{**frame, "mask_path": "mask.png"} for frame in frames])
    _agree(run)
    psnr, before = (
        [row["metrics"]["psnr"] for row in _rows(one / "teacher")] for one in (run, tiny_run)
    )
    assert min(psnr) > min(before) - 3, "magenta would cost more"


def test_through_a_lens_the_teachers_own_eval_differs_by_design(
    tiny_run: Path, tmp_path: Path
) -> None:
    """It looks through the lens; student and comparison see the photograph without distortion."""
    run = copied(tiny_run, tmp_path / "run")
    _edited(run, k1=-0.3)
    teacher, student = (_rows(run / stage) for stage in ("teacher", "student"))
    for compared, taught, learnt in zip(_scores(run), teacher, student, strict=True):
        assert compared["truth"]["student"] == learnt["truth"]
        assert compared["truth"]["teacher"] == learnt["teacher_truth"] != taught["metrics"]


def _opened_without(run: Path, *models: str) -> Contenders:
    """What is left of the run when `models` cannot be opened, and that each lack says how to mend it."""
    contenders = open_contenders(read_run(run))
    assert contenders.renderers.keys() == set(MODELS) - set(models)
    lacks = {problem.what: problem for problem in contenders.problems}
    assert lacks.keys() >= set(models)
    assert all(lack.command and lack.why for lack in lacks.values())
    assert compare_view(contenders, contenders.like).views.keys() == set(MODELS) - set(models)
    return contenders


def test_all_look_from_where_the_teacher_believes_a_photograph_was_taken(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A teacher with corrected cameras moves the camera; the student learnt the corrected scene."""
    contenders = open_contenders(read_run(tiny_run), ("teacher", "student"))
    elsewhere = contenders.cameras[5]
    teacher = contenders.renderers["teacher"]
    monkeypatch.setattr(teacher, "photograph", lambda _: teacher.render(elsewhere))
    target = targets_of(contenders.run, "test", contenders.surroundings)[0]
    seen = target.compare(contenders, "white")
    assert seen.camera is elsewhere
    expected = contenders.renderers["student"].render(elsewhere).rgba
    assert torch.equal(seen.views["student"].rgba, expected)


def test_damaged_weights_hide_nothing_else(tiny_run: Path, tmp_path: Path) -> None:
    run = copied(tiny_run, tmp_path / "run")
    weights = run / "teacher" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    lack = _opened_without(run, "teacher").problems[0]
    assert "model.safetensors" in lack.why and "make teacher" in lack.command


def test_weights_of_another_version_hide_nothing_else(tiny_run: Path, tmp_path: Path) -> None:
    """Whole files whose tensors do not fit: no check of headers finds that."""
    run = copied(tiny_run, tmp_path / "run")
    (run / "teacher" / "model.safetensors").write_bytes(
        (run / "student" / "model.safetensors").read_bytes()
    )
    lack = _opened_without(run, "teacher").problems[0]
    assert lack.what == "teacher" and "make teacher" in lack.command


def test_a_bundle_of_another_schema_is_told(tiny_run: Path, tmp_path: Path) -> None:
    run = copied(tiny_run, tmp_path / "run")
    manifest = json.loads((run / "bundle" / "manifest.json").read_text())
    (run / "bundle" / "manifest.json").write_text(json.dumps({**manifest, "schema": 2}))
    contenders = _opened_without(run, "onnx fp32", "onnx fp16")
    assert "schema 2" in contenders.problems[0].why
    assert "python -m export bundle" in contenders.problems[0].command


def test_a_damaged_graph_leaves_the_other_precision(tiny_run: Path, tmp_path: Path) -> None:
    run = copied(tiny_run, tmp_path / "run")
    path = run / "bundle" / "student.fp32.onnx"
    path.write_bytes(bytes(len(path.read_bytes())))
    _opened_without(run, "onnx fp32")


def test_a_teacher_that_was_trained_since_is_told(tiny_run: Path, tmp_path: Path) -> None:
    run = copied(tiny_run, tmp_path / "run")
    scene = json.loads((run / "student" / "scene.json").read_text())
    (run / "student" / "scene.json").write_text(json.dumps({**scene, "fingerprint": "f" * 16}))
    problems = open_contenders(read_run(run)).problems
    assert [problem.what for problem in problems] == ["student of this teacher"]
    assert "ffff" in problems[0].why and "make student" in problems[0].command


def test_a_stage_of_its_own_is_compared_alone(tiny_run: Path, tmp_path: Path) -> None:
    """A teacher's own folder has a teacher and the truth; a bundle's its exports."""
    teacher = open_contenders(read_run(tiny_run / "teacher"))
    assert tuple(teacher.renderers) == ("teacher",)
    targets = targets_of(teacher.run, "test", teacher.surroundings)
    assert targets[0].compare(teacher, "white").scores.keys() == {"truth"}
    bundle = open_contenders(read_run(tiny_run / "bundle"))
    assert tuple(bundle.renderers) == ("onnx fp32", "onnx fp16")
    assert compare_view(bundle, bundle.like).views.keys() == {"onnx fp32", "onnx fp16"}


def test_without_photographs_views_are_those_of_the_students_eval(
    tiny_run: Path, tmp_path: Path
) -> None:
    run = copied(tiny_run, tmp_path / "run")
    (run / "still-life").rename(run / "elsewhere")
    contenders = open_contenders(read_run(run))
    targets = targets_of(contenders.run, "test", contenders.surroundings)
    assert len(targets) == 20 and targets[0].split == "drawn from the envelope"
    seen = targets[0].compare(contenders, "black")
    assert seen.scores.keys() == {"teacher", "student"}
    assert contenders.envelope.contains(seen.camera)


def test_a_split_that_is_not_there_is_refused(tiny_run: Path, contenders: Contenders) -> None:
    with pytest.raises(UserError, match="--split"):
        targets_of(read_run(tiny_run), "no such split", contenders.surroundings)


def test_a_run_without_cameras_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    run = copied(tiny_run, tmp_path / "run")
    for stage in ("teacher", "student", "bundle"):
        (run / stage / ("manifest.json" if stage == "bundle" else "scene.json")).unlink()
    with pytest.raises(UserError, match="scene"):
        open_contenders(read_run(run))


def test_identities_are_of_contents_alone(tiny_run: Path, tmp_path: Path) -> None:
    """A copied run is the same; other weights are others, and only their own model changes."""
    run = copied(tiny_run, tmp_path / "run")
    before = identities(read_run(tiny_run))
    assert identities(read_run(run)) == before and before.keys() == set(MODELS)
    with (run / "student" / "model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\1\2\3\4")
    after = identities(read_run(run))
    assert {model for model in MODELS if after[model] != before[model]} == {"student"}
