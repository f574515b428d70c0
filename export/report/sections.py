"""The report's parts that are text and tables.

runs, ViewRecords, benches --*_section--> HTML of one part; empty where there is nothing to say
"""

from collections.abc import Sequence

from export.compare.records import MODELS, ViewRecord
from export.report.benches import PARTS, Bench
from export.report.csv import METRICS
from export.report.facts import Facts
from export.report.figures import TITLES, decimal, metric_cell, signed
from export.report.markup import (
    Cell,
    Column,
    Markup,
    escape,
    facts,
    join,
    paragraph,
    section,
    table,
)
from export.report.summary import Mean, means, number
from export.runs import Lack, Run

_REFERENCES = {
    "truth": "Quality against photographs",
    "teacher": "Quality against the teacher",
    "student": "Exports against the student in torch",
}
_MEANINGS = (
    ("PSNR", "−10·log10 of the mean squared error of two pictures with values clamped to [0, 1]. The mean is over "
     "views, not over pixels of all views. Larger is better; 100 dB stands for equality."),
    ("SSIM, MS-SSIM", "Structural similarity (Wang et al. 2004) in an 11-pixel Gaussian window; MS-SSIM (2003) is the "
     "same at five sizes and needs sides of 176 pixels at least. 1 for equal pictures."),
    ("FLIP", "Difference as seen when flipping between two pictures (Andersson et al. 2020). 0 for equal pictures."),
    ("LPIPS", "Learned perceptual distance (Zhang et al. 2018). It needs weights that are never downloaded."),
    ("Novelty", "Degrees between a view's direction and that of the nearest training camera, seen from the point of "
     "interest; 0 at a camera that was trained on."),
    ("Against", "What a model is compared with: photographs (truth); the teacher, for its pupils; the student in "
     "torch, for its exports."),
    ("Times", "Wall clock of rendering one view, where and when it was first compared (comparisons are kept in "
     "RUN/compare). Rays a second counts the pixels that a model computes."),
)  # fmt: skip


def summary_section(
    runs: Sequence[Run], records: Sequence[ViewRecord], known: dict[str, Facts]
) -> Markup:
    """Means of each model of each run, against each reference; then times."""
    rows = means(records)
    parts, notes = [_tiles(rows)], []
    for reference, title in _REFERENCES.items():
        chosen = [row for row in rows if row.reference == reference]
        if chosen:
            parts.append(_quality_table(chosen, title))
            notes += _reasons(chosen)
    parts.append(_times_table(rows, known))
    compared = {record.run for record in records}
    nothing = [run.name for run in runs if run.name not in compared]
    if nothing:
        notes.append(f"Nothing could be compared of: {', '.join(nothing)}.")
    parts += [paragraph(note, "note") for note in dict.fromkeys(notes)]
    return section("summary", "Summary", *parts)


def _tiles(rows: Sequence[Mean]) -> Markup:
    """PSNR at a glance: of each run against truth, or the teacher."""
    parts = []
    for run in dict.fromkeys(row.run for row in rows):
        mine = [row for row in rows if row.run == run]
        mine = [row for row in mine if row.reference == mine[0].reference]
        tiles = [_tile(row, mine) for row in mine]
        name = f"<h3>{escape(run)}</h3>" if len({row.run for row in rows}) > 1 else ""
        parts.append(Markup(f'{name}<ul class="tiles">{join(tiles)}</ul>'))
    return join(parts)


_ABOVE = {"student": "teacher", "onnx fp32": "student", "onnx fp16": "student"}
"""What a model was made from."""


def _tile(row: Mean, rows: Sequence[Mean]) -> Markup:
    mine = number(row.scores, "psnr")
    above = _ABOVE.get(row.model, "")
    theirs = next((number(other.scores, "psnr") for other in rows if other.model == above), None)
    loss = None if mine is None or theirs is None else f"{signed(mine - theirs)} dB to the {above}"
    value = "n/a" if mine is None else f"{mine:.2f} <small>dB</small>"
    time = "" if row.milliseconds is None else f"{row.milliseconds:.0f} ms a view"
    details = [escape(text) for text in (loss or f"against {row.reference}", time) if text]
    return Markup(
        f"<li><span>{escape(row.model)}</span><strong>{value}</strong>"
        f"<span class=quiet>{'<br>'.join(details)}</span></li>"
    )


def _quality_table(rows: Sequence[Mean], caption: str) -> Markup:
    """Means over views; a metric that no model has is left out, a note says why."""
    metrics = [m for m in METRICS if any(number(row.scores, m) is not None for row in rows)]
    columns = [Column("model", False), Column("run", False), Column("views")]
    columns += [Column(TITLES[metric][0], True, TITLES[metric][1]) for metric in metrics]
    columns += [Column("± dB", True, "standard deviation of PSNR over views")]
    body = [
        [
            *(_model_cell(row), Cell(row.run), decimal(float(row.views), 0)),
            *(metric_cell(row.scores.get(metric), metric) for metric in metrics),
            decimal(row.deviation),
        ]
        for row in rows
    ]
    return table(caption, columns, body)


def _model_cell(row: Mean) -> Cell:
    return Cell(row.model, float(MODELS.index(row.model)) if row.model in MODELS else None)


def _reasons(rows: Sequence[Mean]) -> list[str]:
    """Why figures are missing, a sentence each."""
    found = [(m, row.scores[m]) for row in rows for m in METRICS if m in row.scores]
    return [f"{TITLES[m][0].split(',')[0]}: {text}." for m, text in found if isinstance(text, str)]


def _times_table(rows: Sequence[Mean], known: dict[str, Facts]) -> Markup:
    """How long a view takes, and how long was trained for it."""
    once = {(row.run, row.model): row for row in rows}
    if not once:
        return Markup()
    columns = [Column("model", False), Column("run", False), Column("ms a view")]
    columns += [Column("views a second"), Column("million rays a second")]
    columns += [Column("steps of training"), Column("minutes of training")]
    body = [_time_row(row, known.get(row.run)) for row in once.values()]
    return table("Time", columns, body)


def _time_row(row: Mean, known: Facts | None) -> list[Cell]:
    training = None if known is None else known.training(row.model)
    step = None if training is None or training.step is None else float(training.step)
    seconds = None if training is None else training.seconds
    rays = row.rays_per_second
    return [
        *(_model_cell(row), Cell(row.run), decimal(row.milliseconds, 1), decimal(row.fps, 1)),
        *(decimal(None if rays is None else rays / 1e6), decimal(step, 0)),
        decimal(None if seconds is None else seconds / 60, 1),
    ]


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
