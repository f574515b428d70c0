"""The summary repeats what was measured, and invents nothing."""

import json
import shutil
from pathlib import Path

import pytest

from export.proof import Proved
from export.summary import report, summarise
from teacher.errors import UserError


@pytest.fixture
def run(bundle: Path, tmp_path: Path) -> Path:
    """A run folder whose student stage ran twice."""
    folder = tmp_path / "run"
    shutil.copytree(bundle, folder / "bundle")
    rows = [("teacher", 120), ("student", 600), ("student", 240), ("export", 30)]
    lines = [json.dumps({"stage": stage, "seconds": seconds}) for stage, seconds in rows]
    (folder / "stages.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_figures_are_those_of_the_manifest(run: Path, proved: Proved) -> None:
    summary = summarise(run)
    assert summary["onnx_fp32_psnr"] == proved.agreements["fp32"].psnr
    assert summary["onnx_fp16_psnr"] == proved.agreements["fp16"].psnr
    assert summary["teacher_psnr"] is None
    assert json.loads((run / "summary.json").read_text()) == summary


def test_a_stage_that_ran_twice_counts_once(run: Path) -> None:
    expected = {"teacher": 2.0, "student": 4.0, "export": 0.5, "all": 6.5}
    assert summarise(run)["minutes"] == expected


def test_the_report_names_every_figure(run: Path) -> None:
    text = report(summarise(run))
    assert "teacher against truth           n/a" in text
    assert "100.00 dB  worst reference view" in text
    assert "6.5 min" in text.splitlines()[-1]


def test_a_damaged_line_is_named(run: Path) -> None:
    with (run / "stages.jsonl").open("a") as file:
        file.write('{"stage": "web"\n')
    with pytest.raises(UserError, match=r"stages\.jsonl, line 5"):
        summarise(run)


def test_without_a_bundle_there_is_nothing_to_sum_up(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file"):
        summarise(tmp_path)
