"""How training went: what teacher and student logged, against minutes.

    RUN/{teacher,student}/log.jsonl --training_curves--> Curve ... --curve_chart--> matplotlib Figure

Logs are read without torch. A row that a kill cut short ends the curve; a log that is missing or damaged has none.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.runs import Run
from teacher.charts import Axes, Series, chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEASURES = {
    "test_psnr": "PSNR of a few held-out views against photographs",
    "test_psnr_teacher": "PSNR of a few held-out views against the teacher",
    "val_psnr": "PSNR of the views that choose the weights, against photographs",
    "psnr": "PSNR of what was trained on",
    "loss": "Loss",
}
"""What is logged, and what it is in words."""
_NAMES = {"test_psnr_truth": "test_psnr"}
"""Two names in logs for one measure: the student's tells truth from teacher, the teacher's need not."""
_POINTS = 400


@dataclass(frozen=True)
class Curve:
    """One measure of one training."""

    run: str
    stage: str
    """ "teacher" or "student"."""
    measure: str
    """A key of `MEASURES`."""
    minutes: tuple[float, ...]
    steps: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def name(self) -> str:
        """For a legend."""
        return f"{self.run}: {self.stage}"


def training_curves(run: Run) -> list[Curve]:
    """What was logged while `run`'s teacher and student were trained; at most 400 points each, evenly picked."""
    curves = []
    for stage, folder in (("teacher", run.teacher), ("student", run.student)):
        rows = [] if folder is None else read_log(folder / "log.jsonl")
        curves += [
            curve for measure in MEASURES if (curve := _curve(run.name, stage, measure, rows))
        ]
    return curves


def read_log(path: Path) -> list[dict[str, Any]]:
    """The complete rows of a stage's log."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return []
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            break
        if isinstance(row, dict):
            rows.append(row)
    return rows


def _curve(run: str, stage: str, measure: str, rows: Sequence[dict[str, Any]]) -> Curve | None:
    named = [{_NAMES.get(key, key): value for key, value in row.items()} for row in rows]
    kept = [row for row in named if all(_is_number(row.get(key)) for key in ("seconds", measure))]
    if not kept:
        return None
    some = [kept[k] for k in _evenly(len(kept))]
    return Curve(
        *(run, stage, measure),
        minutes=tuple(row["seconds"] / 60 for row in some),
        steps=tuple(int(row.get("step", 0)) for row in some),
        values=tuple(float(row[measure]) for row in some),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _evenly(count: int) -> list[int]:
    """Numbers of at most 400 of `count` rows, the first and the last among them."""
    if count <= _POINTS:
        return list(range(count))
    return [round(k * (count - 1) / (_POINTS - 1)) for k in range(_POINTS)]


def curve_chart(curves: Sequence[Curve], measure: str) -> "Figure":
    """The chart of one `measure` of all `curves`."""
    chosen = [curve for curve in curves if curve.measure == measure]
    series = [Series(curve.name, curve.minutes, curve.values) for curve in chosen]
    figure = chart(series, Axes("minutes of training", "loss" if measure == "loss" else "PSNR, dB"))
    if measure == "loss" and series and min(min(curve.values) for curve in chosen) > 0:
        figure.axes[0].set_yscale("log")
    return figure
