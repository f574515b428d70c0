"""LLFF captures, forward-facing photographs for the most part (Mildenhall et al. 2019).

    poses_bounds.npy [n, 17] + images/ (+ images_4/8) --> RawScene

* A row is 15 numbers of a 3 x 5 matrix and two of depth. The matrix' columns are the camera's down, right and backwards
  axes, its position, and (height, width, focal length in pixels): https://github.com/Fyusion/LLFF#using-your-own-poses
* There is no lens, no principal point (it is the picture's centre) and there are no names: rows belong to the files of
  images/ in alphabetical order, and so do the files of images_4/, which often have other names.
* The depths are those of the nearest and farthest of what a picture shows. The box that all of that fits in, cameras
  included, is the one that the data set asks for.
* The world is a reconstruction's, so it is set upright as COLMAP's is.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from teacher.cameras import Camera
from teacher.datasets.arrays import read_arrays
from teacher.datasets.files import read_frames
from teacher.datasets.poses import checked_pose, upright
from teacher.datasets.raw import LoadOptions, NotThisFormat, RawScene, with_test_split
from teacher.datasets.views import View, images_in
from teacher.errors import UserError

FILE = "poses_bounds.npy"


def load(path: Path, options: LoadOptions) -> RawScene:
    """Load the folder or poses_bounds.npy `path`; see `teacher.datasets.raw` for what a loader does."""
    file = path if path.name == FILE else path / FILE
    if not file.is_file():
        raise NotThisFormat(f"it has no {FILE}")
    rows, root = _rows(file), file.parent
    poses = torch.stack([_pose(row, f"row {i} of {file}") for i, row in enumerate(rows)])
    T_world_source = upright(poses)
    sizes = [(round(float(row[9])), round(float(row[4]))) for row in rows]
    cameras = [
        Camera(T_world_source @ pose, focal, focal, size[0] / 2, size[1] / 2, *size)
        for pose, size, focal in zip(poses, sizes, rows[:, 14].tolist(), strict=True)
    ]
    views = _views(root, cameras, options.downscale)
    frames = read_frames({"train": views}, root, options)
    return RawScene(
        root.resolve().name,
        with_test_split(frames.splits, options.test_every),
        frames.has_alpha,
        _box(cameras, rows[:, 15:]),
        T_world_source,
        frames.warnings,
    )


def _rows(file: Path) -> Float64[Tensor, "n 17"]:
    remedy = "copy the file again, or write it again with LLFF's imgs2poses.py"
    rows = torch.from_numpy(read_arrays(file, "pose file", remedy).get("", np.zeros(0)))
    if rows.ndim != 2 or rows.shape[1] != 17 or not len(rows):
        problem = f"an array of {' x '.join(map(str, rows.shape)) or 'one number'}"
        raise UserError(f"pose file {file}", problem, "17 numbers for each picture", remedy)
    size_focal_depths = rows[:, [4, 9, 14, 15, 16]]
    bad = ~((size_focal_depths > 0) & size_focal_depths.isfinite()).all(-1)
    bad |= rows[:, 16] <= rows[:, 15]
    if bad.any():
        i = int(bad.nonzero()[0])
        height, width, focal, near, far = size_focal_depths[i].tolist()
        problem = (
            f"{width:g} x {height:g} pixels, focal length {focal:g}, depths {near:g} to {far:g}"
        )
        expected = "positive numbers, the second depth larger"
        raise UserError(f"row {i} of {file}", problem, expected, remedy)
    return rows


def _pose(row: Float64[Tensor, "17"], thing: str) -> Float64[Tensor, "4 4"]:
    """`T_world_camera` of one row: [down, right, backwards] to [right, up, backwards]."""
    down, right, back, position, _ = row[:15].reshape(3, 5).unbind(1)
    T = torch.eye(4).double()
    T[:3] = torch.stack([right, -down, back, position], 1)
    return checked_pose(T, thing)


def _views(root: Path, cameras: list[Camera], downscale: int) -> list[View]:
    folders = root / "images", root / f"images_{downscale}"
    full, small = (images_in(folder) for folder in folders)
    if not full and small:
        full = [folders[0] / file.name for file in small]  # their names stand in for the others'
    if len(full) != len(cameras):
        raise UserError(
            f"data set {root}",
            f"{len(cameras)} rows in {FILE} and {len(full)} pictures in images/",
            "as many of one as of the other: rows have no names and go by alphabetical order",
            "remove the pictures that were given no pose (LLFF's imgs2poses.py lists them)",
        )
    copies = small if len(small) == len(full) else [None] * len(full)
    return [
        View(file.name, file, lambda size, c=camera: c, (camera.width, camera.height), small=copy)
        for file, camera, copy in zip(full, cameras, copies, strict=True)
    ]


def _box(cameras: list[Camera], depths: Float64[Tensor, "n 2"]) -> Float64[Tensor, "2 3"]:
    """Around every camera and the corners of what it shows between its two depths."""
    corners = [camera.position[None] for camera in cameras]
    for camera, (near, far) in zip(cameras, depths.tolist(), strict=True):
        right, up = camera.width / 2 / camera.fx, camera.height / 2 / camera.fy
        rays = [[x, y, -1.0] for x in (-right, right) for y in (-up, up)]
        directions = torch.tensor(rays).double() @ camera.T_world_camera[:3, :3].T
        corners += [camera.position + depth * directions for depth in (near, far)]
    points = torch.cat(corners)
    return torch.stack([points.amin(0), points.amax(0)])
