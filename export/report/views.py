"""The table of all views, the worst first.

ViewRecord ... --views_table--> HTML
"""

from collections.abc import Sequence

from export.compare.records import MODELS, ViewRecord
from export.report.markup import Cell, Column, Markup, table
from export.report.sections import decimal, metric_cell
from export.report.strips import quality
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
