"""A strip of thumbnails to choose a view from: pictures in a list box, with arrow keys.

Thumbnail ... --thumbnails--> component in the page (strip.mjs, strip.css) --chosen--> st.session_state[into]
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Thumbnail:
    """One view."""

    name: str
    caption: str
    """Such as "29.2 dB"."""
    picture: str
    """Address of the picture, such as a data URL; empty: none yet."""


def thumbnails(items: Sequence[Thumbnail], *, label: str, into: str) -> None:
    """Show `items`; the name of the one chosen is kept in `st.session_state[into]`.

    Args:
        items: at least one.
        label: what the list is called for those who do not see it.
        into: key of the session's state: read, and written when a visitor chooses.
    """
    key = f"{into}-strip"

    def chose() -> None:
        st.session_state[into] = st.session_state[key]["chosen"]

    data = {
        "label": label,
        "items": [asdict(item) for item in items],
        "chosen": st.session_state.get(into),
    }
    _component()(data=data, key=key, on_chosen_change=chose)


@cache
def _component() -> Callable[..., Any]:
    from streamlit.components.v2 import component

    return component(
        "pocketfield.thumbnails",
        css=(_HERE / "strip.css").read_text(),
        js=(_HERE / "strip.mjs").read_text(),
    )
