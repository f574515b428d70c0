"""The table of all views, the worst first.

ViewRecord ... --views_table--> HTML
"""

from collections.abc import Sequence

from export.compare import maps
from export.compare.records import MODELS, ViewRecord
from export.report.figures import decimal, metric_cell
from export.report.markup import Cell, Column, Markup, escape, join, paragraph, section, table
from export.report.strips import encode_strips, quality, strips_html
from export.report.summary import main_reference

_SHOWN = ("psnr", "ssim", "flip")


def views_table(records: Sequence[ViewRecord]) -> Markup:
    """A row for each view of each run: how new it is, PSNR of all models, all else of the student."""
    several = len({record.run for record in records}) > 1
    models = [m for m in MODELS if any(m in record.milliseconds for record in records)]
    columns = [Column("view", False), *([Column("run", False)] if several else [])]
    columns += [Column("novelty, °", True, "angle to the nearest training camera")]
    columns += [Column(f"{model}, dB") for model in models]
    columns += [Column("student, SSIM"), Column("student, FLIP")]
    columns += [Column(f"{model}, ms") for model in models]
    worst = sorted(records, key=lambda r: (quality(r) is None, quality(r) or 0.0))
    return table(_caption(records), columns, [_row(r, models, several) for r in worst])


def _caption(records: Sequence[ViewRecord]) -> str:
    against = "photographs" if main_reference(records) == "truth" else "the teacher"
    return f"Each view against {against}, the worst first"


def _row(record: ViewRecord, models: Sequence[str], several: bool) -> list[Cell]:
    table_of = record.scores.get(main_reference([record]), {})
    student = table_of.get("student", {})
    return [
        Cell(record.name),
        *([Cell(record.run)] if several else []),
        decimal(record.novelty.degrees, 1),
        *(metric_cell(table_of.get(model, {}).get("psnr"), "psnr") for model in models),
        *(metric_cell(student.get(metric), metric) for metric in _SHOWN[1:]),
        *(decimal(record.milliseconds.get(model), 1) for model in models),
    ]


def views_section(runs: int, records: Sequence[ViewRecord]) -> Markup:
    """Table, colour bars and pictures of all views of so many `runs`."""
    if not records:
        return Markup()
    strips, side = encode_strips(records)
    longest = max(max(record.width, record.height) for record in records)
    note = (
        "Pictures are at full size."
        if longest <= side
        else f"Pictures are shrunk from {longest} to {side} pixels at their longer side, to keep "
        "this file small; figures are of the full size."
    )
    roles = list(dict.fromkeys(s.role for strip in strips for s, _ in strip.shots if s.scenic))
    return section(
        "views",
        "Views",
        views_table(records),
        _tools(roles),
        _legends(),
        paragraph(note, "note"),
        strips_html(strips, runs),
    )


def _tools(roles: Sequence[str]) -> Markup:
    """What the script offers over the views."""
    orders = {
        "worst": "worst first",
        "best": "best first",
        "newest": "most novel first",
        "name": "by name",
    }
    chosen = [roles[0], "student" if "student" in roles else roles[-1]] if roles else ["", ""]
    return Markup(
        '<div class="tools" id="tools" hidden>'
        f"<label>Order {_select('order', orders, 'worst')}</label>"
        f"<label>Drag between {_select('left', dict(zip(roles, roles, strict=True)), chosen[0])}</label>"
        f"<label>and {_select('right', dict(zip(roles, roles, strict=True)), chosen[1])}</label></div>"
    )


def _select(ident: str, options: dict[str, str], chosen: str) -> Markup:
    items = [
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(name)}</option>'
        for value, name in options.items()
    ]
    return Markup(f'<select id="{ident}">{"".join(items)}</select>')


def _legends() -> Markup:
    """What the colours of the maps mean."""
    bars = [_legend(kind, maps.colour_bar(kind)) for kind in ("error", "flip")]
    depth = _legend("depth", maps.colour_bar("depth"), ("near", "far"))
    return Markup(f'<div class="legends">{join([*bars, depth])}</div>')


def _legend(kind: str, bar: maps.ColourBar, ends: tuple[str, str] | None = None) -> Markup:
    """A colour bar with the values at its ends."""
    low, high = ends or (bar.labels[0][1], bar.labels[-1][1])
    colours = ", ".join(f"rgb({r} {g} {b})" for r, g, b in bar.colours)
    name = {"error": "Error", "flip": "FLIP", "depth": "Depth"}[kind]
    return Markup(
        f'<span class="note"><strong>{name}</strong> {escape(low)} '
        f'<span class="bar" style="background: linear-gradient(to right, {colours})"></span> '
        f"{escape(high)} <span>({escape(bar.unit)})</span></span>"
    )
