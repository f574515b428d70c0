"""The report's parts that are text, tables and charts.

runs, ViewRecords, benches --*_section--> HTML of one part; empty where there is nothing to say
"""

from collections.abc import Sequence
from pathlib import Path

from export.compare.records import MODELS, ViewRecord
from export.report.benches import PARTS, Bench
from export.report.csv import METRICS
from export.report.curves import MEASURES, curve_chart, training_curves
from export.report.facts import Facts
from export.report.markup import (
    Cell,
    Column,
    Markup,
    chart_figure,
    escape,
    facts,
    join,
    paragraph,
    section,
    table,
)
from export.report.summary import (
    Mean,
    main_reference,
    means,
    novelty_buckets,
    number,
    rank_correlation,
    score,
)
from export.report.tradeoff import rate_distortion, tradeoff_chart
from export.runs import Lack, Run
from teacher.charts import Axes, Series, chart

_DIGITS = {"psnr": 2, "ssim": 4, "ms_ssim": 4, "flip": 4, "lpips": 4}
_TITLES = {
    "psnr": ("PSNR, dB", "−10·log10 of the mean squared error; larger is better"),
    "ssim": ("SSIM", "structural similarity; 1 for equal pictures"),
    "ms_ssim": ("MS-SSIM", "SSIM at five sizes; 1 for equal pictures"),
    "flip": ("FLIP", "perceived difference; 0 for equal pictures"),
    "lpips": ("LPIPS", "learned perceptual distance; 0 for equal pictures"),
}
_MEANINGS = (
    ("PSNR", "−10·log10 of the mean squared error of two pictures with values clamped to [0, 1]. The mean is over "
     "views, not over pixels of all views. Larger is better; 100 dB stands for equality."),
    ("SSIM, MS-SSIM", "Structural similarity (Wang et al. 2004) in an 11-pixel Gaussian window; MS-SSIM (2003) is the "
     "same at five sizes and needs pictures of more than 160 pixels a side. 1 for equal pictures."),
    ("FLIP", "Difference as seen when flipping between two pictures (Andersson et al. 2020). 0 for equal pictures."),
    ("LPIPS", "Learned perceptual distance (Zhang et al. 2018). It needs weights that are never downloaded."),
    ("Novelty", "Degrees between a view's direction and that of the nearest training camera, seen from the point of "
     "interest; 0 at a camera that was trained on."),
    ("Against", "What a model is compared with: photographs (truth); the teacher, for its pupils; the student in "
     "torch, for its exports."),
    ("Times", "Wall clock of rendering one view, where and when it was first compared (comparisons are kept in "
     "RUN/compare). Rays a second counts the pixels that a model computes."),
)  # fmt: skip


def figure_text(scores_value: float | str | None, metric: str) -> str:
    """A figure as it is printed; text such as "n/a (…)" is cut to its first word."""
    if scores_value is None:
        return "–"
    if isinstance(scores_value, str):
        return scores_value.split(" ", 1)[0]
    return f"{scores_value:.{_DIGITS[metric]}f}"


def decimal(value: float | None, digits: int = 2) -> Cell:
    """A number of a table, or a dash."""
    return Cell("–", float("-inf")) if value is None else Cell(f"{value:.{digits}f}", value)


def summary_section(
    runs: Sequence[Run], records: Sequence[ViewRecord], known: dict[str, Facts]
) -> Markup:
    """Means of each model of each run, against truth or, where there is none, the teacher."""
    rows = means(records)
    parts, notes = [], []
    for reference, title in _references(records):
        chosen = [row for row in rows if row.reference == reference]
        if chosen:
            parts.append(_means_table(chosen, f"Means {title}", known))
            notes += _reasons(chosen)
    unmeasured = [run.name for run in runs if run.name not in {row.run for row in rows}]
    if unmeasured:
        parts.append(paragraph(f"Nothing could be compared of: {', '.join(unmeasured)}."))
    parts += [paragraph(note, "note") for note in dict.fromkeys(notes)]
    return section("summary", "Summary", *parts)


def _references(records: Sequence[ViewRecord]) -> list[tuple[str, str]]:
    found = [("truth", "against photographs"), ("teacher", "against the teacher")]
    return [*found, ("student", "against the student in torch")]


