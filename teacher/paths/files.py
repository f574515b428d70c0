"""Camera-path files, which `python -m teacher render`, the panel and the page read.

    {"schema": 1, "name": "circle", "kind": "circle", "target": [x, y, z], "closed": true,
     "fps": 30, "width": 512, "height": 512,
     "frames": [{"T_norm_camera": 4x4, "intrinsics": [fx/width, fy/height, cx/width, cy/height], "time": 0.0}, ...]}

Cameras are in the norm frame, as everywhere. Only width, height and frames with pose and intrinsics have to be there.
"closed": after the last frame the first comes again. "time": seconds at which a frame is shown, rising; without it
frame k is shown at k/fps. The page's reader is web/viewer/src/path_file.ts; both refuse the same files.
"""

import json
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from teacher.cameras import Camera
from teacher.errors import UserError
from teacher.files import read_json, replacing

SCHEMA = 1
_FORMAT = '"width", "height" and "frames" with "T_norm_camera" (4x4) and "intrinsics" (4 fractions)'
_REMEDY = "write one with `python -m teacher path`; the format is in teacher/paths/files.py"
_CROOKED = 1e-2  # how far R^T R may be from 1 in a file written by hand


@dataclass(frozen=True)
class CameraPath:
    """Cameras in the norm frame, and when each is shown."""

    cameras: tuple[Camera, ...]
    """All of one size."""
    fps: float = 30.0
    closed: bool = False
    """After the last camera the first comes again."""
    name: str = ""
    kind: str = ""
    """Such as "circle"; for people."""
    target: tuple[float, float, float] | None = None
    """The point of interest, where the path has one."""
    times: tuple[float, ...] | None = None
    """Seconds at which each camera is shown, rising; None: frame k at k/fps."""


def read_path(path: Path) -> tuple[list[Camera], int]:
    """Cameras and frames per second of a path file; raises UserError naming what is wrong with it."""
    found = read_camera_path(path)
    return list(found.cameras), max(1, round(found.fps))


def read_camera_path(path: Path) -> CameraPath:
    """All that a path file says; raises UserError naming what is wrong with it."""
    plain = read_json(path, "camera path", _REMEDY)
    try:
        return _read(plain)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        given = str(error) if type(error) is ValueError else repr(error)
        raise UserError(f"camera path {path}", given, _FORMAT, _REMEDY) from error


def _read(plain: Any) -> CameraPath:
    if (schema := plain.get("schema", SCHEMA)) != SCHEMA:
        raise ValueError(f"schema {schema!r}; this version reads {SCHEMA}")
    width, height = _size(plain["width"], "width"), _size(plain["height"], "height")
    frames = list(plain["frames"])
    if not frames:
        raise ValueError("no frames")
    target = plain.get("target")
    return CameraPath(
        tuple(_read_frame(k, frame, width, height) for k, frame in enumerate(frames)),
        fps=_number(plain.get("fps", 30), "fps", positive=True),
        closed=bool(plain.get("closed", False)),
        name=str(plain.get("name", "")),
        kind=str(plain.get("kind", "")),
        target=None if target is None else _point(target),
        times=_times(frames),
    )


def _read_frame(k: int, frame: dict[str, Any], width: int, height: int) -> Camera:
    where = f"frame {k}'s intrinsics"
    fx, fy, cx, cy = (_number(value, where) for value in frame["intrinsics"])
    if min(fx, fy) <= 0:
        raise ValueError(f"{where} {frame['intrinsics']}")
    pose = torch.tensor(frame["T_norm_camera"], dtype=torch.float64).reshape(4, 4)
    if not _is_pose(pose):
        raise ValueError(f"frame {k}'s T_norm_camera, which is no rotation and position")
    return Camera(pose.float(), fx * width, fy * height, cx * width, cy * height, width, height)


def _is_pose(pose: torch.Tensor) -> bool:
    R = pose[:3, :3]
    straight = (R.T @ R - torch.eye(3)).abs().max() < _CROOKED
    last = (pose[3] - torch.tensor([0.0, 0.0, 0.0, 1.0])).abs().max() < _CROOKED
    return bool(pose.isfinite().all() and straight and last and torch.linalg.det(R) > 0)


def _number(value: Any, what: str, positive: bool = False) -> float:
    number = not isinstance(value, bool) and isinstance(value, (int, float))
    if not (number and math.isfinite(value) and (value > 0 or not positive)):
        raise ValueError(f"{what} {value!r}")
    return float(value)


def _size(value: Any, what: str) -> int:
    if _number(value, what, positive=True) % 1 != 0:
        raise ValueError(f"{what} {value!r}")
    return int(value)


def _point(value: Any) -> tuple[float, float, float]:
    x, y, z = (_number(coordinate, "target") for coordinate in value)
    return x, y, z


def _times(frames: list[dict[str, Any]]) -> tuple[float, ...] | None:
    given = [frame["time"] for frame in frames if "time" in frame]
    if not given:
        return None
    if len(given) < len(frames):
        raise ValueError("times of some frames only")
    times = [_number(value, "time") for value in given]
    if any(b <= a for a, b in pairwise(times)):
        raise ValueError("times that do not rise")
    return tuple(times)


def write_path(file: Path, path: CameraPath) -> None:
    """Write `path` as the module's docstring says, a frame a line; it appears whole or not at all."""
    head = {"schema": SCHEMA, "name": path.name, "kind": path.kind, "closed": path.closed}
    if path.target is not None:
        head["target"] = [_digits(value) for value in path.target]
    size = path.cameras[0]
    head |= {"fps": path.fps, "width": size.width, "height": size.height}
    times = path.times or [None] * len(path.cameras)
    frames = [_frame(camera, time) for camera, time in zip(path.cameras, times, strict=True)]
    opened = json.dumps(head, allow_nan=False)[:-1]
    with replacing(file) as partial:
        partial.write_text(f'{opened}, "frames": [\n' + ",\n".join(frames) + "\n]}\n")


def _frame(camera: Camera, time: float | None) -> str:
    pose = [[_digits(value) for value in row] for row in camera.T_world_camera.tolist()]
    frame: dict[str, Any] = {"T_norm_camera": pose, "intrinsics": list(camera.fractions)}
    if time is not None:
        frame["time"] = time
    return json.dumps(frame, allow_nan=False)


def _digits(value: float) -> float:
    """A float32 value in as many decimal digits as bring it back."""
    return float(f"{value:.9g}")
