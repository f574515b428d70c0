"""A student's run folder exports with nothing else at hand: no teacher, no photographs."""

import json
from pathlib import Path

import pytest
import torch

from export import proof
from export.__main__ import Bundle, Onnx
from export.manifest import read_manifest
from export.proof import Exportable, Measured, Proved
from export.student_run import open_student
from student.checkpoint import describe_source
from student.presets import PRESETS
from teacher import checkpoint
from teacher.config import to_plain
from teacher.errors import UserError
from teacher.files import write_json
from teacher.pseudo.source import Source
from teacher.pseudo.view import View

METRICS = {
    "split": "test",
    "views": 20,
    "background": "black",
    "width": 96,
    "height": 64,
    "teacher_psnr_truth": 30.5,
    "student_psnr_truth": 23.5,
    "student_psnr_teacher": 24.5,
    "per_view": [],
}


class _Nothing:
    def render(self, camera: object) -> View:
        raise AssertionError("an export asks no teacher")


@pytest.fixture
def run(source: Exportable, tmp_path: Path) -> Path:
    """What a training leaves behind, as the student's own functions write it."""
    folder = tmp_path / "student"
    _, config = PRESETS["test"]
    box = torch.tensor([[-1.0, -0.5, -0.25], [1.0, 0.5, 0.25]])
    views = Source("lego", _Nothing(), source.envelope, box, source.cameras, "f00d")
    checkpoint.claim_run(folder, to_plain({"preset": "test", "train": config}))
    scene = describe_source(views, "runs/lego/teacher", (64, 96))
    write_json(folder / "scene.json", to_plain(scene))
    torch.manual_seed(0)
    weights = dict(config.model.build(box).state_dict())
    checkpoint.save_tensors(folder / "model.safetensors", weights, {})
    write_json(folder / "eval" / "metrics.json", METRICS)
    return folder


def test_everything_a_bundle_needs_is_in_the_run_folder(run: Path, source: Exportable) -> None:
    found = open_student(run)
    assert (found.name, found.student, found.size) == ("lego", "test", (64, 96))
    assert found.envelope == source.envelope
    assert not found.model.training
    torch.testing.assert_close(found.model.aabb[1], torch.tensor([1.0, 0.5, 0.25]))
    for camera, expected in zip(found.cameras, source.cameras, strict=True):
        torch.testing.assert_close(camera.T_world_camera, expected.T_world_camera)
        assert camera.fractions == pytest.approx(expected.fractions)


def test_measured_quality_is_passed_on(run: Path) -> None:
    expected = Measured(20, "test", "black", 96, 64, 30.5, 23.5, 24.5)
    assert open_student(run).measured == expected


def test_a_student_that_was_never_measured_exports_all_the_same(run: Path) -> None:
    (run / "eval/metrics.json").unlink()
    measured = open_student(run).measured
    assert measured.views == 0
    assert measured.student_psnr_truth is None


def test_measurements_of_another_version_are_refused(run: Path) -> None:
    plain = {key: value for key, value in METRICS.items() if key != "teacher_psnr_truth"}
    (run / "eval/metrics.json").write_text(json.dumps(plain))
    with pytest.raises(UserError, match="teacher_psnr_truth") as error:
        open_student(run)
    assert "python -m student eval" in error.value.remedy


def test_a_folder_without_a_student_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="python -m student train"):
        open_student(tmp_path)


def test_the_commands_prove_and_write(
    run: Path,
    proved: Proved,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The proof itself takes seconds and is tested elsewhere; here it is the test student's."""
    asked = []

    def prove(exportable: Exportable) -> Proved:
        asked.append(exportable.name)
        return proved

    monkeypatch.setattr(proof, "prove_student", prove)
    Onnx(run, tmp_path / "student.onnx", "fp16").run()
    expected = proved.graphs["fp16"].SerializeToString(deterministic=True)
    assert (tmp_path / "student.onnx").read_bytes() == expected
    Bundle(run, tmp_path / "bundle").run()
    assert asked == ["lego", "lego"]
    manifest = read_manifest(tmp_path / "bundle")
    assert manifest.name == manifest.provenance.scene == "lego"
    assert (manifest.quality.teacher_psnr, manifest.quality.views) == (30.5, 20)
    printed = capsys.readouterr().out
    assert "student.fp16.onnx" in printed and "dB against torch" in printed
    assert printed.count("no smaller rendition") == 2
