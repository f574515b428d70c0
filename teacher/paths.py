"""Camera paths for rendering: an orbit or a spiral inside the training cameras' envelope, or a file.

A path file is JSON: {"fps": 30, "width": 512, "height": 512, "frames": [{"T_norm_camera": 4x4, "intrinsics": [fx/width,
fy/height, cx/width, cy/height]}, ...]}; cameras are in the norm frame, as everywhere.
"""

import math
from pathlib import Path
from typing import Any

import torch

from teacher.cameras import Camera, look_at
from teacher.errors import UserError
from teacher.files import read_json
from teacher.pseudo.envelope import Envelope

_FORMAT = '"width", "height" and "frames" with "T_norm_camera" (4x4) and "intrinsics" (4 fractions)'


def orbit(envelope: Envelope, like: Camera, frames: int) -> list[Camera]:
    """Once along the envelope's azimuth at mean elevation and radius; a whole circle closes on itself."""
    return [_camera(envelope, like, k / frames, 0.5, 0.5) for k in range(frames)]


def spiral(envelope: Envelope, like: Camera, frames: int) -> list[Camera]:
    """Twice round while rising from the lowest to the highest elevation."""
    return [
        _camera(envelope, like, 2 * k / frames % 1, k / max(1, frames - 1), 0.5)
        for k in range(frames)
    ]


def _camera(e: Envelope, like: Camera, turn: float, rise: float, reach: float) -> Camera:
    first, last = e.azimuth
    span = last - first
    if span < 2 * math.pi - 1e-6:  # an arc is swept there and back
        turn = 1 - abs(2 * turn - 1)
    azimuth = first + turn * span
    elevation = e.elevation[0] + rise * (e.elevation[1] - e.elevation[0])
    radius = e.radius[0] + reach * (e.radius[1] - e.radius[0])
    pivot = torch.tensor(e.pivot)
    level = math.cos(elevation)
    offset = (level * math.cos(azimuth), level * math.sin(azimuth), math.sin(elevation))
    pose = look_at(pivot + radius * torch.tensor(offset), pivot)
    return Camera(pose, like.fx, like.fy, like.cx, like.cy, like.width, like.height)


def read_path(path: Path) -> tuple[list[Camera], int]:
    """Cameras and frames per second of a path file; raises UserError naming what is wrong with it."""
    remedy = "see the format in teacher/paths.py, or use --path orbit"
    plain = read_json(path, "camera path", remedy)
    try:
        cameras = [_read_frame(frame, plain["width"], plain["height"]) for frame in plain["frames"]]
        return cameras, int(plain.get("fps", 30))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"camera path {path}", repr(error), _FORMAT, remedy) from error


def _read_frame(frame: dict[str, Any], width: int, height: int) -> Camera:
    fx, fy, cx, cy = frame["intrinsics"]
    pose = torch.tensor(frame["T_norm_camera"], dtype=torch.float32).reshape(4, 4)
    return Camera(pose, fx * width, fy * height, cx * width, cy * height, width, height)


PATHS = {"orbit": orbit, "spiral": spiral}
