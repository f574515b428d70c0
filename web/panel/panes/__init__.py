"""Up to four pictures side by side in a Streamlit page: one zoom for all, a slider between any two, films, a camera.

    Pane(title, frames) ... --panes--> component in the page (js/*.mjs as one script, panes.css)
         frames: PNG, named by their content (media.py)       |
         PanesState(orbit) <------------- a drag on a pane ---+

Zoom, divider, mode and place in the film belong to the page: they outlive reruns, and changing them causes none. Only a
camera that is turned comes back here. A picture that has not changed is not sent again.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from web.panel.panes.media import Frames, addresses, read_frames
from web.panel.panes.script import joined

HERE = Path(__file__).parent
MOST = 4
"""Panes in one row of pictures."""
STEEPEST = math.radians(89)
"""As `teacher.pseudo.envelope.STEEPEST`: at the pole, "up" means nothing."""

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Legend:
    """A colour bar: what the colours of a map mean."""

    low: float
    """Value of the first colour."""
    high: float
    colours: tuple[Rgb, ...]
    """sRGB bytes at equal steps from `low` to `high`; two or more."""
    unit: str = ""

    def __post_init__(self) -> None:
        if len(self.colours) < 2:
            raise ValueError(f"a legend of {len(self.colours)} colours; expected 2 or more")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"a legend from {self.low} to {self.high}; expected low < high")
        if any(not 0 <= value <= 255 for colour in self.colours for value in colour):
            raise ValueError("a legend's colours are bytes: 0 to 255")


@dataclass(frozen=True)
class Pane:
    """One picture, or the frames of a film."""

    title: str
    frames: tuple[bytes | Path, ...]
    """PNG (or JPEG, WebP) files. Empty or unreadable: the pane says so."""
    caption: str = ""
    """Such as "31.42 dB · 12 ms"."""
    legend: Legend | None = None


@dataclass(frozen=True)
class Orbit:
    """A camera that looks at the pivot, or around; angles in radians, as in `teacher.pseudo.envelope`."""

    azimuth: float
    elevation: float
    radius: float
    """In norm units, as there."""

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.azimuth, self.elevation, self.radius))):
            raise ValueError(f"{self}: expected finite numbers")
        if self.radius <= 0:
            raise ValueError(f"{self}: expected a radius above 0")


@dataclass(frozen=True)
class Reach:
    """Where a hand may bring the camera."""

    azimuth: tuple[float, float] | None = None
    """None: all the way round."""
    elevation: tuple[float, float] = (-STEEPEST, STEEPEST)
    radius: tuple[float, float] | None = None
    """None: as near and as far as one likes."""
    around: bool = False
    """Whether it looks around from the pivot, and not at it."""


@dataclass(frozen=True)
class PanesState:
    """What visitors did."""

    orbit: Orbit | None = None
    """The camera they turned to; None while nobody did, or without `steer`."""


def panes(
    pictures: Sequence[Pane],
    *,
    key: str,
    slider: tuple[int, int] | None = None,
    fps: float = 24.0,
    steer: Orbit | None = None,
    reach: Reach | None = None,
    on_steer: Callable[[], None] | None = None,
    background: str | None = None,
) -> PanesState:
    """Show `pictures` beside each other.

    Args:
        pictures: One to four. Films (several frames) run in step; those that are shorter rest on their last frame.
        key: Names this row of panes within the page.
        slider: Two of the panes, to begin with one above the other and a divider between them.
        fps: Of films, frames per second.
        steer: The camera that the pictures were rendered from. A drag then turns it, the wheel changes its radius; at
            most one request is under way, and the newest one wins. See `steered`.
        reach: How far the camera may be turned; None: everywhere above and below, at any distance.
        on_steer: Called before the page runs again because the camera was turned; `steered(key)` has it then.
        background: CSS colour behind transparent pictures; None: chequers.

    Raises:
        ValueError: No picture or more than four, a divider between panes that are not there, a frame rate that is
            none.
    """
    _check(pictures, slider, fps)
    asked = _asked(key)
    films = [read_frames(pane) for pane in pictures]
    data = {
        "key": key,
        "panes": [_plain(pane, film) for pane, film in zip(pictures, films, strict=True)],
        "files": addresses(films, key),
        "slider": slider,
        "fps": fps,
        "background": background,
        "steer": None if steer is None else {**asdict(steer), "answers": asked.get("serial", 0)},
        "reach": asdict(reach or Reach()),
    }
    _component()(data=data, key=key, on_orbit_change=on_steer or _nothing)
    return PanesState(None if steer is None else steered(key))


def steered(key: str, otherwise: Orbit | None = None) -> Orbit | None:
    """The camera that the panes of this `key` were turned to; before `panes` runs, to render for it."""
    asked = _asked(key)
    try:
        return Orbit(*(float(asked[name]) for name in ("azimuth", "elevation", "radius")))
    except (KeyError, TypeError, ValueError):
        return otherwise


def _nothing() -> None:
    pass


def _asked(key: str) -> dict[str, Any]:
    """What the page said last: a camera and a serial number; empty before it said anything."""
    import streamlit as st

    state = st.session_state.get(key)
    orbit = state.get("orbit") if isinstance(state, dict) else None
    return orbit if isinstance(orbit, dict) else {}


def _check(pictures: Sequence[Pane], slider: tuple[int, int] | None, fps: float) -> None:
    if not 1 <= len(pictures) <= MOST:
        raise ValueError(f"{len(pictures)} panes; expected 1 to {MOST}")
    if slider is not None:
        first, second = slider
        if first == second or not all(0 <= k < len(pictures) for k in slider):
            raise ValueError(f"slider {slider}; expected two of {len(pictures)} panes")
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"{fps} frames per second; expected a number above 0")


def _plain(pane: Pane, film: Frames) -> dict[str, Any]:
    return {
        "title": pane.title,
        "caption": pane.caption,
        "legend": None if pane.legend is None else asdict(pane.legend),
        "frames": film.names,
        "size": film.size,
        "problem": film.problem,
    }


@cache
def _component() -> Callable[..., Any]:
    from streamlit.components import v2

    return v2.component(
        "pocketfield.panes",
        css=(HERE / "panes.css").read_text(),
        js=joined(HERE / "js" / "index.mjs"),
    )
