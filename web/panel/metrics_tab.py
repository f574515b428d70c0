"""Figures of all views: means, views by quality, quality by how new a view is, times, the page's own bench."""

from typing import Any

import streamlit as st

from export.compare.records import ViewRecord
from export.report.benches import Bench, read_bench
from export.report.csv import METRICS
from export.report.summary import Mean, means, novelty_buckets, rank_correlation, score, worst_first
from teacher.errors import UserError
from web.panel import notices, progress, tables
from web.panel.known import known
from web.panel.selection import Selection

BENCHES = "bench-reports"
"""Key of the session's state: measurements by the name of their file."""


def show(selection: Selection) -> None:
    """Tables and a chart."""
    found = known(selection)
    progress.watch(found.jobs)
    benches = _benches()
    records = found.compared
    if not records:
        st.info("Figures come when the first view has been compared.")
        _show_times([], benches)
        return
    table = means(records)
    _show_means(records, table)
    model, reference, metric = _choose(table)
    left, right = st.columns(2, gap="large")
    with left:
        _show_views(records, model, reference, metric)
    with right:
        _show_novelty(records, model, reference, metric)
    _show_times(table, benches)


def _show_means(records: list[ViewRecord], table: list[Mean]) -> None:
    first = records[0]
    st.subheader("Means over views", anchor=False)
    rows = []
    there = [m for m in METRICS if any(_number(mean.scores.get(m)) is not None for mean in table)]
    for mean in table:
        figures = {tables.heading(m): _number(mean.scores.get(m)) for m in there}
        row = {"run": mean.run, "model": mean.model, "against": mean.reference, "views": mean.views}
        rows.append({**row, **figures, "± PSNR": mean.deviation})
    st.dataframe(rows, hide_index=True, column_config=_columns(), alt="Means over views")
    reasons = {
        f"{tables.heading(m)}: {v}"
        for mean in table
        for m, v in mean.scores.items()
        if isinstance(v, str)
    }
    what = (
        f"split {first.split}, over {first.background}, {first.width} × {first.height}; PSNR is the mean over "
        "images of −10·log₁₀(MSE) on clamped images, ± its standard deviation over views"
    )
    st.caption(" · ".join([what, *sorted(reasons)]))


def _number(value: float | str | None) -> float | None:
    return value if isinstance(value, float) else None


def _columns() -> dict[str, Any]:
    """How many decimals each column has."""
    formats = {tables.heading(metric): f"%.{tables.digits(metric)}f" for metric in METRICS}
    formats |= {
        "± PSNR": "%.2f",
        "ms": "%.1f",
        "frames/s": "%.1f",
        "degrees": "%.1f",
        "Mrays/s": "%.2f",
    }
    return {name: st.column_config.NumberColumn(format=text) for name, text in formats.items()}


def _choose(table: list[Mean]) -> tuple[str, str, str]:
    """Model, reference and metric of what stands below."""
    models = list(dict.fromkeys(mean.model for mean in table))
    row = st.container(horizontal=True)
    start = models.index("student") if "student" in models else 0
    model = row.selectbox(
        "Model", models, start, key="metrics-model", persist_state="session", width=200
    )
    against = list(dict.fromkeys(mean.reference for mean in table if mean.model == model))
    reference = row.selectbox(
        "Against", against, key="metrics-against", persist_state="session", width=200
    )
    there = [
        m
        for m in METRICS
        if any(isinstance(mean.scores.get(m), float) for mean in table if mean.model == model)
    ]
    metric = row.selectbox(
        "Metric",
        there,
        format_func=tables.heading,
        key="metrics-metric",
        persist_state="session",
        width=200,
    )
    return model, reference, metric


def _show_views(records: list[ViewRecord], model: str, reference: str, metric: str) -> None:
    st.subheader("Views", anchor=False)
    best = st.toggle("Best first", key="best-first", persist_state="session")
    ordered = [
        r
        for r in worst_first(records, model, reference, metric)
        if score(r, model, reference, metric) is not None
    ]
    ordered = ordered[::-1] if best else ordered
    several = len({record.run for record in records}) > 1
    rows = [_row(record, model, reference, several) for record in ordered]

    def open_view() -> None:
        chosen = st.session_state["views-table"].selection.rows
        if chosen:
            st.session_state["view"] = ordered[chosen[0]].name
            st.session_state["tab"] = "Compare"

    st.dataframe(
        rows,
        hide_index=True,
        column_config=_columns(),
        height=380,
        on_select=open_view,
        selection_mode="single-row",
        key="views-table",
        alt="Views by quality",
    )
    st.caption("Choose a row to look at the view.")


