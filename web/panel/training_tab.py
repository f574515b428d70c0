"""How training went: what teachers and students logged."""

import streamlit as st

from export.report.curves import MEASURES, Curve, training_curves
from web.panel import tables
from web.panel.selection import Selection


def show(selection: Selection) -> None:
    """Curves of all chosen runs in one chart."""
    curves = [curve for run in selection.runs for curve in training_curves(run)]
    if not curves:
        st.info(
            "None of the chosen runs has logged anything: `log.jsonl` appears with the first steps of a training."
        )
        return
    there = [measure for measure in MEASURES if any(c.measure == measure for c in curves)]
    start = there.index("test_psnr") if "test_psnr" in there else 0
    row = st.container(horizontal=True, vertical_alignment="bottom")
    measure = row.selectbox(
        "Measure",
        there,
        start,
        format_func=lambda m: MEASURES[m],
        key="measure",
        persist_state="session",
        width=420,
    )
    unit = row.segmented_control(
        "Against",
        ("minutes", "steps"),
        default="minutes",
        key="unit",
        required=True,
        persist_state="session",
    )
    chosen = [curve for curve in curves if curve.measure == measure]
    _draw(chosen, measure, str(unit))
    _ends(chosen, measure)


def _draw(curves: list[Curve], measure: str, unit: str) -> None:
    from web.panel import charts

    rows = [
        {unit: x, MEASURES[measure]: value, "training": curve.name}
        for curve in curves
        for x, value in zip(
            curve.minutes if unit == "minutes" else map(float, curve.steps),
            curve.values,
            strict=True,
        )
        if measure != "loss" or value > 0
    ]
    text = f"{MEASURES[measure]} against {unit} of training: {', '.join(c.name for c in curves)}"
    charts.lines(rows, unit, MEASURES[measure], "training", log_y=measure == "loss", alt_text=text)


def _ends(curves: list[Curve], measure: str) -> None:
    """Where each curve stands."""
    best = min if measure == "loss" else max
    digits = 5 if measure == "loss" else 2
    rows = [
        [
            curve.name,
            str(curve.steps[-1]),
            f"{curve.minutes[-1]:.1f}",
            f"{curve.values[-1]:.{digits}f}",
            f"{best(curve.values):.{digits}f}",
        ]
        for curve in curves
    ]
    st.markdown(tables.markdown(["training", "step", "minutes", "last", "best"], rows))
