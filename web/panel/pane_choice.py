"""What the panes show: chosen above them."""

import streamlit as st

from export.compare.records import ViewRecord
from web.panel.panes import MOST, panes
from web.panel.pictures import KINDS, TRUTH, Source, pane, references, sources
from web.panel.selection import Selection

MIXED = "Mixed"
_PREFERRED = ("teacher", "student", "onnx fp16", "onnx fp32")
_MIXTURE = ("Picture", "Picture", "Error", "FLIP")


def show(records: dict[str, ViewRecord], selection: Selection) -> None:
    """Draw the controls and the panes of one view."""
    offered = sources(records)
    if not offered:
        st.info("There is no picture of this view yet.")
        return
    kind_at, reference_at = st.columns([5, 2], vertical_alignment="bottom")
    kind = kind_at.segmented_control(
        "Show",
        (*KINDS, MIXED),
        default=KINDS[0],
        key="kind",
        required=True,
        persist_state="session",
    )
    known = references(records)
    reference = reference_at.selectbox(
        "Against",
        known,
        key="against",
        help="What errors are measured from.",
        persist_state="session",
    )
    choices = _mixed(records, offered) if kind == MIXED else _alike(offered, str(kind), records)
    shown = [pane(records, source, kind, str(reference)) for source, kind in choices]
    if shown:
        panes(shown, key="compare", background=selection.background)


def _alike(
    offered: list[Source], kind: str, records: dict[str, ViewRecord]
) -> list[tuple[Source, str]]:
    """Panes of one kind, of sources chosen by name."""
    labels = {source.label(len(records) > 1): source for source in offered}
    key = "sources"
    if not st.session_state.get("sources-touched"):
        st.session_state[key] = _usual(labels, len(records) > 1)
    st.session_state[key] = [label for label in st.session_state.get(key, []) if label in labels]

    def touched() -> None:
        st.session_state["sources-touched"] = True

    chosen = st.multiselect(
        "Panes",
        list(labels),
        key=key,
        max_selections=MOST,
        on_change=touched,
        persist_state="session",
        placeholder="Choose up to four",
    )
    if not chosen:
        st.info("Choose what to look at.")
    return [(labels[label], kind) for label in chosen]


def _usual(labels: dict[str, Source], several: bool) -> list[str]:
    """Truth and one run's models; of several runs the students first, since they are compared."""

    def rank(label: str) -> tuple[bool, int]:
        model = labels[label].model
        order = ("student", "teacher", *_PREFERRED) if several else _PREFERRED
        return model != TRUTH, order.index(model) if model in order else len(order)

    return sorted(labels, key=rank)[:MOST]


def _mixed(records: dict[str, ViewRecord], offered: list[Source]) -> list[tuple[Source, str]]:
    """Each pane for itself."""
    labels = {source.label(len(records) > 1): source for source in offered}
    names = _usual(labels, len(records) > 1)
    student = next((n for n in names if labels[n].model == "student"), names[-1])
    choices = []
    for number, column in enumerate(st.columns(MOST)):
        start = names[0] if number == 0 else student
        label = column.selectbox(
            f"Pane {number + 1}",
            list(labels),
            list(labels).index(start),
            key=f"source-{number}",
            persist_state="session",
        )
        start_kind = KINDS.index(_MIXTURE[number])
        kind = column.selectbox(
            f"Pane {number + 1} shows",
            KINDS,
            start_kind,
            key=f"kind-{number}",
            label_visibility="collapsed",
            persist_state="session",
        )
        choices.append((labels[label], kind))
    return choices
