"""Pictures on their way to the page: files under addresses that are hashes of their content.

    bytes or file --picture_type--> Streamlit's media files --> /media/<hash>.png, asked for once by each browser

What a pane no longer shows is dropped a few answers later: the page may still be asking for it.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PIL import Image

if TYPE_CHECKING:
    from web.panel.panes import Pane

KEPT = 8
"""Answers whose pictures are kept while a fragment runs again and again."""
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"WEBP", 8, "image/webp"),
)


@dataclass(frozen=True)
class Sent:
    """What the page asks for in place of a pane's frames."""

    addresses: tuple[str, ...]
    size: tuple[int, int] | None
    """Width and height of the first one, in pixels; None where they are not known."""
    problem: str
    """Why there is no picture; empty where there is one."""


class Host(Protocol):
    """What keeps files for the page: `streamlit.runtime.media_file_manager.MediaFileManager`."""

    def add(self, path_or_data: bytes | str, mimetype: str, coordinates: str) -> str:
        """Keep these bytes until others come for the same `coordinates`; their address."""
        ...


def send(pictures: "Sequence[Pane]", key: str) -> list[Sent]:
    """Hand the frames of each pane to Streamlit's media files; without a server nothing is sent."""
    from streamlit import runtime

    if not runtime.exists():
        return [Sent((), None, "no server") for _ in pictures]
    host, slot = runtime.get_instance().media_file_mgr, _next_slot(key)
    return [sent(pane.frames, host, f"{key}/{slot}/{n}") for n, pane in enumerate(pictures)]


def sent(frames: Iterable[bytes | Path], host: Host, place: str) -> Sent:
    """Hand `frames` to `host`; one that cannot be read makes the pane say which, and why."""
    addresses, size = [], None
    for number, frame in enumerate(frames):
        name = frame if isinstance(frame, Path) else f"frame {number}"
        try:
            content = frame.read_bytes() if isinstance(frame, Path) else frame
            kind, measured = picture_type(content), picture_size(content)
        except (OSError, ValueError) as error:
            return Sent((), None, f"{name}: {getattr(error, 'strerror', None) or error}")
        size = size or measured
        addresses.append(host.add(content, kind, f"{place}/{number}"))
    return Sent(tuple(addresses), size, "" if addresses else "no picture")


def picture_type(content: bytes) -> str:
    """The MIME type of a picture that browsers know, by its first bytes; ValueError of anything else."""
    for signature, start, kind in _SIGNATURES:
        if content[start : start + len(signature)] == signature:
            return kind
    raise ValueError(f"no picture ({len(content)} bytes)")


def picture_size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels, read from the file's head; ValueError where there are none."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            size = picture.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"a broken picture ({error})") from error
    if min(size) < 1:
        raise ValueError("a picture of no size")
    return size


def _next_slot(key: str) -> int:
    """A place of their own for the pictures of this answer, until `KEPT` later ones have come."""
    import streamlit as st

    name = f"{key}: answers"
    st.session_state[name] = answers = st.session_state.get(name, 0) + 1
    return answers % KEPT
