"""A free camera: turned by sliders or by a drag on a pane, and moved along paths."""

import math
from typing import TYPE_CHECKING

import streamlit as st

from export.runs import Run
from web.panel import film_box, notices
from web.panel.panes import MOST, Orbit, Pane, Reach, panes, steered
from web.panel.pictures import Source
from web.panel.selection import Selection
from web.panel.work import COMPARISONS, MODELS, Opened

if TYPE_CHECKING:
    from export.compare.contenders import Contenders
    from teacher.cameras import Camera
    from teacher.pseudo.envelope import Envelope

SIZES = (64, 128, 200, 256, 400, 800)
_LOOK_SECONDS = 0.5
_REST_SECONDS = 3.0
"""For how long comparing waits after a picture that somebody waited for."""
_FARTHER = 3.0
_STEEPEST = 89.0
_PANES = "camera-panes"
_MODELS = "camera-models"


def show(selection: Selection) -> None:
    """Sliders, panes, films."""
    opened = {run.name: MODELS.ask(run) for run in selection.runs}
    if not all(one.ready for one in opened.values()):
        st.fragment(_wait, run_every=_LOOK_SECONDS)(opened)
        return
    usable = {}
    for run in selection.runs:
        _say(run, opened[run.name])
        contenders = opened[run.name].contenders
        if contenders is not None and contenders.renderers:
            usable[run.name] = opened[run.name]
    if not usable:
        st.info(
            "None of the chosen runs has a model that renders: see what they lack, on the left."
        )
        return
    st.fragment(_steer)(usable, selection)
    film_box.show(usable, selection)


def _wait(opened: dict[str, Opened]) -> None:
    if all(one.ready for one in opened.values()):
        st.rerun()
    st.info("Opening models: some seconds, once.", icon=":material/hourglass_top:")


def _say(run: Run, opened: Opened) -> None:
    if opened.problem is not None:
        notices.show_problem(opened.problem)
    elif opened.contenders is not None and opened.contenders.problems:
        with st.expander(f"{run.name}: not everything could be opened", icon=":material/build:"):
            notices.show_lacks(opened.contenders.problems)


def _steer(usable: dict[str, Opened], selection: Selection) -> None:
    """The part of the page that runs again when the camera moves."""
    from web.panel import rendering

    COMPARISONS.rest(_REST_SECONDS)
    first = next(iter(usable.values())).contenders
    assert first is not None
    chosen = _choose_models(usable)
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    side = left.select_slider("Size, pixels", SIZES, value=128, key="side", persist_state="session")
    outside = right.toggle("Views outside what was trained", key="outside", persist_state="session")
    orbit = _sliders(first, selection.runs[0].name, outside)
    if not chosen:
        return
    camera = rendering.orbit_camera(orbit, first, int(side))
    if rendering.is_outside(first.envelope, camera):
        st.warning(
            "This camera is outside the views that the student was trained for.",
            icon=":material/explore_off:",
        )
    shown = shots(usable, chosen, camera)
    reach = None if outside else _reach(first.envelope)
    steer = {"steer": orbit, "reach": reach, "on_steer": _steered}
    panes(shown, key=_PANES, background=selection.background, **steer)


def chosen_models(usable: dict[str, Opened]) -> list[Source]:
    """The models that were chosen last: those of the first run, up to four, to begin with."""
    labels = _offered(usable)
    kept = st.session_state.get(_MODELS, list(labels)[:MOST])
    return [labels[label] for label in kept if label in labels]


def _choose_models(usable: dict[str, Opened]) -> list[Source]:
    labels = _offered(usable)
    usual = [source.label(len(usable) > 1) for source in chosen_models(usable)]
    if _MODELS in st.session_state:
        st.session_state[_MODELS] = usual
    names = st.multiselect(
        "Models",
        list(labels),
        default=None if _MODELS in st.session_state else usual,
        key=_MODELS,
        max_selections=MOST,
        persist_state="session",
        placeholder="Choose up to four",
    )
    return [labels[name] for name in names]


