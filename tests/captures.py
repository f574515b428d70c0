"""Writes small data sets as reconstruction tools do: `tests.scenes`' shots as COLMAP models, LLFF's and DTU's files.

The writers know the formats from their documentation and share nothing with the readers. A world that is not upright
is part of these formats, so each takes a rotation by which it is turned before writing.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from PIL import Image

from teacher.cameras import Camera, project
from teacher.datasets.raw import RawScene
from tests.scenes import WRITERS, Shot

FLIP = np.diag([1.0, -1.0, -1.0])
MODEL_NUMBERS = {"PINHOLE": 1, "OPENCV": 4, "OPENCV_FISHEYE": 5, "FOV": 7}


@dataclass(frozen=True)
class Registered:
    """One posed picture as COLMAP has it."""

    name: str
    camera: int
    quaternion: tuple[float, float, float, float]
    translation: tuple[float, float, float]


@dataclass(frozen=True)
class Sparse:
    """A model to be written: calibrations as (model, width, height, parameters), images, points with track lengths."""

    cameras: dict[int, tuple[str, int, int, tuple[float, ...]]]
    images: list[Registered]
    points: list[tuple[tuple[float, float, float], int]]


def turned(seed: int = 0) -> Float64[np.ndarray, "3 3"]:
    """A random rotation of the world."""
    Q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return Q * np.sign(np.linalg.det(Q))


def sparse_of(
    shots: Sequence[Shot],
    points: Sequence[tuple[float, float, float]] = (),
    R_source_world: Float64[np.ndarray, "3 3"] | None = None,
    suffix: str = ".png",
) -> Sparse:
    """`shots` in a world turned by `R_source_world`, a calibration for each, every point seen in five pictures."""
    R = np.eye(3) if R_source_world is None else R_source_world
    cameras, images = {}, []
    for i, shot in enumerate(shots):
        cameras[i + 1] = calibration(shot.camera)
        T = shot.camera.T_world_camera.double().numpy()
        R_camera_source = (R @ T[:3, :3] @ FLIP).T
        t = -R_camera_source @ (R @ T[:3, 3])
        images.append(Registered(shot.name + suffix, i + 1, quaternion(R_camera_source), tuple(t)))
    return Sparse(cameras, images, [(tuple(R @ np.array(point)), 5) for point in points])


def calibration(camera: Camera) -> tuple[str, int, int, tuple[float, ...]]:
    """(model, width, height, parameters) of COLMAP's model that has this lens."""
    model = {"pinhole": "PINHOLE", "opencv": "OPENCV", "fisheye": "OPENCV_FISHEYE"}[camera.lens]
    k = (*camera.distortion, 0.0, 0.0, 0.0, 0.0)[: 0 if model == "PINHOLE" else 4]
    return model, camera.width, camera.height, (camera.fx, camera.fy, camera.cx, camera.cy, *k)


def quaternion(R: Float64[np.ndarray, "3 3"]) -> tuple[float, float, float, float]:
    """(w, x, y, z) of a rotation: the eigenvector of Bar-Itzhack's symmetric matrix (2000)."""
    K = np.zeros((4, 4))
    K[0, 0] = np.trace(R)
    K[0, 1:] = K[1:, 0] = [R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]]
    K[1:, 1:] = R + R.T - np.trace(R) * np.eye(3)
    w, x, y, z = np.linalg.eigh(K)[1][:, -1]
    return w, x, y, z


def write_text_model(folder: Path, model: Sparse) -> None:
    """cameras.txt, images.txt and points3D.txt with the comments that COLMAP writes."""
    folder.mkdir(parents=True, exist_ok=True)
    cameras = [
        " ".join(map(repr_, (i, name, *rest, *parameters)))
        for i, (name, *rest, parameters) in model.cameras.items()
    ]
    (folder / "cameras.txt").write_text("\n".join(["# Camera list", *cameras, ""]))
    lines = ["# Image list with two lines of data per image:"]
    for i, image in enumerate(model.images):
        words = (i + 1, *image.quaternion, *image.translation, image.camera, image.name)
        lines += [" ".join(map(repr_, words)), "" if i % 2 else "1.5 2.5 -1 3.0 4.0 7"]
    (folder / "images.txt").write_text("\n".join([*lines, ""]))
    points = [
        " ".join(map(repr_, (i + 1, *point, 9, 9, 9, 0.5, *[1, 0] * track)))
        for i, (point, track) in enumerate(model.points)
    ]
    (folder / "points3D.txt").write_text("\n".join(["# 3D point list", *points, ""]))


def repr_(value: object) -> str:
    """A value to all its digits."""
    return repr(float(value)) if isinstance(value, float) else str(value)


def write_binary_model(folder: Path, model: Sparse) -> None:
    """cameras.bin, images.bin and points3D.bin."""
    folder.mkdir(parents=True, exist_ok=True)
    data = struct.pack("<Q", len(model.cameras))
    for i, (name, width, height, parameters) in model.cameras.items():
        data += struct.pack("<IiQQ", i, MODEL_NUMBERS[name], width, height)
        data += struct.pack(f"<{len(parameters)}d", *parameters)
    (folder / "cameras.bin").write_bytes(data)
    data = struct.pack("<Q", len(model.images))
    for i, image in enumerate(model.images):
        data += struct.pack("<I7dI", i + 1, *image.quaternion, *image.translation, image.camera)
        data += image.name.encode() + b"\0"
        data += struct.pack("<Q", i % 3) + struct.pack("<ddQ", 1.5, 2.5, 7) * (i % 3)
    (folder / "images.bin").write_bytes(data)
    data = struct.pack("<Q", len(model.points))
    for i, (point, track) in enumerate(model.points):
        data += struct.pack("<Q3d3BdQ", i + 1, *point, 9, 9, 9, 0.5, track)
        data += struct.pack("<II", 1, 0) * track
    (folder / "points3D.bin").write_bytes(data)


