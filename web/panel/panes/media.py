"""Pictures on their way to the page, under names that are hashes of their content.

    bytes or file --Content--> little: inside the message itself, as data: addresses
                               much (films): Streamlit's media files, /media/<hash>.png

The page decodes a name once, and Streamlit does not send a message again that has not changed. Media files are second
choice: when a visitor does something while the page still runs, Streamlit drops those that this run had not come to,
and the browser may ask for them just then. (The page asks again; but each refusal is an error on its console.)
"""

import base64
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PIL import Image

if TYPE_CHECKING:
    from web.panel.panes import Pane

LITTLE = 4 * 2**20
"""Bytes of pictures that a message may hold."""
KEPT = 8
"""Answers whose media files are kept while a fragment runs again and again."""
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"WEBP", 8, "image/webp"),
)


@dataclass(frozen=True)
class Content:
    """One picture."""

    name: str
    """Hash of the content."""
    data: bytes
    kind: str
    """MIME type."""
    size: tuple[int, int]
    """Width and height in pixels."""


@dataclass(frozen=True)
class Frames:
    """What a pane shows, as the page is told."""

    contents: tuple[Content, ...]
    problem: str
    """Why there is no picture; empty where there is one."""

    @property
    def names(self) -> list[str]:
        """Of the frames, in order."""
        return [content.name for content in self.contents]

    @property
    def size(self) -> tuple[int, int] | None:
        """Of the first frame."""
        return self.contents[0].size if self.contents else None


class Host(Protocol):
    """What keeps files for the page: `streamlit.runtime.media_file_manager.MediaFileManager`."""

    def add(self, path_or_data: bytes | str, mimetype: str, coordinates: str) -> str:
        """Keep these bytes until others come for the same `coordinates`; their address."""
        ...


def read_frames(pane: "Pane") -> Frames:
    """The frames of `pane`; where one cannot be read there are none, but which, and why."""
    contents = []
    for number, frame in enumerate(pane.frames):
        try:
            contents.append(_content(frame.read_bytes() if isinstance(frame, Path) else frame))
        except (OSError, ValueError) as error:
            name = frame if isinstance(frame, Path) else f"frame {number}"
            return Frames((), f"{name}: {getattr(error, 'strerror', None) or error}")
    return Frames(tuple(contents), "" if contents else "no picture")


def addresses(films: Sequence[Frames], key: str) -> dict[str, str]:
    """Name to address of every picture, each once."""
    contents = {content.name: content for film in films for content in film.contents}
    if sum(len(content.data) for content in contents.values()) <= LITTLE:
        return {name: _inline(content) for name, content in contents.items()}
    from streamlit import runtime

    if not runtime.exists():
        return {}
    return hosted(list(contents.values()), runtime.get_instance().media_file_mgr, key)


def hosted(contents: Sequence[Content], host: Host, key: str) -> dict[str, str]:
    """Hand `contents` to `host`; those of the `KEPT`-th answer before this one give up their places."""
    slot = _next_slot(key)
    return {
        content.name: host.add(content.data, content.kind, f"panes/{key}/{slot}/{number}")
        for number, content in enumerate(contents)
    }


def _next_slot(key: str) -> int:
    import streamlit as st

    name = f"{key}: answers"
    st.session_state[name] = answers = st.session_state.get(name, 0) + 1
    return answers % KEPT


def _inline(content: Content) -> str:
    return f"data:{content.kind};base64,{base64.b64encode(content.data).decode()}"


def _content(data: bytes) -> Content:
    kind = picture_type(data)
    return Content(hashlib.sha256(data).hexdigest()[:32], data, kind, picture_size(data))


def picture_type(data: bytes) -> str:
    """The MIME type of a picture that browsers know, by its first bytes; ValueError of anything else."""
    for signature, start, kind in _SIGNATURES:
        if data[start : start + len(signature)] == signature:
            return kind
    raise ValueError(f"no picture ({len(data)} bytes)")


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, read from the file's head; ValueError where there are none."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.size  # pillow refuses pictures of no size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"a broken picture ({error})") from error
