"""Rate against distortion: what an export costs a visitor, and how good its pictures are.

    bundle/manifest.json (bytes, operations) + ViewRecords (dB) --rate_distortion--> ExportPoint ...

Manifests are read field by field without torch, those of older versions too: sizes are in all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from export.compare.records import ViewRecord
from export.report.summary import main_reference, mean_score
from export.run_checks import WEIGHTS, Damage, read_object
from export.runs import Run
from teacher.charts import Axes, Series, chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Cost = Literal["megabytes", "gflop"]
_AXES: dict[Cost, str] = {"megabytes": "MB to download", "gflop": "GFLOP for a frame"}
_LEAST = 1.0
"""A chart shows so many dB at least."""
_NEAR = 0.1
"""Labels closer than this part of the axis would lie on each other."""
_WORDS = {"weights": "teacher", "whole graph": "{}", "WebGPU form": "{} WebGPU"}
_PRECISIONS = {"fp32": "onnx fp32", "fp16": "onnx fp16"}


@dataclass(frozen=True)
class ExportPoint:
    """One form in which a run's model is kept, with its cost and quality."""

    run: str
    model: str
    """One of `export.compare.records.MODELS`."""
    form: str
    """ "weights", "whole graph", or "WebGPU form" (shaders around a network)."""
    megabytes: float
    gflop: float | None
    """Operations of one frame; None where they depend on the scene."""
    width: int | None
    """Size of the frame that `gflop` counts."""
    height: int | None
    psnr: float
    """Mean over views against `reference`."""
    reference: str
    """ "truth", or "teacher" where there are no photographs."""
    views: int
    agreement: float | None
    """This form against torch, worst reference view, in dB, as its export measured it; None: it is torch."""
    source: str
    """Where `psnr` comes from: "compared here", or the evaluation that the manifest quotes."""

    @property
    def name(self) -> str:
        """For a table."""
        return f"{self.model}, {self.form}"


def rate_distortion(run: Run, records: Sequence[ViewRecord]) -> list[ExportPoint]:
    """What can be said of the exports of `run`; `records` of other runs are left out.

    The WebGPU form is drawn by graphics cards alone: its quality is taken to be that of the whole graph. How far
    either is from torch its export measured: `agreement`.
    """
    mine = [record for record in records if record.run == run.name]
    manifest = _manifest(run.bundle)
    points = [*_teacher(run, mine)]
    for model in manifest.get("models", ()):
        try:
            points += _exports(run, model, mine, manifest.get("quality") or {})
        except (KeyError, TypeError, ValueError):
            continue  # of a version that wrote it otherwise
    return points


def _manifest(bundle: Path | None) -> dict[str, Any]:
    try:
        return {} if bundle is None else read_object(bundle / "manifest.json")
    except Damage:
        return {}


def _teacher(run: Run, records: Sequence[ViewRecord]) -> list[ExportPoint]:
    """The teacher's weights, where it was compared with photographs."""
    psnr = mean_score(records, "teacher", "truth", "psnr")
    if run.teacher is None or psnr is None:
        return []
    size = (run.teacher / WEIGHTS).stat().st_size / 1e6
    where = ("truth", len(records), None, "compared here")
    return [ExportPoint(run.name, "teacher", "weights", size, None, None, None, psnr, *where)]


def _exports(
    run: Run, model: dict[str, Any], records: Sequence[ViewRecord], quality: dict[str, Any]
) -> list[ExportPoint]:
    name = _PRECISIONS[model["precision"]]
    found = _quality(name, records, quality)
    if found is None:
        return []
    size = (model["width"], model["height"])
    forms = [("whole graph", model["bytes"], float(model["gflop"]), float(model["psnr"]))]
    if (split := model.get("split")) is not None:
        cost = (float(split["gflop"]), float(split["psnr"]))
        forms.append(("WebGPU form", sum(_split_bytes(split)), *cost))
    psnr, reference, views, source = found
    return [
        ExportPoint(
            *(run.name, name, form, count / 1e6, gflop, *size),
            psnr=psnr,
            reference=reference,
            views=views,
            agreement=agreement,
            source=source,
        )
        for form, count, gflop, agreement in forms
    ]


def _split_bytes(split: dict[str, Any]) -> list[int]:
    """Of each file of a split form."""
    files = (split["encode"]["shader"], split["network"], split["shade"]["shader"], split["tables"])
    return [file["bytes"] for file in files]


def _quality(
    model: str, records: Sequence[ViewRecord], quality: dict[str, Any]
) -> tuple[float, str, int, str] | None:
    """PSNR, reference, number of views and where that comes from."""
    reference = main_reference(records)
    psnr = mean_score(records, model, reference, "psnr")
    if psnr is not None:
        return psnr, reference, len(records), "compared here"
    for key, reference in (("student_psnr_truth", "truth"), ("student_psnr_teacher", "teacher")):
        value = quality.get(key)
        if isinstance(value, int | float):
            views = int(quality.get("views", 0))
            return float(value), reference, views, "the student's evaluation before its export"
    return None


def tradeoff_chart(points: Sequence[ExportPoint], cost: Cost) -> "Figure":
    """PSNR against `cost` from zero, a line for each run's exports; what has no such cost is left out."""
    known = [point for point in points if getattr(point, cost) is not None]
    exports = {p.run: [q for q in known if q.run == p.run and q.form != "weights"] for p in known}
    series = [_series(f"{run}: exports", group, cost) for run, group in exports.items() if group]
    weights = [point for point in known if point.form == "weights"]
    series += [_series(f"{point.run}: teacher", [point], cost) for point in weights]
    references = sorted({point.reference for point in points}) or ["truth"]
    figure = chart(series, Axes(_AXES[cost], f"PSNR against {' or '.join(references)}, dB"))
    area = figure.axes[0]
    area.set_xlim(left=0, right=1.12 * max((getattr(p, cost) for p in known), default=1))
    low, high = area.get_ylim()
    rest = max(0.0, _LEAST - (high - low)) / 2  # hundredths of a dB are not to look like much
    area.set_ylim(low - rest, high + rest)
    return figure


def _series(name: str, points: Sequence[ExportPoint], cost: Cost) -> Series:
    ordered = sorted(points, key=lambda point: getattr(point, cost))
    x, y = (tuple(getattr(point, key) for point in ordered) for key in (cost, "psnr"))
    return Series(name, x, y, labels=_labels(ordered, x, y), joined=len(x) > 1)


def _labels(
    points: Sequence[ExportPoint], x: Sequence[float], y: Sequence[float]
) -> tuple[str, ...]:
    """A word for each point; the first of several in one place has a line for each, the others none."""
    words = [
        _WORDS.get(point.form, "").format(point.model.removeprefix("onnx ")) for point in points
    ]
    near, first = _NEAR * max(x), 0
    for k in range(1, len(points)):
        if x[k] - x[first] < near and abs(y[k] - y[first]) < _LEAST / 10:
            words[first], words[k] = f"{words[first]}\n{words[k]}", ""
        else:
            first = k
    return tuple(words)