def _means_table(rows: Sequence[Mean], caption: str, known: dict[str, Facts]) -> Markup:
    several = len({row.run for row in rows}) > 1
    columns = [Column("model", False), *([Column("run", False)] if several else [])]
    columns += [Column("views")]
    columns += [Column(name, True, title) for name, title in map(_TITLES.__getitem__, METRICS)]
    columns += [
        *(Column("± dB", True, "standard deviation of PSNR over views"), Column("ms a view")),
        *(Column("views a second"), Column("million rays a second"), Column("trained, steps")),
        Column("trained, min"),
    ]
    return table(caption, columns, [_mean_row(row, known.get(row.run), several) for row in rows])


def _mean_row(row: Mean, known: Facts | None, several: bool) -> list[Cell]:
    training = None if known is None else known.training(row.model)
    step = None if training is None or training.step is None else float(training.step)
    seconds = None if training is None else training.seconds
    rays = row.rays_per_second
    return [
        Cell(row.model, MODELS.index(row.model) if row.model in MODELS else row.model),
        *([Cell(row.run)] if several else []),
        Cell(str(row.views)),
        *(metric_cell(row.scores.get(metric), metric) for metric in METRICS),
        decimal(row.deviation),
        decimal(row.milliseconds, 1),
        decimal(row.fps, 1),
        decimal(None if rays is None else rays / 1e6),
        decimal(step, 0),
        decimal(None if seconds is None else seconds / 60, 1),
    ]


def metric_cell(value: float | str | None, metric: str) -> Cell:
    """A figure with the reason why it is missing, if it is."""
    text = figure_text(value, metric)
    if isinstance(value, str) or value is None:
        return Cell(text, float("-inf"), title=value or "")
    return Cell(text, value)


def _reasons(rows: Sequence[Mean]) -> list[str]:
    """Why figures are missing, a sentence each."""
    found = [(m, row.scores[m]) for row in rows for m in METRICS if m in row.scores]
    return [f"{_TITLES[m][0].split(',')[0]}: {text}." for m, text in found if isinstance(text, str)]


def tradeoff_section(runs: Sequence[Run], records: Sequence[ViewRecord]) -> Markup:
    """What exports cost against how good they are."""
    points = [point for run in runs for point in rate_distortion(run, records)]
    if not points:
        return Markup()
    columns = [Column("export", False), Column("run", False), Column("MB"), Column("GFLOP a frame")]
    columns += [Column("PSNR, dB"), Column("against", False), Column("views")]
    columns += [Column("against torch, dB", True, "as its export measured it, worst view")]
    rows = [
        [
            *(Cell(p.name), Cell(p.run), decimal(p.megabytes), decimal(p.gflop, 3)),
            *(decimal(p.psnr), Cell(p.reference), Cell(str(p.views)), decimal(p.agreement, 1)),
        ]
        for p in points
    ]
    charts = [
        chart_figure(tradeoff_chart(points, "megabytes"), "PSNR against megabytes", "rd-mb"),
        chart_figure(tradeoff_chart(points, "gflop"), "PSNR against operations", "rd-gflop"),
    ]
    note = (
        "The WebGPU form runs on graphics cards alone: its PSNR is that of the whole graph, from "
        "which it differs as the last column says. A teacher's operations depend on the scene."
    )
    found = table("Exports", columns, rows)
    return section(
        "exports", "Size and work against quality", _charts(charts), found, paragraph(note, "note")
    )


def _charts(charts: Sequence[str]) -> Markup:
    return Markup(f'<div class="charts">{join(charts)}</div>')


def training_section(runs: Sequence[Run]) -> Markup:
    """How loss and PSNR went while models were trained."""
    curves = [curve for run in runs for curve in training_curves(run)]
    measures = [measure for measure in MEASURES if any(c.measure == measure for c in curves)]
    if not measures:
        return Markup()
    charts = [
        chart_figure(
            curve_chart(curves, m), f"{MEASURES[m]}, against minutes of training", f"t-{m}"
        )
        for m in measures
    ]
    return section("training", "Training", _charts(charts))


