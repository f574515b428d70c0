"""One entry of a `transforms*.json`: its keys, checked and made into a view and its camera.

    {"fl_x" | "camera_angle_x", "cx", "w", "k1", ..., "frames": [entry, ...]}
    entry = {"file_path", "transform_matrix", ...} -> View, Camera

NeRF-synthetic, instant-ngp and nerfstudio share these keys. Any of them may stand in an entry,
where it wins over the file's. The dialects' facts: instant-ngp `src/nerf_loader.cu` (`read_lens`,
`read_focal_length`), nerfstudio `data/dataparsers/nerfstudio_dataparser.py`.
"""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from teacher.cameras import Camera, Lens
from teacher.datasets.poses import bad_pose, checked_pose
from teacher.datasets.views import IMAGE_EXTENSIONS as IMAGE_EXTENSIONS  # its older home
from teacher.datasets.views import View, find_image, in_numbered_folder
from teacher.errors import UserError
from teacher.files import read_json

_PERSPECTIVE = ("PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV")
_FISHEYE = ("OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
_OTHER_LENSES = ("ftheta_p0", "latlong", "equirectangular")


@dataclass(frozen=True)
class Entry:
    """One element of "frames", and the file it stands in."""

    file: Path
    document: dict[str, Any]
    frame: dict[str, Any]

    @property
    def file_path(self) -> str:
        """The image's path as written, with forward slashes."""
        return str(self.frame["file_path"]).replace("\\", "/")

    @property
    def thing(self) -> str:
        """How errors call it."""
        return f"frame {self.file_path!r} of {self.file}"

    def value(self, key: str) -> Any:
        """The frame's own value of `key`, else the file's, else None."""
        return self.frame.get(key, self.document.get(key))

    def number(self, key: str) -> float | None:
        """`value(key)` as a finite number; None where the key is absent."""
        return _number(self.value(key), key, self.thing)


def read_document(path: Path) -> dict[str, Any]:
    """The JSON object of a camera file. Raises UserError if it is none or has no list "frames"."""
    remedy = "export the data set again"
    document = read_json(path, f"camera file {path}", remedy)
    if not isinstance(document, dict):
        raise UserError(f"camera file {path}", "no JSON object", "one with 'frames'", remedy)
    if not isinstance(document.get("frames"), list):
        raise _missing(f"camera file {path}", "frames")
    return document


def entries_of(path: Path, document: dict[str, Any]) -> list[Entry]:
    """The frames of one camera file, in its order. Raises UserError naming a missing key."""
    for i, frame in enumerate(document["frames"]):
        for key in ("file_path", "transform_matrix"):
            if not isinstance(frame, dict) or key not in frame:
                where = frame.get("file_path", i) if isinstance(frame, dict) else i
                raise _missing(f"frame {where!r} of {path}", key)
    return [Entry(path, document, frame) for frame in document["frames"]]


def view_of(entry: Entry, downscale: int) -> View:
    """The view that an entry lists; nerfstudio's `images_4` are its copies at `downscale` 4."""
    image = find_image(entry.file.parent / entry.file_path)
    mask, inverted = _mask(entry, image)
    width, height = entry.number("w"), entry.number("h")
    return View(
        entry.file_path,
        image,
        partial(read_camera, entry),
        None if width is None or height is None else (round(width), round(height)),
        mask,
        inverted,
        small=in_numbered_folder(image, image.parent, downscale),
        small_mask=mask and in_numbered_folder(mask, mask.parent, downscale),
    )


def _mask(entry: Entry, image: Path) -> tuple[Path | None, bool]:
    """The mask's file and whether its polarity is inverted.

    nerfstudio's `mask_path` keeps what is not zero; instant-ngp's `dynamic_mask_<stem>.png` beside
    the image ignores it.
    """
    if entry.value("mask_path") is not None:
        return entry.file.parent / str(entry.value("mask_path")).replace("\\", "/"), False
    sibling = image.with_name(f"dynamic_mask_{image.stem}.png")
    return (sibling, True) if sibling.is_file() else (None, False)


def read_camera(entry: Entry, size: tuple[int, int]) -> Camera:
    """The camera of one entry, for a picture of `size` = (width, height)."""
    width, height = size
    fx, fy = _focal_lengths(entry, size)
    cx, cy = entry.number("cx"), entry.number("cy")
    lens, distortion = _lens(entry)
    return Camera(
        read_pose(entry),
        fx,
        fy,
        width / 2 if cx is None else cx,
        height / 2 if cy is None else cy,
        width,
        height,
        lens,
        distortion,
        entry.number("time"),
    )


def read_pose(entry: Entry) -> Float64[Tensor, "4 4"]:
    """`T_world_camera` of one entry, its rotation made exactly orthonormal."""
    try:
        T = torch.tensor(entry.frame["transform_matrix"], dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise bad_pose(entry.thing, "not a matrix of numbers") from None
    return checked_pose(T, entry.thing)


def _focal_lengths(entry: Entry, size: tuple[int, int]) -> tuple[float, float]:
    """(fx, fy) in pixels; a frame's keys replace the file's as a pair, as in instant-ngp."""
    for source in (entry.frame, entry.document):
        fx, fy = (
            _focal_length(source, axis, extent, entry.thing)
            for axis, extent in zip("xy", size, strict=True)
        )
        if fx or fy:
            return fx or fy or 0.0, fy or fx or 0.0
    raise _missing(entry.thing, "fl_x' or 'camera_angle_x")


def _focal_length(source: dict[str, Any], axis: str, extent: int, thing: str) -> float | None:
    """From `fl_*` (pixels), `camera_angle_*` (radians, the full angle) or `*_fov` (degrees)."""
    length = _number(source.get(f"fl_{axis}"), f"fl_{axis}", thing)
    angle = _number(source.get(f"camera_angle_{axis}"), f"camera_angle_{axis}", thing)
    degrees = _number(source.get(f"{axis}_fov"), f"{axis}_fov", thing)
    if length is None:
        angle = math.radians(degrees) if angle is None and degrees is not None else angle
        if angle is None:
            return None
        length = extent / 2 / math.tan(angle / 2) if 0 < angle < math.pi else -1.0
    if length <= 0:
        given = f"fl_{axis} = {length}, camera_angle_{axis} = {angle}"
        raise UserError(thing, given, "a positive focal length", "mend the camera file")
    return length


def _lens(entry: Entry) -> tuple[Lens, tuple[float, ...]]:
    """Lens model and its coefficients, in the order of `teacher.cameras`."""
    model = entry.value("camera_model")
    other = [key for key in _OTHER_LENSES if entry.value(key)]
    if other or (model is not None and model not in _PERSPECTIVE + _FISHEYE):
        given = f"camera_model {model!r}" if not other else f"the lens '{other[0]}'"
        supported = ", ".join(_PERSPECTIVE + _FISHEYE)
        raise UserError(entry.thing, given, supported, "undistort the images to PINHOLE first")
    k = {key: entry.number(key) or 0.0 for key in ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")}
    if model in _FISHEYE or (model is None and entry.value("is_fisheye")):
        return "fisheye", _coefficients(k, ("k1", "k2", "k3", "k4"), entry)
    names = ("k1", "k2", "p1", "p2", "k3")
    if model == "FULL_OPENCV":
        names += ("k4", "k5", "k6")
    distortion = _coefficients(k, names, entry)
    return ("opencv", distortion) if any(distortion) else ("pinhole", ())


def _coefficients(k: dict[str, float], names: tuple[str, ...], entry: Entry) -> tuple[float, ...]:
    """The named coefficients; another one that is not zero is an error, not silently ignored."""
    stray = [f"{name} = {value}" for name, value in k.items() if value and name not in names]
    if stray:
        expected = f"only {', '.join(names)} with this camera_model"
        remedy = "set camera_model to the lens that was calibrated (FULL_OPENCV has k4 to k6)"
        raise UserError(entry.thing, ", ".join(stray), expected, remedy)
    return tuple(k[name] for name in names)


def _number(value: Any, key: str, thing: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(thing, f"{key} = {value!r}", "a finite number", "mend the camera file")
    return float(value)


def _missing(thing: str, key: str) -> UserError:
    return UserError(thing, f"no key '{key}'", f"the key '{key}'", "export the data set again")
