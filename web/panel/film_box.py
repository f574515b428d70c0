"""Below the free camera: a path, played in the panes."""

from pathlib import Path

import streamlit as st

from teacher.errors import UserError
from web.panel import films, notices
from web.panel.films import Film
from web.panel.panes import Pane, panes
from web.panel.selection import Selection
from web.panel.work import Opened

_LOOK_SECONDS = 0.5
_UPLOAD = "a file of mine"


def show(usable: dict[str, Opened], selection: Selection) -> None:
    """Choose a path, render it, play it."""
    st.subheader("Along a path", anchor=False)
    found = {path.name: path for run in selection.runs for path in films.files(run.folder)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Path",
            [*films.BUILT_IN, *found, _UPLOAD],
            key="path",
            persist_state="session",
            width=260,
        )
        frames = st.number_input(
            "Frames",
            *(2, 600, 60),
            key="frames",
            persist_state="session",
            width=120,
            disabled=name not in films.BUILT_IN,
            help="Of an orbit or a spiral; a file has its own.",
        )
        fps = st.number_input(
            "Frames a second", *(1, 60, 24), key="fps", persist_state="session", width=140
        )
        wanted = st.button("Render", key="render-film", icon=":material/movie:", type="primary")
    st.caption(
        "Circles, cones and splines: `python -m teacher path circle --run RUN/teacher --output RUN/paths/a.json`"
    )
    path = _upload() if name == _UPLOAD else found.get(name, name)
    if wanted and path is not None:
        _start(path, usable, selection, int(frames), int(fps))
    film = st.session_state.get("film")
    if film is not None:
        pending = not film.finished
        st.fragment(_play, run_every=_LOOK_SECONDS if pending else None)(film, pending, selection)


def _upload() -> tuple[str, bytes] | None:
    file = st.file_uploader("Camera path (JSON)", type="json", key="path-file")
    return None if file is None else (file.name, file.getvalue())


def _start(
    path: str | Path | tuple[str, bytes],
    usable: dict[str, Opened],
    selection: Selection,
    frames: int,
    fps: int,
) -> None:
    """Replace the film in the session by a new one."""
    from web.panel.camera_tab import chosen_models

    first = next(iter(usable.values())).contenders
    assert first is not None
    side = int(st.session_state.get("side", 128))
    if isinstance(path, tuple):
        name, data = path
        cameras, own = films.uploaded(
            name, data, lambda file: films.cameras_of(file, first, side, 0)
        )
    else:
        name = path if isinstance(path, str) else path.name
        cameras, own = films.cameras_of(path, first, side, frames)
    old = st.session_state.pop("film", None)
    if old is not None:
        old.abandoned = True
    chosen = [(source, usable[source.run]) for source in chosen_models(usable)]
    if not chosen:
        raise UserError("the film", "no model", "one to four", "choose models above")
    st.session_state["film"] = films.start(name, chosen, cameras, own or fps, selection.background)


def _play(film: Film, pending: bool, selection: Selection) -> None:
    if film.problem is not None:
        notices.show_problem(film.problem)
    elif not film.finished:
        text = f"{notices.plain(film.name)}: picture {film.done} of {film.total}"
        st.progress(film.done / max(film.total, 1), text)
    else:
        if pending:
            st.rerun()
        several = len({source.run for source in film.frames}) > 1
        shown = [Pane(source.label(several), tuple(f)) for source, f in film.frames.items()]
        panes(shown, key="film-panes", fps=film.fps, background=selection.background)
        st.download_button(
            "Download as mp4",
            film.mp4,
            f"{Path(film.name).stem}.mp4",
            "video/mp4",
            icon=":material/download:",
            on_click="ignore",
            key="film-mp4",
        )
