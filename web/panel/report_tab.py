"""What is known, as files: one HTML page that needs no server, and a CSV row for each view and model."""

import streamlit as st

from export.report.csv import csv_text, rows
from web.panel import progress
from web.panel.known import known
from web.panel.selection import Selection


def show(selection: Selection) -> None:
    """Downloads."""
    found = known(selection)
    progress.watch(found.jobs)
    records = found.compared
    if not records:
        st.info("There is something to report when the first view has been compared.")
        return
    text = csv_text(rows(selection.runs, records))
    name = "-".join(run.name.replace("/", "-") for run in selection.runs)
    st.download_button(
        "Download CSV",
        text,
        f"{name}.csv",
        "text/csv",
        icon=":material/table:",
        on_click="ignore",
        key="csv",
    )
