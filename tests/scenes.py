"""Writes small data sets: the same shots in every format that `teacher.datasets` reads.

    shots (cameras in the world frame + RGBA) --WRITERS[format]--> folder --load_scene--> the same

A new format is one writer and one line in `WRITERS`; the shared test in
`tests/teacher/test_datasets.py` then covers it.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from teacher.cameras import Camera, look_at
from teacher.scene import Scene

Point = tuple[float, float, float]
Document = dict[str, Any]
"""A camera file's keys."""
WIDTH, HEIGHT = 7, 5
BOX = ((-1.0, -1.5, -0.5), (1.5, 1.0, 1.0))
"""A box for `load_scene(aabb=BOX)`: it makes the norm frame the same whatever the format."""


@dataclass(frozen=True)
class Shot:
    """One picture to be written."""

    name: str
    camera: Camera
    rgba: UInt8[np.ndarray, "height width 4"]
    test: bool = False


def tiny_shots(count: int = 10) -> list[Shot]:
    """Random 7 x 5 pictures of off-centre cameras with fx != fy; every 8th is a test picture."""
    noise = np.random.default_rng(0)
    pictures = noise.integers(0, 256, (count, HEIGHT, WIDTH, 4), np.uint8)
    return [
        Shot(f"{i:03}", orbiting(2 * math.pi * i / count), picture, test=i % 8 == 0)
        for i, picture in enumerate(pictures)
    ]


def orbiting(
    azimuth: float,
    elevation: float = 0.4,
    *,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    target: Point = (0.2, -0.1, 0.3),
    radius: float = 4.0,
) -> Camera:
    """A camera on an orbit around `target`, its principal point off the picture's centre."""
    away = [math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth)]
    centre = torch.tensor(target)
    position = centre + radius * torch.tensor([*away, math.sin(elevation)])
    width, height = size
    return Camera(
        look_at(position, centre),
        fx=1.25 * width,
        fy=1.85 * height,
        cx=0.56 * width,
        cy=0.43 * height,
        width=width,
        height=height,
    )


def all_round(centre: Point, size: tuple[int, int] = (64, 48)) -> list[Camera]:
    """24 cameras that look at `centre` from all sides and several heights."""
    turns = [(2 * math.pi * i / 24, 0.2 + 0.3 * (i % 4)) for i in range(24)]
    return [orbiting(*turn, size=size, target=centre, radius=5.0) for turn in turns]


def ellipsoid_shots(radii: Point, centre: Point, cameras: Sequence[Camera]) -> list[Shot]:
    """An axis-aligned ellipsoid on nothing, its silhouette exact at pixel centres."""
    shots = []
    for i, camera in enumerate(cameras):
        rays = camera.rays()
        o = (rays.origins - torch.tensor(centre)) / torch.tensor(radii)
        d = rays.directions / torch.tensor(radii)
        a, b, c = (d * d).sum(-1), (o * d).sum(-1), (o * o).sum(-1) - 1
        hit = (b < 0) & (b * b - a * c > 0)
        rgba = np.zeros((camera.height, camera.width, 4), np.uint8)
        rgba[hit.reshape(camera.height, camera.width).numpy()] = (200, 120, 40, 255)
        shots.append(Shot(f"{i:03}", camera, rgba, test=i % 8 == 0))
    return shots


def write_blender(folder: Path, shots: Sequence[Shot]) -> None:
    """NeRF-synthetic: a file per split, angles of view, no sizes, file names without extension."""
    for split in ("train", "test"):
        mine = [shot for shot in shots if shot.test == (split == "test")]
        frames = []
        for shot in mine:
            _write_png(folder / split / f"r_{shot.name}.png", shot.rgba)
            frames.append({"file_path": f"./{split}/r_{shot.name}", **_pose(shot)})
        camera = mine[0].camera
        angles = {
            "camera_angle_x": 2 * math.atan(camera.width / 2 / camera.fx),
            "camera_angle_y": 2 * math.atan(camera.height / 2 / camera.fy),
        }
        document = {**angles, "cx": camera.cx, "cy": camera.cy, "frames": frames}
        write_json(folder / f"transforms_{split}.json", document)


def write_instant_ngp(folder: Path, shots: Sequence[Shot]) -> None:
    """instant-ngp: intrinsics of the file, `aabb_scale`, no splits, frames in any order."""
    frames = []
    for shot in reversed(shots):
        _write_png(folder / "images" / f"{shot.name}.png", shot.rgba)
        frames.append({"file_path": f"images/{shot.name}.png", "sharpness": 30.0, **_pose(shot)})
    document = {**_intrinsics(shots[0].camera), "aabb_scale": 4, "frames": frames}
    write_json(folder / "transforms.json", document)


def write_nerfstudio(folder: Path, shots: Sequence[Shot]) -> None:
    """nerfstudio: intrinsics of each frame, a named lens, split keys."""
    frames, splits = [], {"train_filenames": [], "test_filenames": []}
    for shot in shots:
        path = f"images/frame_{shot.name}.png"
        _write_png(folder / path, shot.rgba)
        frames.append({"file_path": path, **_intrinsics(shot.camera), **_pose(shot)})
        splits["test_filenames" if shot.test else "train_filenames"].append(path)
    document = {"camera_model": "OPENCV", **splits, "frames": frames}
    write_json(folder / "transforms.json", document)


WRITERS: dict[str, Callable[[Path, Sequence[Shot]], None]] = {
    "blender": write_blender,
    "instant-ngp": write_instant_ngp,
    "nerfstudio": write_nerfstudio,
}


def edited(
    folder: Path, change: Callable[[Document], object], name: str = "transforms.json"
) -> Path:
    """`folder` after `change` to the keys of its camera file."""
    document = json.loads((folder / name).read_text())
    change(document)
    write_json(folder / name, document)
    return folder


def world_box(scene: Scene) -> Float[Tensor, "2 3"]:
    """The scene's box in the data set's frame."""
    T = scene.T_norm_world.inverse()
    return scene.aabb @ T[:3, :3].T + T[:3, 3]


def write_json(path: Path, document: Any) -> None:
    """Write `document`, NaN and all, as real exporters do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def _write_png(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _pose(shot: Shot) -> dict[str, Any]:
    return {"transform_matrix": shot.camera.T_world_camera.tolist()}


def _intrinsics(camera: Camera) -> dict[str, Any]:
    size = {"w": camera.width, "h": camera.height}
    focal = {"fl_x": camera.fx, "fl_y": camera.fy}
    distortion = dict(zip(("k1", "k2", "p1", "p2"), camera.distortion, strict=False))
    return {**focal, "cx": camera.cx, "cy": camera.cy, **size, **distortion}
