"""Charts that answer the pointer, by Altair (which comes with Streamlit, and asks nothing of the internet).

The look is `web/panel/.streamlit/config.toml`'s, so that light and dark both read well.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

HEIGHT = 380
Row = dict[str, Any]


def lines(rows: Sequence[Row], x: str, y: str, colour: str, *, log_y: bool, alt_text: str) -> None:
    """A line for each value of `colour`."""
    hovered = alt.selection_point(fields=[colour], bind="legend")
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_line(strokeWidth=2)
        .encode(
            alt.X(_field(x), type="quantitative", title=x),
            alt.Y(
                _field(y),
                type="quantitative",
                title=y,
                scale=alt.Scale(type="log") if log_y else alt.Scale(zero=False),
            ),
            alt.Color(_field(colour), type="nominal", title=None, legend=_LEGEND),
            opacity=alt.condition(hovered, alt.value(1), alt.value(0.15)),
            tooltip=_tooltip(rows),
        )
        .add_params(hovered)
        .properties(height=HEIGHT)
        .interactive()
    )
    st.altair_chart(chart, width="stretch", alt=alt_text)


def points(
    rows: Sequence[Row],
    x: str,
    y: str,
    colour: str,
    *,
    label: str = "",
    log_x: bool = False,
    least_span: float = 0.0,
    alt_text: str,
) -> None:
    """A dot for each row, with the field `label` written beside it; the y axis spans `least_span` at least."""
    x_scale = alt.Scale(type="log", nice=False, padding=40) if log_x else alt.Scale(zero=False)
    base = alt.Chart(pd.DataFrame(rows)).encode(
        alt.X(_field(x), type="quantitative", title=x, scale=x_scale),
        alt.Y(
            _field(y),
            type="quantitative",
            title=y,
            scale=_scale([row[y] for row in rows], least_span),
        ),
        alt.Color(_field(colour), type="nominal", title=None, legend=_LEGEND),
        tooltip=_tooltip(rows),
    )
    chart: Any = base.mark_point(size=90, filled=True, opacity=0.85)
    if label:  # those of one colour above their dots, those of the next below: forms of one model lie close
        for number, name in enumerate(dict.fromkeys(row[colour] for row in rows)):
            text = base.transform_filter(alt.FieldEqualPredicate(name, field=_field(colour)))
            mark = text.mark_text(align="left", dx=8, dy=14 if number % 2 else -9)
            chart = chart + mark.encode(text=alt.Text(_field(label), type="nominal"))
    st.altair_chart(chart.properties(height=HEIGHT).interactive(), width="stretch", alt=alt_text)


def _scale(values: Sequence[float], least_span: float) -> alt.Scale:
    """Around `values`, with room for dots at the edges."""
    low, high = min(values), max(values)
    missing = max(0.0, least_span - (high - low)) / 2
    return alt.Scale(domain=[low - missing, high + missing], padding=20, nice=False)


_LEGEND = alt.Legend(orient="top", labelLimit=400, columns=4, symbolType="circle")


def _field(name: str) -> str:
    """`name` as Vega reads it: dots and brackets would go into objects."""
    escaped = name
    for sign in "\\.[]:":
        escaped = escaped.replace(sign, f"\\{sign}")
    return escaped


def _tooltip(rows: Sequence[Row]) -> list[alt.Tooltip]:
    found = []
    for name, value in rows[0].items():
        number = isinstance(value, float)
        kind = "quantitative" if number else "nominal"
        found.append(
            alt.Tooltip(_field(name), type=kind, title=name, format=".4~g" if number else "")
        )
    return found
