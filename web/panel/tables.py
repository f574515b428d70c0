"""Figures as tables in Markdown: they come with the page, where a data frame needs pandas first."""

from collections.abc import Sequence

import streamlit as st

from export.compare.records import ViewRecord

_UNITS = {
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 4),
    "ms_ssim": ("MS-SSIM", 4),
    "flip": ("FLIP", 4),
    "lpips": ("LPIPS", 4),
}


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the others are aligned to the right."""
    align = [":--", *["--:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, align, *rows])


def number(value: float | str | None, digits: int) -> str:
    """`value` with `digits` decimals; text and nothing become a dash."""
    return f"{value:.{digits}f}" if isinstance(value, float) else "–"


def heading(metric: str) -> str:
    """What to call a metric at the head of a column."""
    return _UNITS.get(metric, (metric, 3))[0]


def digits(metric: str) -> int:
    """How many decimals of a metric mean something."""
    return _UNITS.get(metric, (metric, 3))[1]


def show_view(records: dict[str, ViewRecord]) -> None:
    """Every model of every run against every reference, for one view."""
    metrics = list(
        dict.fromkeys(
            m for r in records.values() for by in r.scores.values() for s in by.values() for m in s
        )
    )
    rows, reasons = [], set()
    for run, record in records.items():
        for reference, by_model in record.scores.items():
            for model, scores in by_model.items():
                who = f"{run} · {model}" if len(records) > 1 else model
                values = [number(scores.get(m), digits(m)) for m in metrics]
                rows.append([who, reference, *values, number(record.milliseconds.get(model), 1)])
                reasons |= {f"{heading(m)}: {s}" for m, s in scores.items() if isinstance(s, str)}
    if rows:
        st.markdown(markdown(["model", "against", *map(heading, metrics), "ms"], rows))
        st.caption(" · ".join([_what(next(iter(records.values()))), *sorted(reasons)]))


def _what(record: ViewRecord) -> str:
    size = f"{record.width} × {record.height}"
    return f"{record.name}, split {record.split}, over {record.background}, {size}"