def _offered(usable: dict[str, Opened]) -> dict[str, Source]:
    """Models of the opened runs by label."""
    sources = [
        Source(run, model)
        for run, opened in usable.items()
        if opened.contenders is not None
        for model in opened.contenders.renderers
    ]
    return {source.label(len(usable) > 1): source for source in sources}


def _sliders(contenders: "Contenders", run: str, outside: bool) -> Orbit:
    """Azimuth, elevation and radius; they begin at the run's own view, and again when the run changes."""
    from web.panel.rendering import starting_orbit

    if st.session_state.get("orbit-of") != run:
        st.session_state["orbit-of"] = run
        _set(starting_orbit(contenders))
    if not outside:
        _set(_inside(contenders.envelope))
    limits = _limits(contenders.envelope, outside)
    values = []
    units = {"azimuth": "°", "elevation": "°", "radius": ""}
    for column, (name, (low, high)) in zip(st.columns(3), limits.items(), strict=True):
        st.session_state[name] = min(max(st.session_state[name], low), high)
        step = 0.5 if units[name] else 0.01
        values.append(
            column.slider(
                name.capitalize(),
                low,
                high,
                key=name,
                step=step,
                format=f"%.{1 if units[name] else 2}f{units[name]}",
                persist_state="session",
            )
        )
    return Orbit(math.radians(values[0]), math.radians(values[1]), values[2])


def _inside(envelope: "Envelope") -> Orbit:
    """What the sliders say, at an elevation and a radius that are trained at its azimuth."""
    azimuth, elevation = (math.radians(st.session_state[name]) for name in ("azimuth", "elevation"))
    low, high, near, far = envelope.band(azimuth)
    radius = min(max(st.session_state["radius"], near), far)
    return Orbit(azimuth, min(max(elevation, low), high), radius)


def _limits(envelope: "Envelope", outside: bool) -> dict[str, tuple[float, float]]:
    """Ranges of the sliders: degrees, and norm units."""
    near, far = envelope.radius
    if outside:
        turn, rise = (-180.0, 180.0), (-_STEEPEST, _STEEPEST)
        return {"azimuth": turn, "elevation": rise, "radius": (near / _FARTHER, far * _FARTHER)}
    turn = tuple(math.degrees(angle) for angle in envelope.azimuth)
    rise = tuple(math.degrees(angle) for angle in envelope.elevation)
    return {"azimuth": (turn[0], turn[1]), "elevation": (rise[0], rise[1]), "radius": (near, far)}


def _reach(envelope: "Envelope") -> Reach:
    turn = None if envelope.whole_orbit else envelope.azimuth
    return Reach(turn, envelope.elevation, envelope.radius, bool(envelope.outlook))


def _steered() -> None:
    """The camera was turned by hand: the sliders follow."""
    orbit = steered(_PANES)
    if orbit is not None:
        _set(orbit)


def _set(orbit: Orbit) -> None:
    st.session_state["azimuth"] = math.degrees(math.remainder(orbit.azimuth, math.tau))
    st.session_state["elevation"] = math.degrees(orbit.elevation)
    st.session_state["radius"] = orbit.radius


def shots(usable: dict[str, Opened], chosen: list[Source], camera: "Camera") -> list[Pane]:
    """A pane for each model, in the order chosen."""
    from web.panel.rendering import render

    found = {}
    for run, opened in usable.items():
        models = [source.model for source in chosen if source.run == run]
        if models and opened.contenders is not None:
            with opened.lock:
                seen = render(opened.contenders, models, camera)
            found |= {Source(run, model): shot for model, shot in seen.items()}
    several = len(usable) > 1
    return [
        Pane(source.label(several), (found[source].png,), f"{found[source].milliseconds:.0f} ms")
        for source in chosen
    ]
