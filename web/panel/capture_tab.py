"""How pictures and cameras came about: what `python -m teacher process` found in a video or in photographs."""

import shlex
from pathlib import Path
from typing import Any

import streamlit as st

from export.capture import CaptureReport, read_capture_report
from export.run_checks import Damage
from export.runs import Run
from web.panel import notices
from web.panel.selection import Selection

_ERROR = "error of its points, px"
_ERRORS = (
    "A picture's error is the mean over the points that it shows, in its own pixels: a point that many pictures show "
    "counts in each of them. In the check above every point counts once, in pixels of pictures of at most 1000."
)
_SIGNS = {"good": "✓", "doubtful": "⚠", "wrong": "✗"}


def show(selection: Selection) -> None:
    """The report of each chosen run, one below the other."""
    for run in selection.runs:
        if len(selection.runs) > 1:
            st.subheader(notices.plain(run.name), anchor=False)
        try:
            report = read_capture_report(run)
        except Damage as damage:
            st.error(notices.plain(str(damage)), icon=":material/error:")
            st.code(_command(run), language="bash")
            continue
        if report is None:
            _nothing(run)
        else:
            _show(report)


def _nothing(run: Run) -> None:
    st.info(
        f"{notices.plain(run.name)} was not made from a video or photographs by `python -m teacher process`: its "
        "cameras came with its pictures. This makes a scene with a report:"
    )
    st.code(_command(run), language="bash")
    st.caption("`--dry-run` makes the report alone; `make page VIDEO=clip.mp4` goes on to a page.")


def _command(run: Run) -> str:
    scene = shlex.quote(str(run.folder / "scene"))
    return f"python -m teacher process --data clip.mp4 --output-dir {scene}"


def _show(report: CaptureReport) -> None:
    plain = report.plain
    if plain.get("refused"):
        st.error(f"Refused: {notices.plain(str(plain['refused']))}", icon=":material/block:")
    for warning in plain.get("warnings", []):
        st.warning(notices.plain(str(warning)))
    columns = st.columns(len(report.numbers))
    for column, (name, value) in zip(columns, report.numbers.items(), strict=True):
        column.metric(name, value)
    st.markdown(_findings(plain))
    _dropped(plain)
    _pictures(report)
    with st.expander("All pictures"):
        rows = named_columns(plain["pictures"])
        st.dataframe(rows, hide_index=True, alt="Pictures with what was found in them")
        st.caption(_ERRORS)
    st.caption(f"{notices.plain(str(plain['data']))} → {notices.plain(str(report.folder))}")


def named_columns(pictures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pictures' rows with a name for the error that says of what: the check of that name is another mean."""
    return [
        {_ERROR if key == "error" else key: value for key, value in picture.items()}
        for picture in pictures
    ]


def _findings(plain: dict[str, Any]) -> str:
    """What was checked, as a table."""
    rows = [
        [
            f"{_SIGNS.get(finding['verdict'], '?')} {finding['verdict']}",
            finding["name"],
            notices.plain(str(finding["says"])),
        ]
        for finding in plain["findings"]
    ]
    if not rows:
        return "No check was made."
    lines = [["verdict", "check", "found"], [":--"] * 3, *rows]  # sentences, so all to the left
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _dropped(plain: dict[str, Any]) -> None:
    for name, reason in plain.get("dropped", {}).items():
        st.caption(f"Left out: {notices.plain(str(name))}: {notices.plain(str(reason))}")


def _pictures(report: CaptureReport) -> None:
    """The report's drawings, as far as they are there."""
    for name, what in (
        ("cameras.png", "Cameras from above and from the side"),
        ("sharpness.png", "Sharpness; what was kept is marked"),
        ("contact_sheet.png", "What was kept; without a camera: in red"),
    ):
        path: Path = report.folder / "report" / name
        if path.is_file():
            st.image(str(path), caption=what, width="stretch", alt=what)
        else:
            st.caption(f"{what}: no file {notices.plain(str(path))}")
