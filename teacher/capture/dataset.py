"""The data set's files: transforms.json in nerfstudio's dialect, and the sparse points as PLY.

transforms.json   lens, poses (OpenGL, world +z up), applied_transform and applied_scale from COLMAP's frame
sparse_pc.ply     the points, in the same world
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from teacher.capture.masks import mask_name
from teacher.capture.model import LensFit, Model
from teacher.capture.world import World, moved_points, moved_poses
from teacher.files import replacing, write_json

POINTS = "sparse_pc.ply"
_VERTEX = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])


def write_dataset(
    folder: Path, model: Model, world: World, masks: bool = False, name: str | None = None
) -> None:
    """Write the cameras and points of `model`; with `masks` there is one in masks/ for each picture.

    `name` is what the scene is called; None: as its folder.
    """
    poses = moved_poses(world.T_world_source, model.T_world_camera)
    scale = float(np.cbrt(np.linalg.det(world.T_world_source[:3, :3])))
    frames: list[dict[str, Any]] = []
    for picture, lens, pose in zip(model.names, model.lens, poses, strict=True):
        frame: dict[str, Any] = {
            "file_path": f"images/{picture}",
            "transform_matrix": pose.tolist(),
        }
        if masks:
            frame["mask_path"] = f"masks/{mask_name(picture)}"
        if len(model.lenses) > 1:
            frame |= _intrinsics(model.lenses[lens])
        frames.append(frame)
    common = {} if len(model.lenses) != 1 else _intrinsics(model.lenses[0])
    document = {
        **({} if name is None else {"name": name}),
        **common,
        "ply_file_path": POINTS,
        "applied_transform": (world.T_world_source[:3] / scale).tolist(),
        "applied_scale": scale,
        "frames": frames,
    }
    write_ply(folder / POINTS, moved_points(world.T_world_source, model.points), model.colours)
    write_json(folder / "transforms.json", document)


def _intrinsics(lens: LensFit) -> dict[str, Any]:
    return {"camera_model": lens.model, "w": lens.width, "h": lens.height, **lens.values}


def write_ply(
    path: Path, points: Float[np.ndarray, "n 3"], colours: UInt8[np.ndarray, "n 3"]
) -> None:
    """Points with colours as binary PLY."""
    vertices = np.empty(len(points), _VERTEX)
    vertices["xyz"], vertices["rgb"] = points, colours
    properties = [f"property float {axis}" for axis in "xyz"]
    properties += [f"property uchar {colour}" for colour in ("red", "green", "blue")]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    text = "\n".join([*header, *properties, "end_header"]) + "\n"
    with replacing(path) as partial:
        partial.write_bytes(text.encode() + vertices.tobytes())
