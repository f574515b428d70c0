"""The views that a run is compared on: photographs of a split, else cameras drawn from the envelope.

data of the teacher -> frames --------------+
store that the student learnt from -> views +-> [Target]
envelope -> cameras ------------------------+
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.compare.contenders import Contenders
from export.compare.identity import content, scene_of
from export.compare.surroundings import Surroundings
from export.compare.views import Comparison, compare_frame, compare_view
from export.run_checks import layout_of
from export.runs import Run
from student.evaluate import IMAGINED_VIEWS
from student.held_out import HeldOut, frames_of, imagined
from teacher.cameras import Camera
from teacher.crop.files import NAME as CROP
from teacher.errors import UserError
from teacher.pseudo.source import open_source, unseen_camera
from teacher.pseudo.store import StoredSource
from teacher.scene import Frame

Compare = Callable[[Contenders, str], Comparison]
"""Compares one view over a background."""
_DRAWN = "drawn from the envelope"
_REPEATS = 3


@dataclass(frozen=True)
class Target:
    """A view to compare: what it is, and how."""

    number: int
    name: str
    split: str
    """Of the data set, or that it was drawn."""
    description: dict[str, Any]
    """All that its picture depends on, but for models and files."""
    files: dict[str, str]
    """Photograph and mask, with the hash of their content."""
    compare: Compare


def targets_of(run: Run, split: str, surroundings: Surroundings) -> list[Target]:
    """The views of `split`; drawn ones where the photographs are not to be had.

    Raises:
        UserError: the data set is there and has no such split.
    """
    frames = _frames(run, split)
    if frames is not None:
        picture = surroundings.picture
        crop = _crop(run)
        return [_photograph(k, split, frame, picture, crop) for k, frame in enumerate(frames)]
    stored = _stored_views(run, surroundings)
    if stored is not None:
        return stored
    size = surroundings.like.height, surroundings.like.width
    cameras = [
        unseen_camera(surroundings.envelope, surroundings.cameras, k, size)
        for k in range(IMAGINED_VIEWS)
    ]
    return [_drawn(k, camera, _of_camera(camera)) for k, camera in enumerate(cameras)]


def _frames(run: Run, split: str) -> tuple[Frame, ...] | None:
    """Photographs of the teacher's data; None where it has none, or they cannot be read."""
    layout = layout_of(run.folder)
    folder = run.teacher or (layout.teacher if layout else None)
    if folder is None:
        return None
    try:
        return frames_of(str(folder), None, split)
    except UserError as error:
        if error.thing == "--split":
            raise
        return None


def _crop(run: Run) -> dict[str, Any]:
    """What of photographs counts: another crop of the teacher, other pixels."""
    path = None if run.teacher is None else run.teacher / CROP
    return {"crop": content(path)} if path is not None and path.exists() else {}


def _photograph(
    number: int,
    split: str,
    frame: Frame,
    picture: tuple[int, int] | None,
    crop: dict[str, Any],
) -> Target:
    seen = frame.picture
    description = {
        **_of_camera(frame.camera),
        "name": frame.name,
        "picture": picture,
        "downscale": seen.downscale,
        "mask_inverted": seen.mask_inverted,
        **crop,
    }
    paths = [path for path in (seen.path, seen.mask_path) if path is not None]

    def compare(contenders: Contenders, background: str) -> Comparison:
        return compare_frame(contenders, frame, background, repeats=_REPEATS)

    return Target(number, frame.name, split, description, _contents(paths), compare)


def _contents(paths: list[Path]) -> dict[str, str]:
    return {str(path): content(path) for path in paths}


def _drawn(number: int, view: Camera | HeldOut, description: dict[str, Any]) -> Target:
    def compare(contenders: Contenders, background: str) -> Comparison:
        return compare_view(contenders, view, background, repeats=_REPEATS)

    name = view.name if isinstance(view, HeldOut) else f"view_{number:03d}"
    return Target(number, name, _DRAWN, description, {}, compare)


def _stored_views(run: Run, surroundings: Surroundings) -> list[Target] | None:
    """Views that a store holds back, if that is what the student learnt from and it is still there."""
    if run.student is None or run.teacher is not None:
        return None
    path = scene_of(run.student)["source"]
    if not (Path(path) / "store.json").is_file():
        return None
    source, like = open_source(path), surroundings.like
    if not isinstance(source, StoredSource):
        return None
    views = [
        imagined(source, k, (like.height, like.width))
        for k in range(min(IMAGINED_VIEWS, source.held_back))
    ]
    stored = {"store": source.fingerprint}
    return [_drawn(k, view, {**_of_camera(view.camera), **stored}) for k, view in enumerate(views)]


def _of_camera(camera: Camera) -> dict[str, Any]:
    c = camera
    return {
        "T_norm_camera": c.T_world_camera.tolist(),
        "intrinsics": (c.fx, c.fy, c.cx, c.cy),
        "size": (c.width, c.height),
        "lens": (c.lens, *c.distortion),
    }
