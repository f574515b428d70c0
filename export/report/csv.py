"""A row for each view and model, for spreadsheets and plots of one's own.

    runs, ViewRecords, benches --rows--> dictionaries by column --csv_text--> report.csv

PSNR and its like are against the photograph where there is one (column `reference`), else against the teacher;
`psnr_teacher` and `psnr_student` are against those two. A figure that could not be had is the reason why, in brackets
after n/a; a cell is empty where nothing was to be measured. The page's own bench joins with rows of its own.
"""

import csv
import io
from collections.abc import Sequence
from typing import Any

from export.compare.records import ViewRecord
from export.report.benches import Bench
from export.report.facts import Facts, facts_of
from export.report.summary import score
from export.runs import Run

METRICS = ("psnr", "ssim", "ms_ssim", "flip", "lpips")
COLUMNS = (
    *("run", "scene", "split", "view", "background", "width", "height", "model", "backend"),
    *("model_width", "model_height", "step", "training_seconds", "reference", *METRICS),
    *("psnr_teacher", "psnr_student", "milliseconds", "rays_per_second", "fps"),
    *("novelty_degrees", "novelty_distance"),
)
"""In this order; new ones are added at the end."""


def rows(
    runs: Sequence[Run], records: Sequence[ViewRecord], benches: Sequence[Bench] = ()
) -> list[dict[str, Any]]:
    """The table's rows, in the order of `records`; then one for each of `benches`."""
    facts = {run.name: facts_of(run) for run in runs}
    found = [
        _row(record, model, facts.get(record.run))
        for record in records
        for model in record.pictures
        if model != "truth"
    ]
    return found + [_bench_row(bench) for bench in benches]


def _row(record: ViewRecord, model: str, facts: Facts | None) -> dict[str, Any]:
    training = None if facts is None else facts.training(model)
    reference = "truth" if model in record.scores.get("truth", {}) else "teacher"
    scores = record.scores.get(reference, {}).get(model)
    width, height = record.sizes.get(model, (record.width, record.height))
    return {
        "run": record.run,
        "scene": None if facts is None else facts.scene,
        "split": record.split,
        "view": record.name,
        "background": record.background,
        "width": record.width,
        "height": record.height,
        "model": model,
        "backend": "torch" if model in ("teacher", "student") else "onnxruntime",
        "model_width": width,
        "model_height": height,
        "step": None if training is None else training.step,
        "training_seconds": None if training is None else training.seconds,
        "reference": reference if scores else None,
        **{metric: (scores or {}).get(metric) for metric in METRICS},
        "psnr_teacher": score(record, model, "teacher", "psnr"),
        "psnr_student": score(record, model, "student", "psnr"),
        **_speed(record.milliseconds.get(model), width * height),
        "novelty_degrees": record.novelty.degrees,
        "novelty_distance": record.novelty.distance,
    }


def _speed(milliseconds: float | None, rays: int) -> dict[str, float | None]:
    per_second = 1000 / milliseconds if milliseconds else None
    return {
        "milliseconds": milliseconds,
        "rays_per_second": None if per_second is None else rays * per_second,
        "fps": per_second,
    }


def _bench_row(bench: Bench) -> dict[str, Any]:
    """Frames that a browser drew; PSNR is the canvas against torch's picture."""
    return {
        "run": bench.name,
        "scene": bench.scene,
        "split": "reference cameras",
        "model": f"onnx {bench.precision}",
        "backend": bench.place,
        "model_width": bench.width,
        "model_height": bench.height,
        "psnr_student": bench.mean_psnr,
        "milliseconds": bench.milliseconds["total"].median,
        "rays_per_second": bench.rays_per_second,
        "fps": bench.fps,
    }


def csv_text(found: Sequence[dict[str, Any]]) -> str:
    """The CSV file's text; numbers with six significant digits, lines end with LF."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in found)
    return buffer.getvalue()


def _cell(value: object) -> object:
    """As it is written; text that a spreadsheet would take for a formula is quoted with an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value
