"""`summary.json`: the figures of a whole run, teacher to page, on one screen.

    bundle/manifest.json, stages.jsonl -> summary.json, and the same as lines to print

`stages.jsonl` has a line {"stage", "seconds"} for each finished stage; a stage that ran twice
counts as it did the last time.
"""

import json
from pathlib import Path
from typing import Any

from export.machine import machine
from export.manifest import read_manifest
from teacher.errors import UserError
from teacher.files import write_json

SUMMARY = "summary.json"


def summarise(run: Path) -> dict[str, Any]:
    """Write and return the summary of the run in `run`, whose bundle lies in `run`/bundle.

    Raises:
        UserError: there is no complete bundle, or a line of stages.jsonl is damaged.
    """
    manifest = read_manifest(run / "bundle")
    quality, psnr = manifest.quality, {model.precision: model.psnr for model in manifest.models}
    splits = {model.precision: model.split for model in manifest.models if model.split is not None}
    minutes = {stage: seconds / 60 for stage, seconds in _seconds(run / "stages.jsonl").items()}
    summary = {
        "scene": manifest.provenance.scene,
        "teacher_psnr": quality.teacher_psnr,
        "student_psnr_truth": quality.student_psnr_truth,
        "student_psnr_teacher": quality.student_psnr_teacher,
        "onnx_fp32_psnr": psnr.get("fp32"),
        "onnx_fp16_psnr": psnr.get("fp16"),
        "split_psnr": {precision: split.psnr for precision, split in splits.items()},
        "psnr_of": {
            "split": quality.split,
            "views": quality.views,
            "background": quality.background,
            "width": quality.width,
            "height": quality.height,
        },
        "minutes": {**minutes, "all": sum(minutes.values())},
        "megabytes": {f.file: f.bytes / 1e6 for model in manifest.models for f in model.files},
        "versions": manifest.provenance.versions,
        "machine": machine(),
    }
    write_json(run / SUMMARY, summary)
    return summary


def _seconds(path: Path) -> dict[str, float]:
    """Seconds by stage, in the order in which they first ran; empty where none has been timed."""
    seconds: dict[str, float] = {}
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        try:
            row = json.loads(line)
            seconds[str(row["stage"])] = float(row["seconds"])
        except (ValueError, KeyError, TypeError) as error:
            given, expected = f"{line[:60]!r} ({error})", 'a JSON line with "stage" and "seconds"'
            raise UserError(f"{path}, line {number}", given, expected, "remove the line") from None
    return seconds


def report(summary: dict[str, Any]) -> str:
    """The summary's figures as lines for people."""
    of = summary["psnr_of"]
    where = f"{of['views']} views ({of['split']}), {of['width']}x{of['height']}, {of['background']}"
    rows = [
        ("teacher against truth", _decibels(summary["teacher_psnr"]), where),
        ("student against truth", _decibels(summary["student_psnr_truth"]), where),
        ("student against teacher", _decibels(summary["student_psnr_teacher"]), where),
        ("ONNX fp32 against torch", _decibels(summary["onnx_fp32_psnr"]), "worst reference view"),
        ("ONNX fp16 against torch", _decibels(summary["onnx_fp16_psnr"]), "worst reference view"),
    ]
    rows += [
        (f"split {precision} against torch", _decibels(value), "worst reference view")
        for precision, value in summary["split_psnr"].items()
    ]
    rows += [(stage, f"{value:.1f} min", "") for stage, value in summary["minutes"].items()]
    return "\n".join(f"{name:<25}{value:>10}  {note}".rstrip() for name, value, note in rows)


def _decibels(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f} dB"
