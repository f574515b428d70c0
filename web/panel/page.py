"""The page as a whole: settings, sidebar, tabs; only the tab that is looked at runs."""

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import streamlit as st

from web.panel import notices, sidebar
from web.panel.selection import Selection

ICON = Path(__file__).parents[1] / "viewer" / "public" / "icon.svg"
"""A file of ours: the page asks for icons that it names on the internet."""
TABS = {
    "Compare": "web.panel.compare_tab",
    "Free camera": "web.panel.camera_tab",
    "Metrics": "web.panel.metrics_tab",
    "Capture": "web.panel.capture_tab",
    "Training": "web.panel.training_tab",
    "Trade-off": "web.panel.tradeoff_tab",
    "Sweeps": "web.panel.sweeps_tab",
    "Report": "web.panel.report_tab",
}
"""Modules with `show(selection)`, imported when their tab is first opened."""


_STYLE = """<style>
.stMainBlockContainer { padding-inline: clamp(1rem, 3vw, 3rem); }
.stSidebar .stHeading { margin-top: -2.5rem; }
</style>"""


def main(arguments: Sequence[str]) -> None:
    """Draw the page; Streamlit calls this again after everything a visitor does."""
    st.set_page_config("Pocketfield", str(ICON), layout="wide")
    st.html(_STYLE)
    root = _runs_folder(arguments)
    selection = sidebar.choose(root)
    if selection is None:
        return
    for name, tab in zip(
        TABS, st.tabs(list(TABS), key="tab", on_change="rerun", bind="query-params"), strict=True
    ):
        if tab.open:
            with tab, notices.friendly(f"showing {name}"):
                _show(TABS[name], selection)


def _show(module: str, selection: Selection) -> None:
    import_module(module).show(selection)


def _runs_folder(arguments: Sequence[str]) -> Path:
    parser = argparse.ArgumentParser(prog="streamlit run web/panel/app.py --")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders")
    return parser.parse_known_args(arguments)[0].runs
