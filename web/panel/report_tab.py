"""What is known, as files: one HTML page that needs no server, and a CSV row for each view and model."""

from collections.abc import Sequence

import streamlit as st

from export.compare.records import ViewRecord
from export.report.benches import Bench
from export.report.csv import csv_text, rows
from web.panel import progress, viewer_page
from web.panel.known import known
from web.panel.metrics_tab import BENCHES
from web.panel.selection import Selection
from web.panel.work import MODELS


def show(selection: Selection) -> None:
    """Downloads, and the pages of the runs."""
    found = known(selection)
    progress.watch(found.jobs)
    records = found.compared
    st.subheader("Report", anchor=False)
    if records:
        _offer(selection, records)
    else:
        st.info("There is something to report when the first view has been compared.")
    st.subheader("Pages", anchor=False)
    st.caption(
        "What visitors get: the viewer with the exported student in it, served from this machine."
    )
    for run in selection.runs:
        viewer_page.offer(run, run.name)


def _offer(selection: Selection, records: Sequence[ViewRecord]) -> None:
    st.write(
        f"{len(records)} compared views as one HTML file that needs no server and nothing from the internet, "
        "and as a CSV table with a row for each view and model."
    )
    benches = list(st.session_state.get(BENCHES, {}).values())
    name = "-".join(run.name.replace("/", "-") for run in selection.runs)
    with st.container(horizontal=True):
        # What is written is made when somebody wants it: pictures for the page take seconds.
        st.download_button(
            "Download HTML",
            lambda: html(selection, records, benches),
            f"{name}.html",
            "text/html",
            key="html",
            type="primary",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Download CSV",
            lambda: table(selection, records, benches),
            f"{name}.csv",
            "text/csv",
            key="csv",
            icon=":material/table:",
            on_click="ignore",
        )
    st.caption("The same without the panel: `python -m export report RUN… --output report.html`.")


def html(selection: Selection, records: Sequence[ViewRecord], benches: Sequence[Bench] = ()) -> str:
    """The report's page."""
    from export.report.page import report_html

    opened = [(run.name, MODELS.known(run)) for run in selection.runs]
    problems = [
        (name, lack) for name, models in opened if models is not None for lack in models.problems
    ]
    return report_html(selection.runs, records, benches, problems)


def table(
    selection: Selection, records: Sequence[ViewRecord], benches: Sequence[Bench] = ()
) -> str:
    """The CSV table."""
    return csv_text(rows(selection.runs, records, benches))