def novelty_section(records: Sequence[ViewRecord]) -> Markup:
    """Quality by how far a view is from those that were trained on."""
    if not records:
        return Markup()
    reference, series, rows, notes = main_reference(records), [], [], []
    for run in dict.fromkeys(record.run for record in records):
        mine = [record for record in records if record.run == run]
        for model in ("teacher", "student"):
            pairs = _pairs(mine, model, reference)
            if pairs:
                x, y = (tuple(pair[k] for pair in pairs) for k in (0, 1))
                series.append(Series(f"{run}: {model}", x, y, joined=False))
                rows += _bucket_rows(mine, run, model, reference)
                notes.append(_correlation(f"{run}, {model}", pairs))
    axes = Axes("degrees to the nearest training camera", f"PSNR against {reference}, dB")
    found = chart_figure(chart(series, axes), "PSNR of each view against its novelty", "novelty")
    columns = [Column("degrees", False), Column("run", False), Column("model", False)]
    columns += [Column("views"), Column("mean, dB"), Column("worst, dB"), Column("± dB")]
    by_angle = table("Quality by the angle to what was captured", columns, rows)
    note = paragraph(" ".join(filter(None, notes)), "note")
    return section("novelty", "Novelty against error", _charts([found]), by_angle, note)


def _pairs(records: Sequence[ViewRecord], model: str, reference: str) -> list[tuple[float, float]]:
    values = [(r.novelty.degrees, score(r, model, reference, "psnr")) for r in records]
    return [(degrees, value) for degrees, value in values if value is not None]


def _bucket_rows(
    records: Sequence[ViewRecord], run: str, model: str, reference: str
) -> list[list[Cell]]:
    return [
        [
            *(Cell(f"{b.low:g} to {b.high:g}°", b.low), Cell(run), Cell(model)),
            *(Cell(str(b.views)), decimal(b.mean), decimal(b.worst), decimal(b.deviation)),
        ]
        for b in novelty_buckets(records, model, reference)
    ]


def _correlation(name: str, pairs: Sequence[tuple[float, float]]) -> str:
    found = rank_correlation(pairs)
    return "" if found is None else f"Rank correlation of novelty and PSNR, {name}: {found:+.2f}."


def benches_section(benches: Sequence[Bench]) -> Markup:
    """What the page measured in browsers."""
    if not benches:
        return Markup()
    columns = [Column("file", False), Column("scene", False), Column("runs on", False)]
    columns += [Column("browser", False), Column("model", False), Column("frames a second")]
    columns += [Column(f"{part}, ms") for part in reversed(PARTS)]
    columns += [Column("against torch, dB"), Column("measured", False)]
    rows = [
        [
            *(Cell(b.name), Cell(b.scene), Cell(b.place), Cell(f"{b.browser}, {b.cores} cores")),
            Cell(f"{b.student}, {b.precision}, {b.form}, {b.width} × {b.height}"),
            decimal(b.fps, 1),
            *(decimal(b.milliseconds[part].median, 1) for part in reversed(PARTS)),
            *(decimal(b.mean_psnr, 1), Cell(b.measured)),
        ]
        for b in benches
    ]
    note = "Milliseconds are medians over frames, by the worker's own clock."
    found = table("Measured by the page itself", columns, rows)
    return section("browsers", "In browsers", found, paragraph(note, "note"))


def lacks_section(runs: Sequence[Run], problems: Sequence[tuple[str, Lack]] = ()) -> Markup:
    """What is missing and what to run for it; `problems` are those found on opening a run, by its name."""
    found = [(run.name, lack) for run in runs for lack in run.lacks]
    found = list(dict.fromkeys([*found, *problems]))
    if not found:
        return section("missing", "Missing", paragraph("Nothing: every stage is there and whole."))
    items = [
        f"<li><strong>{escape(run)}: {escape(lack.what)}</strong><br>{escape(lack.why)}<br>"
        f"<code>{escape(lack.command)}</code></li>"
        for run, lack in found
    ]
    return section("missing", "Missing", Markup(f'<ul class="lacks">{"".join(items)}</ul>'))


def meanings_section() -> Markup:
    """What each figure means."""
    return section("meanings", "What the figures mean", facts(_MEANINGS))


def psnr_of(record: ViewRecord, model: str) -> float | None:
    """Against truth, or the teacher where there is none."""
    reference = "truth" if model in record.scores.get("truth", {}) else "teacher"
    return number(record.scores.get(reference, {}).get(model), "psnr")


def folder_name(path: Path | None) -> str:
    """A path as text, or a dash."""
    return "–" if path is None else str(path)
