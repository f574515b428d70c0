"""The report's parts with charts: size against quality, training, novelty against error.

runs, ViewRecords --*_section--> HTML of one part; empty where there is nothing to draw
"""

from collections.abc import Sequence

from export.compare.records import ViewRecord
from export.report.curves import MEASURES, curve_chart, training_curves
from export.report.figures import decimal, signed
from export.report.markup import Cell, Column, Markup, chart_figure, join, paragraph, section, table
from export.report.summary import main_reference, novelty_buckets, rank_correlation, score
from export.report.tradeoff import rate_distortion, tradeoff_chart
from export.runs import Run
from teacher.charts import Axes, Series, chart


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
    return section("novelty", "Novelty against error", _charts([found, by_angle]), note)


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
    return (
        "" if found is None else f"Rank correlation of novelty and PSNR, {name}: {signed(found)}."
    )