MODEL_WRITERS = {"text": write_text_model, "binary": write_binary_model}


def cloud(count: int) -> list[tuple[float, float, float]]:
    """Random points in the cube [-1, 1]^3."""
    return [tuple(point) for point in np.random.default_rng(2).uniform(-1, 1, (count, 3))]


def some_points(count: int = 60) -> Float64[np.ndarray, "n 3"]:
    """Points within 0.6 of what `orbiting` cameras look at."""
    offsets = np.random.default_rng(1).uniform(-0.6, 0.6, (count, 3))
    return np.array([0.2, -0.1, 0.3]) + offsets


def pinhole_pixels(
    camera: Camera, points: Float64[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "n 2"]:
    """Image points written out without this project's projection: K [R | t] p, pixel centres at +0.5."""
    T = camera.T_world_camera.double().numpy()
    local = (points - T[:3, 3]) @ T[:3, :3] @ FLIP
    u, v = (local[:, :2] / local[:, 2:]).T
    return np.stack([camera.fx * u + camera.cx, camera.fy * v + camera.cy], 1)


def loaded_pixels(
    raw: RawScene, name: str, points: Float64[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "n 2"]:
    """Where the loaded camera of picture `name` sees points of the source's frame."""
    frames = [frame for group in raw.splits.values() for frame in group]
    camera = next(frame.camera for frame in frames if frame.name == name)
    moved = torch.from_numpy(points) @ raw.T_world_source[:3, :3].T + raw.T_world_source[:3, 3]
    return project(camera, moved)[0].numpy()


def write_pictures(folder: Path, shots: Sequence[Shot], suffix: str = ".png") -> None:
    """One file per shot; PNG keeps its alpha channel."""
    for shot in shots:
        path = folder / f"{shot.name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(shot.rgba if suffix == ".png" else shot.rgba[..., :3]).save(path)


def write_colmap_text(folder: Path, shots: Sequence[Shot]) -> None:
    """images/ and sparse/0 as text."""
    write_pictures(folder / "images", shots)
    write_text_model(folder / "sparse" / "0", sparse_of(shots))


def write_colmap_binary(folder: Path, shots: Sequence[Shot]) -> None:
    """images/ and colmap/sparse/0 as binary."""
    write_pictures(folder / "images", shots)
    write_binary_model(folder / "colmap" / "sparse" / "0", sparse_of(shots))


def centred(shots: Sequence[Shot]) -> list[Shot]:
    """`shots` with what LLFF can say of a camera: one focal length, the principal point in the middle."""
    return [
        replace(
            shot,
            camera=replace(
                shot.camera,
                fy=shot.camera.fx,
                cx=shot.camera.width / 2,
                cy=shot.camera.height / 2,
            ),
        )
        for shot in shots
    ]


def write_llff(
    folder: Path,
    shots: Sequence[Shot],
    R_source_world: Float64[np.ndarray, "3 3"] | None = None,
    depths: tuple[float, float] = (2.0, 6.0),
) -> None:
    """poses_bounds.npy and images/; `shots` as `centred` makes them."""
    R, rows = np.eye(3) if R_source_world is None else R_source_world, []
    for shot in sorted(shots, key=lambda shot: shot.name):
        T = shot.camera.T_world_camera.double().numpy()
        right, up, back, position = (R @ T[:3, :4]).T
        hwf = [shot.camera.height, shot.camera.width, shot.camera.fx]
        rows.append([*np.stack([-up, right, back, position, hwf], 1).ravel(), *depths])
    write_pictures(folder / "images", shots)
    np.save(folder / "poses_bounds.npy", np.array(rows))


def write_dtu(
    folder: Path,
    shots: Sequence[Shot],
    R_source_world: Float64[np.ndarray, "3 3"] | None = None,
    sphere: tuple[tuple[float, float, float], float] = ((0.0, 0.0, 0.0), 2.0),
) -> None:
    """cameras.npz of scaled projection matrices to pixels whose centres are whole numbers; image/ and mask/."""
    R, arrays = np.eye(3) if R_source_world is None else R_source_world, {}
    for i, shot in enumerate(shots):
        camera, T = shot.camera, shot.camera.T_world_camera.double().numpy()
        K = np.array(
            [[camera.fx, 0, camera.cx - 0.5], [0, camera.fy, camera.cy - 0.5], [0, 0, 1.0]]
        )
        R_camera_source = (R @ T[:3, :3] @ FLIP).T
        t = -R_camera_source @ (R @ T[:3, 3])
        arrays[f"world_mat_{i}"] = np.eye(4)
        arrays[f"world_mat_{i}"][:3] = -2.5 * K @ np.concatenate([R_camera_source, t[:, None]], 1)
        arrays[f"scale_mat_{i}"] = np.diag([*[sphere[1]] * 3, 1.0])
        arrays[f"scale_mat_{i}"][:3, 3] = R @ np.array(sphere[0])
        for part, pixels in (("image", shot.rgba[..., :3]), ("mask", shot.rgba[..., 3])):
            (folder / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / part / f"{shot.name}.png")
    np.savez(folder / "cameras.npz", **arrays)


ALL_WRITERS = {
    **WRITERS,
    "colmap text": write_colmap_text,
    "colmap binary": write_colmap_binary,
    "llff": lambda folder, shots: write_llff(folder, centred(shots)),
    "dtu": write_dtu,
}
"""Every format; all can say what `tests.scenes.tiny_shots` have (off-centre, fx != fy, alpha), except LLFF."""
