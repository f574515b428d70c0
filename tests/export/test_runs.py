"""Run folders as panel and report find them, from files of a few bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from export.manifest import SCHEMA
from export.run_checks import BUNDLE_SCHEMA
from export.runs import Run, find_runs, no_runs, read_run, unique_names
from teacher.errors import UserError


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


def _train(folder: Path, config: dict[str, object]) -> None:
    """What a finished stage leaves that matters here."""
    _write(folder / "config.json", config)
    _write(folder / "progress.json", {"step": 30, "seconds": 6.0, "complete": True})
    _write(folder / "eval" / "metrics.json", {"views": 1})
    save_file({"weights": np.ones(10, np.float32)}, folder / "model.safetensors")


def make_run(folder: Path) -> Path:
    """A complete run without anything that could render."""
    data = folder / "still-life"
    data.mkdir(parents=True)
    _train(folder / "teacher", {"data": {"data": str(data)}, "train": {"steps": 30}})
    _train(folder / "student", {"preset": "tiny", "train": {"steps": None, "minutes": 5.0}})
    _write(folder / "student" / "scene.json", {"source": str(folder / "teacher")})
    _write(folder / "bundle" / "student.fp32.onnx", "12345")
    models = [{"file": "student.fp32.onnx", "bytes": 5}]
    _write(folder / "bundle" / "manifest.json", {"schema": SCHEMA, "models": models})
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "runs" / "demo")


def _lacks(run: Path | Run) -> dict[str, tuple[str, str]]:
    found = run if isinstance(run, Run) else read_run(run)
    return {lack.what: (lack.why, lack.command) for lack in found.lacks}


def test_the_schema_known_without_torch_is_the_manifests() -> None:
    assert BUNDLE_SCHEMA == SCHEMA


def test_finding_runs_does_not_import_torch(run: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from export.runs import find_runs\n"
        f"assert [run.name for run in find_runs(Path({str(run.parent)!r}))] == ['demo']\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_complete_run_lacks_nothing(run: Path) -> None:
    found = read_run(run)
    assert found.lacks == ()
    assert (found.teacher, found.student, found.bundle) == tuple(
        run / stage for stage in ("teacher", "student", "bundle")
    )


def test_newest_run_first_nested_ones_too_and_nothing_inside_a_run(run: Path) -> None:
    root = run.parent
    nested = make_run(root / "bench" / "x")
    make_run(run / "inside")
    for path in nested.rglob("*"):
        os.utime(path, (1e9, 1e9))
    assert [found.name for found in find_runs(root)] == ["demo", "bench/x"]
    newest = nested / "student" / "log.jsonl"
    newest.write_text("")
    os.utime(newest, (4e9, 4e9))
    assert [found.name for found in find_runs(root)] == ["bench/x", "demo"]
    assert find_runs(root)[0].changed == 4e9


def test_no_runs_at_all(tmp_path: Path) -> None:
    assert find_runs(tmp_path / "runs") == []
    assert no_runs(tmp_path / "runs").command == "make demo"
    (tmp_path / "runs" / "photos").mkdir(parents=True)
    assert find_runs(tmp_path / "runs") == []
    with pytest.raises(UserError, match="without any stage's files"):
        read_run(tmp_path / "runs" / "photos")
    with pytest.raises(UserError, match="no such folder"):
        read_run(tmp_path / "nowhere")


def test_a_stages_own_folder_is_a_run(run: Path) -> None:
    student, teacher = read_run(run / "student"), read_run(run / "teacher")
    assert (student.name, student.lacks) == ("demo/student", ())
    assert (student.teacher, student.bundle) == (run / "teacher", run / "bundle")
    assert (teacher.student, teacher.bundle) == (None, None)
    assert set(_lacks(teacher)) == {"student", "bundle"}


def test_an_unfinished_training_says_how_far_it_came(run: Path) -> None:
    for stage, step in (("teacher", 12), ("student", 99)):
        progress = {"step": step, "seconds": 90.0, "complete": False}
        _write(run / stage / "progress.json", progress)
    lacks = _lacks(run)
    why, command = lacks["rest of the teacher's training"]
    assert why == "training stopped at step 12 of 30"
    assert command == f"make teacher RUN={run}"
    why, command = lacks["rest of the student's training"]
    assert why == "training stopped after 1.5 of 5.0 minutes"
    assert command == f"make student RUN={run} STUDENT=tiny"


def test_pictures_of_ones_own_are_named_in_the_command(run: Path, tmp_path: Path) -> None:
    photos = tmp_path / "my photos"
    photos.mkdir()
    config = {"data": {"data": str(photos)}, "train": {"steps": 30}}
    _write(run / "teacher" / "config.json", config)
    (run / "student" / "model.safetensors").unlink()
    assert _lacks(run)["student"][1] == f"make student RUN={run} SCENE='{photos}' STUDENT=tiny"


@pytest.mark.parametrize("stage", ["teacher", "student"])
def test_damaged_weights_are_noticed_without_loading_them(run: Path, stage: str) -> None:
    path = run / stage / "model.safetensors"
    whole = path.read_bytes()
    for damage in (whole[:-1], whole + b"x", whole[:20], b"", b"\xff" * 40):
        path.write_bytes(damage)
        found = read_run(run)
        assert getattr(found, stage) is None
        why, command = _lacks(found)[stage]
        assert "damaged" in why
        assert command.startswith(f"rm -f {run / stage / 'progress.json'} ")
    path.unlink()
    assert _lacks(run)[stage][0] == f"no file {path}"


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("teacher/progress.json", "rest of the teacher's training"),
        ("student/eval/metrics.json", "student's evaluation"),
        ("teacher/config.json", "teacher's settings"),
        ("bundle/manifest.json", "bundle"),
    ],
)
@pytest.mark.parametrize("text", ['{"cut', "[1]", "\udcff"])
def test_damaged_json_is_a_lack_and_no_crash(run: Path, file: str, what: str, text: str) -> None:
    (run / file).write_text(text, errors="surrogateescape")
    assert "damaged" in _lacks(run)[what][0]
    assert [found.name for found in find_runs(run.parent)] == ["demo"]


def test_a_stage_that_was_not_measured(run: Path) -> None:
    (run / "teacher" / "eval" / "metrics.json").unlink()
    _, command = _lacks(run)["teacher's evaluation"]
    assert command == f"python -m teacher eval --run {run}/teacher"


def test_bundles_of_other_versions_cut_off_or_missing(run: Path) -> None:
    bundle = run / "bundle"
    write = f"python -m export bundle --student {run}/student --output {bundle}"
    model = bundle / "student.fp32.onnx"
    model.write_text("123")
    assert read_run(run).bundle is None
    assert _lacks(run)["bundle"] == (f"{model} is damaged (3 bytes of 5)", write)
    _write(bundle / "manifest.json", {"schema": SCHEMA - 1, "models": []})
    why, command = _lacks(run)["bundle of this version"]
    assert f"schema {SCHEMA - 1}" in why
    assert command == write
    (bundle / "manifest.json").unlink()
    assert _lacks(run)["bundle"] == (f"no file {bundle}/manifest.json", write)


def test_pictures_that_are_gone(run: Path, tmp_path: Path) -> None:
    (run / "still-life").rmdir()
    command = f"python -m teacher demo --output {run}/still-life"
    assert _lacks(run)["photographs"][1] == command
    config = {"data": {"data": str(tmp_path / "away")}, "train": {}}
    _write(run / "teacher" / "config.json", config)
    assert _lacks(run)["photographs"][1] == f"ln -s WHERE_IT_IS_NOW {tmp_path}/away"


def test_a_student_whose_teacher_is_elsewhere_or_gone(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "runs" / "other"
    (run / "student").rename(other.parent / "moved")
    (other.parent / "moved").rename(_made(other) / "student")
    assert read_run(other).teacher == run / "teacher"
    _write(other / "student" / "scene.json", {"source": "demo"})
    assert "learnt from demo" in _lacks(other)["teacher"][0]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_names_that_tell_runs_apart() -> None:
    folders = [Path("a/x/r"), Path("b/x/r"), Path("c/r"), Path("demo")]
    assert unique_names(folders) == ["a/x/r", "b/x/r", "c/r", "demo"]
