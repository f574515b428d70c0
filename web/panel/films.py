"""Films along camera paths: rendered once, in a thread, then played by the panes and kept as mp4.

path (orbit, spiral or a file) --cameras_of--> cameras --Film.start--> PNG frames of each model, one mp4
"""

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from teacher.errors import UserError
from web.panel.pictures import Source, to_png
from web.panel.work import COMPARISONS, STOPPING, Opened, as_problem, at_work

if TYPE_CHECKING:
    from export.compare.contenders import Contenders
    from teacher.cameras import Camera

T = TypeVar("T")
BUILT_IN = ("orbit", "spiral")
MOST_PIXELS = 64_000_000
"""Of a film, all models and frames together: they are kept in memory, and go to the browser."""
_REST_SECONDS = 2.0


@dataclass
class Film:
    """What a path looks like to some models; grows while it is rendered."""

    name: str
    total: int
    """Pictures, of all models."""
    fps: int
    done: int = 0
    frames: dict[Source, list[bytes]] = field(default_factory=dict)
    mp4: bytes = b""
    problem: UserError | None = None
    abandoned: bool = False
    """Set by those who no longer want it."""

    @property
    def finished(self) -> bool:
        """Whether nothing more will come."""
        return bool(self.mp4) or self.problem is not None


class _Abandoned(Exception):
    pass


def files(folder: Path) -> list[Path]:
    """The camera-path files of a run."""
    return sorted((folder / "paths").glob("*.json"))


def cameras_of(
    path: str | Path, contenders: "Contenders", side: int, frames: int
) -> tuple[list["Camera"], int | None]:
    """Cameras whose larger side has `side` pixels, and the file's frames per second (None: it is no file).

    Raises:
        UserError: the file is no camera path.
    """
    from teacher.paths import PATHS, read_path
    from web.panel.rendering import sized

    if isinstance(path, Path):
        cameras, fps = read_path(path)
        return [sized(camera, side) for camera in cameras], fps
    cameras = PATHS[path](contenders.envelope, sized(contenders.like, side), frames)
    return cameras, None


def uploaded(name: str, data: bytes, reader: Callable[[Path], T]) -> T:
    """What `reader` makes of a file `name` with `data` in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, Path(name).name)
        path.write_bytes(data)
        return reader(path)


def start(
    name: str,
    chosen: list[tuple[Source, Opened]],
    cameras: list["Camera"],
    fps: int,
    background: str,
) -> Film:
    """Begin to render; the film tells how far it is.

    Raises:
        UserError: it would be too large.
    """
    pixels = len(chosen) * sum(camera.width * camera.height for camera in cameras)
    if pixels > MOST_PIXELS:
        raise UserError(
            "the film",
            f"{pixels / 1e6:.0f} million pixels: {len(cameras)} frames of {len(chosen)} models",
            f"at most {MOST_PIXELS / 1e6:.0f} million",
            "take a smaller size, fewer frames or fewer models",
        )
    film = Film(name, len(chosen) * len(cameras), fps)
    arguments = (film, chosen, cameras, background)
    threading.Thread(target=_make, args=arguments, daemon=True, name=f"film {name}").start()
    return film


def _make(
    film: Film, chosen: list[tuple[Source, Opened]], cameras: list["Camera"], background: str
) -> None:
    try:
        with at_work():
            _render(film, chosen, cameras, background)
    except _Abandoned:
        film.frames.clear()
    except Exception as error:
        film.problem = as_problem(error, f"rendering {film.name}")


def _render(
    film: Film, chosen: list[tuple[Source, Opened]], cameras: list["Camera"], background: str
) -> None:
    from web.panel.rendering import render, write_film

    pictures = []
    for source, opened in chosen:
        assert opened.contenders is not None
        pictures.append([])
        for camera in cameras:
            with opened.lock:
                seen = render(opened.contenders, [source.model], camera)
            pictures[-1].append(seen[source.model].rgba)
            _advance(film)
        film.frames[source] = [to_png(picture) for picture in pictures[-1]]
    film.mp4 = write_film(pictures, background, film.fps)


def _advance(film: Film) -> None:
    film.done += 1
    COMPARISONS.rest(_REST_SECONDS)
    if film.abandoned or STOPPING.is_set():
        raise _Abandoned