def _row(record: ViewRecord, model: str, reference: str, several: bool) -> dict[str, Any]:
    scores = record.scores.get(reference, {}).get(model, {})
    figures = {tables.heading(m): v for m in METRICS if isinstance(v := scores.get(m), float)}
    run = {"run": record.run} if several else {}
    return {"view": record.name, **run, **figures, "degrees": record.novelty.degrees}


def _show_novelty(records: list[ViewRecord], model: str, reference: str, metric: str) -> None:
    from web.panel import charts

    st.subheader("Quality by how new a view is", anchor=False)
    name = tables.heading(metric)
    rows = [
        {
            "degrees to the nearest training camera": record.novelty.degrees,
            name: value,
            "run": record.run,
            "view": record.name,
            "distance": record.novelty.distance,
        }
        for record in records
        if (value := score(record, model, reference, metric)) is not None
    ]
    text = f"{name} of {model} against {reference}, by degrees to the nearest training camera"
    charts.points(rows, "degrees to the nearest training camera", name, "run", alt_text=text)
    pairs = [(row["degrees to the nearest training camera"], row[name]) for row in rows]
    correlation = rank_correlation(pairs)
    if correlation is not None:
        st.caption(f"Rank correlation (Spearman) {correlation:+.2f} over {len(pairs)} views.")
    buckets = novelty_buckets(records, model, reference, metric)
    digits = tables.digits(metric)
    lines = [
        [
            f"{b.low:g}° to {b.high:g}°",
            str(b.views),
            f"{b.mean:.{digits}f}",
            f"{b.deviation:.{digits}f}",
        ]
        for b in buckets
    ]
    st.markdown(tables.markdown(["new by", "views", f"mean {name}", "±"], lines))


def _show_times(table: list[Mean], benches: list[Bench]) -> None:
    """Milliseconds of each model on this machine, and of the page in browsers."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for mean in table:
        if mean.milliseconds is not None:
            rows.setdefault((mean.run, mean.model), _time_row(mean))
    found = [*rows.values(), *map(_bench_row, benches)]
    if found:
        st.subheader("Time for a frame", anchor=False)
        st.dataframe(found, hide_index=True, column_config=_columns(), alt="Time for a frame")
        st.caption(
            "Here: a view at its full size, on this machine while it does other things too. "
            "Half precision on a CPU imitates a graphics card's, and is slower. In a browser: its own bench."
        )


def _time_row(mean: Mean) -> dict[str, Any]:
    rays = mean.rays_per_second
    return {
        "run": mean.run,
        "model": mean.model,
        "where": "here",
        "ms": mean.milliseconds,
        "frames/s": mean.fps,
        "Mrays/s": None if rays is None else rays / 1e6,
    }


def _bench_row(bench: Bench) -> dict[str, Any]:
    return {
        "run": bench.scene,
        "model": f"onnx {bench.precision}, {bench.form}",
        "where": f"{bench.browser}: {bench.place}",
        "ms": bench.milliseconds["total"].median,
        "frames/s": bench.fps,
        "Mrays/s": bench.rays_per_second / 1e6,
        "PSNR, dB": bench.mean_psnr,
    }


def _benches() -> list[Bench]:
    """The page's measurements that were dropped here, in this visit; the report has them too."""
    kept: dict[str, Bench] = st.session_state.setdefault(BENCHES, {})
    with st.expander("Add what the page measured (its ?bench JSON)", icon=":material/speed:"):
        files = st.file_uploader(
            "Bench reports",
            "json",
            accept_multiple_files=True,
            key="benches",
            label_visibility="collapsed",
        )
        if kept:
            st.button("Forget them", key="forget-benches", on_click=kept.clear)
    for file in files:
        try:
            kept[file.name] = read_bench(file.getvalue(), file.name)
        except UserError as error:
            notices.show_problem(error)
    return list(kept.values())
