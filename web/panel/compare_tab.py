"""One view of the data set through everything that the chosen runs have."""

import math
from collections.abc import Sequence

import streamlit as st

from export.compare.records import ViewRecord
from teacher.crop.files import NAME as CROP
from web.panel import notices, pane_choice, progress, tables
from web.panel.known import Known, known, ordered, quality, thumbnail
from web.panel.selection import Selection
from web.panel.thumbnails import Thumbnail, thumbnails

ORDERS = ("Worst first", "Best first", "By name")


def show(selection: Selection) -> None:
    """Thumbnails, panes, figures."""
    found = known(selection)
    progress.watch(found.jobs)
    if not found.records:
        if found.complete:
            st.info(f"The chosen runs have no views to compare in split “{selection.split}”.")
        else:
            st.info("The first picture comes when the models are open: some seconds.")
        return
    name = _choose_view(found, selection)
    records = found.records[name]
    _tell_crops(selection)
    pane_choice.show(records, selection)
    tables.show_view(records)


def _tell_crops(selection: Selection) -> None:
    """Which runs show the object alone: their figures are not those of whole photographs."""
    cropped = [
        notices.plain(run.name)
        for run in selection.runs
        if run.teacher is not None and (run.teacher / CROP).exists()
    ]
    if cropped:
        st.caption(
            f"Cropped: {', '.join(cropped)}. The photograph counts where the teacher's alpha is above 0.5."
        )


def _choose_view(found: Known, selection: Selection) -> str:
    """Draw the strip of thumbnails; the name of the view chosen."""
    row = st.container(horizontal=True, vertical_alignment="center")
    heading = row.empty()
    order = row.segmented_control(
        "Order",
        ORDERS,
        default=ORDERS[-1],
        key="order",
        persist_state="session",
        label_visibility="collapsed",
        required=True,
    )
    names = ordered(found, selection.runs[0].name, str(order))
    if st.session_state.get("view") not in names:
        st.session_state["view"] = names[0]
    here = names.index(st.session_state["view"])
    heading.markdown(f"#### View {here + 1} of {len(names)}: {notices.plain(names[here])}")
    with row:
        _step("Previous", ":material/chevron_left:", "Left", names[here - 1])
        _step("Next", ":material/chevron_right:", "Right", names[(here + 1) % len(names)])
    items = [_thumbnail(name, list(found.records[name].values())) for name in names]
    thumbnails(items, label="Views", into="view")
    return st.session_state["view"]


def _step(label: str, icon: str, shortcut: str, target: str) -> None:
    def go() -> None:
        st.session_state["view"] = target

    st.button(label, key=f"{label} view", icon=icon, shortcut=shortcut, on_click=go)


def _thumbnail(name: str, records: Sequence[ViewRecord]) -> Thumbnail:
    value = quality(records[0])
    caption = name if math.isnan(value) else f"{value:.1f} dB"
    return Thumbnail(name, caption, thumbnail(records))
