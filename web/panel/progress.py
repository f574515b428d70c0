"""How far comparisons are; the rest of the page stays usable meanwhile."""

from collections.abc import Sequence

import streamlit as st

from web.panel import notices
from web.panel.work import COMPARISONS, Job

_LOOK_SECONDS = 1.0
_REDRAW_VIEWS = 4
"""The page is drawn again for the first view and for every so many."""


def watch(jobs: Sequence[Job]) -> None:
    """A bar for each comparison under way, in the column on the left; an explanation for each that failed."""
    pending = [job for job in jobs if not job.finished]
    seen = [(job.state, job.done) for job in jobs]
    with st.sidebar:
        st.fragment(_watch, run_every=_LOOK_SECONDS if pending else None)(jobs, seen)
    for job in jobs:
        if job.state == "failed":
            _failed(job)


def _watch(jobs: Sequence[Job], seen: Sequence[tuple[str, int]]) -> None:
    for job in jobs:
        if not job.finished:
            st.progress(job.done / max(job.total, 1), _text(job))
    if any(_worth_drawing(job, *old) for job, old in zip(jobs, seen, strict=True)):
        st.rerun()


def _worth_drawing(job: Job, state: str, done: int) -> bool:
    return (
        (job.finished and job.state != state)
        or (done == 0 < job.done)
        or job.done - done >= _REDRAW_VIEWS
    )


def _text(job: Job) -> str:
    if job.state == "waiting" or job.total == 0:
        return f"{notices.plain(job.run.name)}: looking for what has changed"
    return f"{notices.plain(job.run.name)}: {job.done} of {job.total} views compared"


def _failed(job: Job) -> None:
    if job.problem is not None:
        notices.show_problem(job.problem)
    if st.button("Try again", key=f"again-{job.key}"):
        COMPARISONS.forget(job)
        st.rerun()
