"""The whole road at toy size: pictures in, a verified bundle and a site out, each stage fed by the one before."""

import json
import sys
from pathlib import Path

import pytest

from export.__main__ import main as export_main
from student.__main__ import main as student_main
from teacher.__main__ import main as teacher_main

TEACHER = (
    *("--steps", "150", "--samples-per-step", "4096", "--eval-every", "150", "--field.width", "16"),
    *("--field.grid.log2-size", "12", "--sampler.resolution", "32", "--sampler.step", "0.03"),
)
STUDENT = ("--steps", "40", "--size", "32", "32", "--pool.capacity", "24", "--eval-views", "1")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder that all stages' command lines have gone through."""
    folder = tmp_path_factory.mktemp("run")
    viewer = folder / "viewer"
    viewer.mkdir()
    (viewer / "index.html").write_text("<title>a built viewer</title>")
    patch = pytest.MonkeyPatch()
    for main, command in (
        (teacher_main, f"demo --output {folder}/scene --size 32 --train 16 --test 2"),
        (teacher_main, f"train demo --data {folder}/scene --output {folder}/teacher"),
        (teacher_main, f"eval --run {folder}/teacher"),
        (student_main, f"train test --teacher {folder}/teacher --output {folder}/student"),
        (student_main, f"eval --run {folder}/student"),
        (export_main, f"bundle --student {folder}/student --output {folder}/bundle"),
        (export_main, f"verify --bundle {folder}/bundle"),
        (export_main, f"site --bundle {folder}/bundle --viewer {viewer} --output {folder}/site"),
        (export_main, f"summary --run {folder}"),
    ):
        extra = {"train demo": TEACHER, "train test": STUDENT}.get(command[:10], ())
        patch.setattr(sys, "argv", ["python -m stage", *command.split(), *extra])
        main()
    patch.undo()
    return folder


def test_every_stage_learns_something(run: Path) -> None:
    """Better than nothing at each step: the figures come from the stages' own files."""
    summary = json.loads((run / "summary.json").read_text())
    assert summary["teacher_psnr"] > 12
    assert summary["student_psnr_teacher"] > 10
    assert summary["student_psnr_truth"] > 10


def test_the_exported_models_equal_the_student(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    assert summary["onnx_fp32_psnr"] >= 60
    assert summary["onnx_fp16_psnr"] >= 45


def test_the_site_is_whole(run: Path) -> None:
    """Everything the manifest names lies beside it, and the page beside both."""
    manifest = json.loads((run / "site" / "scene" / "manifest.json").read_text())
    names = [m["file"] for m in manifest["models"]] + [r["image"] for r in manifest["references"]]
    assert len(names) >= 4
    assert all((run / "site" / "scene" / name).is_file() for name in names)
    assert (run / "site" / "index.html").is_file()
