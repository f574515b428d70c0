"""Rate against distortion: what an export costs a visitor, and how good it is."""

from typing import Any

import streamlit as st

from export.report.tradeoff import ExportPoint, rate_distortion
from web.panel import progress
from web.panel.known import known
from web.panel.selection import Selection

COSTS = {"megabytes": "MB to download", "gflop": "GFLOP for a frame"}


def show(selection: Selection) -> None:
    """A chart and its table."""
    found = known(selection)
    progress.watch(found.jobs)
    records = found.compared
    points = [point for run in selection.runs for point in rate_distortion(run, records)]
    if not points:
        st.info(
            "None of the chosen runs has a bundle with known quality: `make export` writes one."
        )
        return
    row = st.container(horizontal=True, vertical_alignment="bottom")
    cost = row.segmented_control(
        "Cost",
        tuple(COSTS),
        default="megabytes",
        format_func=COSTS.__getitem__,
        key="cost",
        required=True,
        persist_state="session",
    )
    teachers = row.toggle("Teachers too", key="with-teachers", persist_state="session")
    shown = [p for p in points if teachers or p.model != "teacher"]
    _draw([p for p in shown if getattr(p, str(cost)) is not None], str(cost))
    st.dataframe(
        [_row(point) for point in points], hide_index=True, column_config=_columns(), alt="Exports"
    )
    st.caption(
        "The WebGPU form runs on graphics cards; its quality is taken to be the whole graph's, and “agreement” says "
        "how far from torch its export measured it at worst."
    )


def _draw(points: list[ExportPoint], cost: str) -> None:
    from web.panel import charts

    quality = "PSNR, dB"
    rows = [
        {
            COSTS[cost]: getattr(p, cost),
            quality: p.psnr,
            "form": f"{p.run}: {p.form}",
            "model": p.model.removeprefix("onnx "),
        }
        for p in points
    ]
    if not rows:
        st.info("The number of operations is not known of these.")
        return
    text = f"{quality} by {COSTS[cost]}"
    charts.points(
        rows,
        COSTS[cost],
        quality,
        "form",
        label="model",
        log_x=cost == "megabytes",
        least_span=2.0,
        alt_text=text,
    )


def _row(point: ExportPoint) -> dict[str, Any]:
    size = None if point.width is None else f"{point.width} × {point.height}"
    return {
        "run": point.run,
        "model": point.model,
        "form": point.form,
        "MB": point.megabytes,
        "GFLOP": point.gflop,
        "frame": size,
        "PSNR, dB": point.psnr,
        "against": point.reference,
        "views": point.views,
        "agreement, dB": point.agreement,
        "measured": point.source,
    }


def _columns() -> dict[str, Any]:
    formats = {"MB": "%.2f", "GFLOP": "%.3f", "PSNR, dB": "%.2f", "agreement, dB": "%.1f"}
    return {name: st.column_config.NumberColumn(format=text) for name, text in formats.items()}
