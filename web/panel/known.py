"""What is known of the chosen runs' views so far: finished comparisons, else what the stages' own evaluations left.

RUN/compare/          --export.compare.batch.cached_records--> ViewRecord ...
RUN/{teacher,student}/eval/ --provisional--> ViewRecord ... without truth, until the comparison comes to them
"""

import base64
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from export.compare.records import Novelty, Scores, ViewRecord
from export.runs import Run
from web.panel.selection import Selection
from web.panel.work import COMPARISONS, Job

THUMBNAIL = 84
"""Height in CSS pixels; twice as many are sent."""
_UNKNOWN = Novelty(math.nan, math.nan)
_RANKING = ("student", "onnx fp16", "onnx fp32", "teacher")
"""Whose quality orders the views: the first of these that was measured."""


@dataclass(frozen=True)
class Known:
    """Views of the chosen runs by name, in the order of their data set."""

    records: dict[str, dict[str, ViewRecord]]
    """View to run to record."""
    jobs: tuple[Job, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing more will come."""
        return all(job.finished for job in self.jobs)

    @property
    def compared(self) -> list[ViewRecord]:
        """Records of finished comparisons, a run after the other."""
        found = [record for by_run in self.records.values() for record in by_run.values()]
        names = [job.run.name for job in self.jobs]
        done = [record for record in found if not math.isnan(record.novelty.degrees)]
        return sorted(done, key=lambda record: names.index(record.run))


def known(selection: Selection) -> Known:
    """Everything that can be shown at once; asks for the comparison of what is missing."""
    jobs = [COMPARISONS.ask(run, selection.split, selection.background) for run in selection.runs]
    records: dict[str, dict[str, ViewRecord]] = {}
    for run, job in zip(selection.runs, jobs, strict=True):
        for record in _read(run, job.split, job.background, (job.state, job.done)):
            records.setdefault(record.name, {})[run.name] = record
    return Known(records, tuple(jobs))


@lru_cache(maxsize=32)
def _read(run: Run, split: str, background: str, stamp: tuple[str, int]) -> list[ViewRecord]:
    """Records of `run`; `stamp` changes with what its comparison has written."""
    from export.compare.cache import cached_records

    compared = cached_records(run, split, background)
    if stamp[0] == "done" and compared:
        return compared
    names = {record.name for record in compared}
    first = [r for r in provisional(run, split, background) if r.name not in names]
    return [*compared, *first]


def provisional(run: Run, split: str, background: str) -> list[ViewRecord]:
    """Records of the pictures and figures that `eval` wrote; empty if it measured other views."""
    found: dict[str, dict[str, Any]] = {}
    size = (0, 0)
    for model, folder in (("teacher", run.teacher), ("student", run.student)):
        metrics = _metrics(folder, split, background)
        for row in metrics.get("per_view", []):
            name = str(row["name"])
            picture = (folder or Path()) / "eval" / f"{Path(name).name}.png"
            if picture.is_file():
                found.setdefault(name, {})[model] = (picture, row)
                size = (metrics["width"], metrics["height"])
    return [
        _record(run, name, split, background, size, by_model) for name, by_model in found.items()
    ]


def _metrics(folder: Path | None, split: str, background: str) -> dict[str, Any]:
    """A stage's metrics.json, if it is of these views."""
    try:
        metrics = json.loads(((folder or Path()) / "eval" / "metrics.json").read_text())
        same = metrics["split"] == split and metrics["background"] == background
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return metrics if same else {}


def _record(
    run: Run,
    name: str,
    split: str,
    background: str,
    size: tuple[int, int],
    by_model: dict[str, tuple[Path, dict[str, Any]]],
) -> ViewRecord:
    scores: dict[str, dict[str, Scores]] = {}
    for model, (_, row) in by_model.items():
        for reference in ("truth", "teacher"):
            found = row.get("metrics" if model == "teacher" and reference == "truth" else reference)
            if isinstance(found, dict):
                scores.setdefault(reference, {})[model] = found
    return ViewRecord(
        *(run.name, name, split, background, *size, _UNKNOWN),
        pictures={model: picture for model, (picture, _) in by_model.items()},
        **{"depths": {}, "scores": scores, "sizes": dict.fromkeys(by_model, size)},
        milliseconds={model: 1000 * row["seconds"] for model, (_, row) in by_model.items()},
    )


def quality(record: ViewRecord) -> float:
    """PSNR of the student, or of what there is, against the truth or what there is; NaN: none."""
    for by_model in (record.scores.get(reference, {}) for reference in ("truth", "teacher")):
        for model in _RANKING:
            value = by_model.get(model, {}).get("psnr")
            if isinstance(value, float):
                return value
    return math.nan


def ordered(found: Known, run: str, order: str) -> list[str]:
    """Names of views as `order` says, by the figures of `run`; views without come last."""
    names = list(found.records)
    if order == "By name":
        return names
    values = {n: quality(found.records[n][run]) for n in names if run in found.records[n]}
    sign = -1 if order == "Best first" else 1
    worst = {name: sign * value for name, value in values.items() if not math.isnan(value)}
    return sorted(names, key=lambda name: worst.get(name, math.inf))


def thumbnail(records: Sequence[ViewRecord]) -> str:
    """A data URL of the first picture there is: the truth, else what a model makes of it; "" without."""
    for record in records:
        for name in ("truth", *_RANKING):
            path = record.pictures.get(name)
            if path is not None and path.is_file():
                return _shrunk(path, path.stat().st_mtime_ns, record.background)
    return ""


@lru_cache(maxsize=2048)
def _shrunk(path: Path, changed: int, background: str) -> str:
    from PIL import Image

    try:
        with Image.open(path) as file:
            picture = file.convert("RGBA")
    except OSError:
        return ""
    picture.thumbnail((4 * THUMBNAIL, 2 * THUMBNAIL))
    flat = Image.new("RGBA", picture.size, background)
    flat.alpha_composite(picture)
    buffer = io.BytesIO()
    flat.convert("RGB").save(buffer, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
