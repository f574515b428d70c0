"""COLMAP's sparse models: cameras, posed images and points of one folder, as text or binary.

    cameras.{bin,txt}, images.{bin,txt} [, points3D.{bin,txt}] --read_model--> Model

Facts: https://colmap.github.io/format.html, and files that pycolmap 4.2 wrote. Poses are world-to-camera with
(w, x, y, z) quaternions, a camera's axes are OpenCV's (+x right, +y down, +z forward), the world's are arbitrary, and
pixel centres are at +0.5 as ours are. 2-D observations are passed over. What is not a model raises UserError, whatever
its bytes are.
"""

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from teacher.errors import UserError

T = TypeVar("T")
Values = tuple[float, ...]

CAMERA_MODELS = {
    "SIMPLE_PINHOLE": (0, 3),
    "PINHOLE": (1, 4),
    "SIMPLE_RADIAL": (2, 4),
    "RADIAL": (3, 5),
    "OPENCV": (4, 8),
    "OPENCV_FISHEYE": (5, 8),
    "FULL_OPENCV": (6, 12),
    "FOV": (7, 5),
    "SIMPLE_RADIAL_FISHEYE": (8, 4),
    "RADIAL_FISHEYE": (9, 5),
    "THIN_PRISM_FISHEYE": (10, 12),
    "RAD_TAN_THIN_PRISM_FISHEYE": (11, 16),
    "SIMPLE_DIVISION": (12, 4),
    "DIVISION": (13, 5),
    "SIMPLE_FISHEYE": (14, 3),
    "FISHEYE": (15, 4),
    "EUCM": (16, 6),
    "EQUIRECTANGULAR": (17, 2),
}
"""Number in binary files, and count of parameters, of every camera model that COLMAP 4.2 writes."""
_NAMES = {number: name for name, (number, _) in CAMERA_MODELS.items()}
_REMEDY = "copy the model again, or export it again: colmap model_converter --output_type TXT"
_QUATERNION_TOLERANCE = 1e-2


@dataclass(frozen=True)
class ColmapCamera:
    """One calibration: a camera model, the picture's size and the model's parameters in COLMAP's order."""

    model: str
    width: int
    height: int
    parameters: Values


@dataclass(frozen=True)
class ColmapImage:
    """One registered picture."""

    name: str
    """Its path below the image folder."""
    camera: int
    """Key of `Model.cameras`."""
    T_camera_world: Float64[Tensor, "4 4"]


@dataclass(frozen=True)
class Model:
    """One reconstruction."""

    folder: Path
    cameras: dict[int, ColmapCamera]
    images: tuple[ColmapImage, ...]
    """In the order of their names."""
    points: Float64[Tensor, "n 3"]
    tracks: Int64[Tensor, " n"]
    """In how many pictures each point was found."""


def is_model(folder: Path) -> bool:
    """Whether `folder` holds cameras and images of a model, as text or binary."""
    return any(
        (folder / f"cameras{kind}").is_file() and (folder / f"images{kind}").is_file()
        for kind in (".bin", ".txt")
    )


def read_model(folder: Path) -> Model:
    """The model in `folder`; binary files are read where there are both, as COLMAP does."""
    kind = ".bin" if (folder / "images.bin").is_file() else ".txt"
    cameras = dict(_read(folder / f"cameras{kind}", _CAMERAS[kind]))
    images = _read(folder / f"images{kind}", _IMAGES[kind])
    for image in images:
        if image.camera not in cameras:
            given = f"image {image.name!r} of camera {image.camera}, which cameras{kind} lacks"
            raise UserError(f"COLMAP model {folder}", given, "a camera for each image", _REMEDY)
    file = folder / f"points3D{kind}"
    points = _read(file, _POINTS[kind]) if file.is_file() else []
    places = torch.tensor([place for place, _ in points], dtype=torch.float64).reshape(-1, 3)
    tracks = torch.tensor([track for _, track in points], dtype=torch.int64)
    by_name = tuple(sorted(images, key=lambda image: image.name))
    return Model(folder, cameras, by_name, places, tracks)


def _read(file: Path, parse: Callable[[Path], Iterator[T]]) -> list[T]:
    try:
        return list(parse(file))
    except OSError as error:
        problem = error.strerror or str(error)
        raise UserError(f"COLMAP file {file}", problem, "a file to read", _REMEDY) from None


def _bad(where: str, given: str, expected: str) -> UserError:
    return UserError(f"COLMAP file {where}", given, expected, _REMEDY)


# Text: one record a line (an image has two), "#" starts a comment.


