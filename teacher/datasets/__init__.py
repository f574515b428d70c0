"""Data sets: `load_scene(path)` finds out what a folder is and returns a `Scene` in the norm frame.

A new format is one module with a `load(path, options)` and one line in `FORMATS`.
"""

import logging
from dataclasses import replace
from pathlib import Path

from teacher.datasets import blender, colmap, dtu, llff, transforms
from teacher.datasets.normalise import Corners, normalise
from teacher.datasets.raw import Loader, LoadOptions, NotThisFormat, RawScene
from teacher.errors import UserError
from teacher.scene import Scene

FORMATS: dict[str, Loader] = {
    "blender": blender.load,
    "transforms": transforms.load,
    "colmap": colmap.load,
    "llff": llff.load,
    "dtu": dtu.load,
}
"""Tried in this order by `format="auto"`."""

_logger = logging.getLogger(__name__)


def load_scene(
    path: Path,
    *,
    downscale: int = 1,
    max_side: int | None = None,
    format: str = "auto",
    aabb: Corners | None = None,
    test_every: int = 8,
    splits: Path | None = None,
    invert_masks: bool = False,
) -> Scene:
    """Load the data set at `path`; what is odd but usable is logged and kept in `Scene.warnings`.

    Args:
        path: the data set's folder, or its camera file (`transforms.json`, `poses_bounds.npy`, `cameras.npz`, a
            COLMAP model's folder), which also chooses between formats where a folder holds several.
        downscale: whole number by which pictures (and intrinsics) are shrunk.
        max_side: in place of `downscale`, the least one that leaves no side of a picture longer than this, in pixels.
        format: a key of `FORMATS`, or "auto" for the first that fits.
        aabb: lower and upper corner of what is to be modelled, in the data set's own frame; found
            by `teacher.datasets.normalise` if left out.
        test_every: where the data set has no test pictures, every n-th is held out (at least 2).
        splits: a file that divides the data set by names, `teacher.datasets.splits`; left out, the data set's
            `split_indices.json` is used if there is one, else its own division.
        invert_masks: masks have the opposite polarity of what their format says.

    Raises:
        UserError: no format fits, or the data set cannot be used.
    """
    _check_options(path, downscale, format, test_every)
    options = LoadOptions(downscale, test_every, splits, invert_masks)
    raw = _read(path, format, options)
    if max_side is not None:
        shrunk = _downscale_to(raw, max_side, downscale)
        raw = _read(path, format, replace(options, downscale=shrunk))
    scene = normalise(raw, aabb)
    for warning in scene.warnings:
        _logger.warning(warning)
    return scene


def _read(path: Path, format: str, options: LoadOptions) -> RawScene:
    reasons = {}
    for name, load in FORMATS.items():
        if format in ("auto", name):
            try:
                return load(path, options)
            except NotThisFormat as reason:
                reasons[name] = str(reason)
    raise UserError(
        f"data set {path}",
        "; ".join(f"not {name}: {reason}" for name, reason in reasons.items()),
        f"one of the formats {', '.join(FORMATS)}",
        "check the path: it must be the folder that holds the camera file",
    )


def _downscale_to(raw: RawScene, max_side: int, downscale: int) -> int:
    """The least whole number that shrinks all of `raw`, read at full size, to sides of `max_side` pixels."""
    if downscale != 1 or max_side < 1:
        given, expected = f"{max_side}, with --downscale {downscale}", "pixels, without --downscale"
        raise UserError("--max-side", given, expected, "leave one of the two out")
    cameras = [frame.camera for frames in raw.splits.values() for frame in frames]
    return -(-max(max(camera.width, camera.height) for camera in cameras) // max_side)


def _check_options(path: Path, downscale: int, format: str, test_every: int) -> None:
    if format != "auto" and format not in FORMATS:
        known = ", ".join(("auto", *FORMATS))
        raise UserError("data set format", repr(format), known, "choose one of these")
    if not path.exists():
        remedy = "check the path; data sets are not downloaded"
        raise UserError(f"data set {path}", "no such file or folder", "a data set", remedy)
    if downscale < 1:
        raise UserError("downscale", str(downscale), "a whole number from 1", "leave it out for 1")
    if test_every < 2:
        raise UserError(
            "test_every", str(test_every), "a whole number from 2", "leave it out for 8"
        )
