"""The column on the left: which runs, over which background, and what they lack."""

import time
from pathlib import Path

import streamlit as st

from export.runs import Run, find_runs, no_runs
from web.panel import notices, viewer_page
from web.panel.selection import BACKGROUNDS, SPLITS, Selection

MOST_RUNS = 4
_LISTED_SECONDS = 3.0


def choose(root: Path) -> Selection | None:
    """Draw the column; None where there is nothing to look at, and then the page says why."""
    runs = _listed(str(root))
    with st.sidebar:
        st.title("Pocketfield", anchor=False)
    if not runs:
        _nothing(root)
        return None
    with st.sidebar:
        chosen = _choose_runs(runs)
        left, right = st.columns(2)
        background = left.selectbox("Background", BACKGROUNDS, key="background")
        split = right.selectbox("Views", SPLITS, key="split", help="Split of the photographs.")
        for run in chosen:
            _show_run(run)
    if not chosen:
        st.info("Choose a run in the column on the left.", icon=":material/arrow_back:")
        return None
    return Selection(tuple(chosen), split, background, root)


@st.cache_data(ttl=_LISTED_SECONDS, show_spinner=False)
def _listed(root: str) -> list[Run]:
    return find_runs(Path(root))


def _nothing(root: Path) -> None:
    st.header("Nothing to look at yet", anchor=False)
    st.write(
        "The panel shows what training has left behind. This trains the built-in scene, teacher and student, "
        "exports it and builds its page; it takes about ten minutes without a GPU:"
    )
    notices.show_lacks([no_runs(root)])
    st.caption(f"Looked in {root.resolve()}. Another place: `make panel RUNS=path/to/runs`.")


def _choose_runs(runs: list[Run]) -> list[Run]:
    by_name = {run.name: run for run in runs}
    # A run may have been deleted since it was chosen.
    if "runs" in st.session_state:
        st.session_state["runs"] = [name for name in st.session_state["runs"] if name in by_name]
    names = st.multiselect(
        "Runs",
        list(by_name),
        default=None if "runs" in st.session_state else [runs[0].name],
        key="runs",
        max_selections=MOST_RUNS,
        placeholder="Choose runs",
        help="Newest first; several to compare experiments.",
        bind="query-params",
    )
    return [by_name[name] for name in names]


def _show_run(run: Run) -> None:
    with st.container(border=True):
        st.markdown(f"**{notices.plain(run.name)}**  \n{_stages(run)}")
        st.caption(f"{_age(time.time() - run.changed)} · {notices.plain(str(run.folder))}")
        viewer_page.offer(run)
        if run.lacks:
            with st.expander(f"{len(run.lacks)} missing", icon=":material/build:"):
                notices.show_lacks(run.lacks)


def _stages(run: Run) -> str:
    there = {"teacher": run.teacher, "student": run.student, "bundle": run.bundle}
    return " ".join(
        f":{'green' if path else 'gray'}-badge[{'✓' if path else '–'} {stage}]"
        for stage, path in there.items()
    )


def _age(seconds: float) -> str:
    """How long ago, in the largest unit that fits.

    >>> _age(50), _age(7200), _age(200000)
    ('just now', '2 h ago', '2 days ago')
    """
    for unit, length in ((" days", 86400), (" h", 3600), (" min", 60)):
        if seconds >= length * (2 if unit == " days" else 1):
            return f"{seconds / length:.0f}{unit} ago"
    return "just now"