def _lines(file: Path) -> list[tuple[str, list[str]]]:
    """(where it is, words) of every line that is no comment, blank ones too."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise _bad(str(file), "bytes that are no text", "COLMAP's text format") from None
    lines = enumerate(text.split("\n"), 1)
    return [(f"{file}, line {i}", line.split()) for i, line in lines if not line.startswith("#")]


def _text_cameras(file: Path) -> Iterator[tuple[int, ColmapCamera]]:
    for where, words in _lines(file):
        if words:
            if len(words) < 4 or words[1] not in CAMERA_MODELS:
                known = f"CAMERA_ID MODEL WIDTH HEIGHT PARAMS, MODEL of {', '.join(CAMERA_MODELS)}"
                raise _bad(where, f"{' '.join(words[:4])!r}", known)
            identity, width, height = _whole(where, (words[0], *words[2:4]))
            yield identity, _camera(where, words[1], width, height, _floats(where, words[4:]))


def _text_images(file: Path) -> Iterator[ColmapImage]:
    lines = iter(_lines(file))
    for where, words in lines:
        if not words:
            continue
        if len(words) < 10:
            raise _bad(where, f"{len(words)} words", "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME")
        _, camera = _whole(where, (words[0], words[8]))
        yield _image(where, " ".join(words[9:]), camera, _floats(where, words[1:8]))
        below, observations = next(lines, (where, []))
        if len(observations) % 3 != 0:
            expected = "the line of 2-D points of the image above it, X Y POINT3D_ID each, or blank"
            raise _bad(below, f"{len(observations)} words", expected)


def _text_points(file: Path) -> Iterator[tuple[Values, int]]:
    for where, words in _lines(file):
        if words:
            if len(words) < 8 or len(words) % 2:
                expected = "POINT3D_ID X Y Z R G B ERROR and pairs of IMAGE_ID POINT2D_IDX"
                raise _bad(where, f"{len(words)} words", expected)
            yield _floats(where, words[1:4]), (len(words) - 8) // 2


def _floats(where: str, words: list[str]) -> Values:
    try:
        return tuple(float(word) for word in words)
    except ValueError as error:
        raise _bad(where, str(error), "numbers") from None


def _whole(where: str, words: tuple[str, ...]) -> list[int]:
    try:
        return [int(word) for word in words]
    except ValueError as error:
        raise _bad(where, str(error), "whole numbers") from None


# Binary: little-endian, a count of records first.


class _Bytes:
    """A file's bytes, taken in order; taking more than there are is the user's to know, not `struct`'s."""

    def __init__(self, file: Path) -> None:
        self.file, self.data, self.place = file, file.read_bytes(), 0

    def take(self, layout: str) -> Any:
        """The next values of a `struct` layout."""
        start = self.skip(struct.calcsize("<" + layout))
        return struct.unpack_from("<" + layout, self.data, start)

    def skip(self, count: int) -> int:
        """Pass over `count` bytes; where they start."""
        start, self.place = self.place, self.place + count
        if self.place > len(self.data):
            given = f"an end at byte {len(self.data)}, in the middle of what byte {start} begins"
            raise _bad(str(self.file), given, "a complete binary model")
        return start

    def word(self) -> str:
        """Text up to a zero byte."""
        end = self.data.find(b"\0", self.place)
        start = self.skip((end if end >= 0 else len(self.data)) + 1 - self.place)
        return self.data[start : self.place - 1].decode("utf-8", "replace")

    def records(self) -> Iterator[str]:
        """As many times as the file says, where the next record starts; at last, that nothing is left over."""
        for _ in range(self.take("Q")[0]):
            yield f"{self.file}, byte {self.place}"
        if self.place != len(self.data):
            given = f"{len(self.data) - self.place} bytes after the last record"
            raise _bad(str(self.file), given, "a binary model as COLMAP 4.2 and before write it")


def _binary_cameras(file: Path) -> Iterator[tuple[int, ColmapCamera]]:
    data = _Bytes(file)
    for where in data.records():
        identity, number, width, height = data.take("IiQQ")
        if number not in _NAMES:
            raise _bad(where, f"camera model number {number}", f"one of 0 to {max(_NAMES)}")
        _, count = CAMERA_MODELS[_NAMES[number]]
        yield identity, _camera(where, _NAMES[number], width, height, data.take(f"{count}d"))


def _binary_images(file: Path) -> Iterator[ColmapImage]:
    data = _Bytes(file)
    for where in data.records():
        _, *pose, camera = data.take("I7dI")
        yield _image(where, data.word(), camera, tuple(pose))
        data.skip(24 * data.take("Q")[0])  # x, y, point


def _binary_points(file: Path) -> Iterator[tuple[Values, int]]:
    data = _Bytes(file)
    for _ in data.records():
        _, x, y, z, _, _, _, _, track = data.take("Q3d3BdQ")
        data.skip(8 * track)  # image, index of its point
        yield (x, y, z), track


# What both kinds hold.


def _camera(where: str, model: str, width: int, height: int, parameters: Values) -> ColmapCamera:
    count = CAMERA_MODELS[model][1]
    if len(parameters) != count or not all(map(math.isfinite, parameters)):
        raise _bad(where, f"{model} with parameters {parameters}", f"{count} finite numbers")
    if not (0 < width < 1 << 20 and 0 < height < 1 << 20):
        raise _bad(where, f"a picture of {width} x {height}", "its width and height in pixels")
    return ColmapCamera(model, width, height, parameters)


def _image(where: str, name: str, camera: int, pose: Values) -> ColmapImage:
    q = torch.tensor(pose[:4], dtype=torch.float64)
    if not all(map(math.isfinite, pose)) or abs(float(q.norm()) - 1) > _QUATERNION_TOLERANCE:
        raise _bad(
            where, f"image {name!r} with the pose {pose}", "a unit quaternion and a translation"
        )
    if not name.strip():
        raise _bad(where, "an image without a name", "its path below the image folder")
    w, x, y, z = (q / q.norm()).tolist()
    K = q.new_tensor([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    T_camera_world = torch.eye(4).double()
    T_camera_world[:3, :3] += 2 * (w * K + K @ K)
    T_camera_world[:3, 3] = q.new_tensor(pose[4:])
    return ColmapImage(name.replace("\\", "/"), camera, T_camera_world)


_CAMERAS = {".txt": _text_cameras, ".bin": _binary_cameras}
_IMAGES = {".txt": _text_images, ".bin": _binary_images}
_POINTS = {".txt": _text_points, ".bin": _binary_points}
