"""DTU scans and others in the layout of IDR and NeuS (Yariv et al. 2020; Jensen et al. 2014 for the scans).

    cameras.npz | cameras_sphere.npz + image/ (+ mask/) --> RawScene

* `world_mat_<i>` is a projection matrix K [R | t] of the i-th picture in alphabetical order, up to scale. It is taken
  apart into a pose and pixels; its pixel centres are whole numbers, ours are at +0.5, so half a pixel is added.
* `scale_mat_<i>` maps the unit sphere onto the one around the object; the cube around that is the box asked for.
* The masks of mask/, in the same order, show the object in white: they become the pictures' alpha channels.
* The world is a calibration's, in millimetres for DTU; it is set upright and otherwise left as it is.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from teacher.cameras import Camera
from teacher.datasets.arrays import read_arrays
from teacher.datasets.files import read_frames
from teacher.datasets.poses import from_opencv, upright
from teacher.datasets.raw import LoadOptions, NotThisFormat, RawScene, with_test_split
from teacher.datasets.views import View, images_in
from teacher.errors import UserError

FILES = ("cameras.npz", "cameras_sphere.npz")
Arrays = dict[str, Float64[np.ndarray, "..."]]
_SKEW = 1e-3  # of the focal length, above which a camera's axes cannot be taken for perpendicular
_REMEDY = "copy the file again, or export the data set again"


def load(path: Path, options: LoadOptions) -> RawScene:
    """Load the folder or .npz file `path`; see `teacher.datasets.raw` for what a loader does."""
    candidates = [path] if path.name in FILES else [path / name for name in FILES]
    file = next((candidate for candidate in candidates if candidate.is_file()), None)
    if file is None:
        raise NotThisFormat(f"it has no {' or '.join(FILES)}")
    arrays, root = read_arrays(file, "camera file", _REMEDY), file.parent
    images, mattes = images_in(root / "image"), images_in(root / "mask")
    if mattes and len(mattes) != len(images):
        given = f"{len(images)} pictures in image/ and {len(mattes)} in mask/"
        raise UserError(f"data set {root}", given, "a mask for each picture", "add or remove masks")
    taken = [_taken_apart(arrays, i, file) for i in range(len(images))]
    if not taken:
        raise UserError(f"data set {root}", "no pictures in image/", "some", "copy them there")
    T_world_source = upright(torch.stack([T for _, T in taken]))
    views = [
        View(
            f"image/{image.name}",
            image,
            lambda size, K=K, T=T_world_source @ T: _camera(K, T, size),
            matte=matte,
        )
        for image, matte, (K, T) in zip(images, mattes or [None] * len(images), taken, strict=True)
    ]
    frames = read_frames({"train": views}, root, options)
    return RawScene(
        root.resolve().name,
        with_test_split(frames.splits, options.test_every),
        frames.has_alpha,
        _box(arrays, T_world_source, file),
        T_world_source,
        frames.warnings,
    )


def _matrix(arrays: Arrays, key: str, file: Path) -> Float64[np.ndarray, "3 4"]:
    given = arrays.get(key)
    if given is None or given.shape not in ((3, 4), (4, 4)) or not np.isfinite(given).all():
        problem = "none" if given is None else f"{given.tolist()}"
        raise UserError(f"{key} of {file}", problem, "4 x 4 finite numbers", _REMEDY)
    return given[:3]


def _taken_apart(
    arrays: Arrays, i: int, file: Path
) -> tuple[Float64[Tensor, "3 3"], Float64[Tensor, "4 4"]]:
    """K and `T_world_camera` of picture i: M = K R by an RQ decomposition, both diagonals positive."""
    P = _matrix(arrays, f"world_mat_{i}", file)
    P = P * np.sign(np.linalg.det(P[:, :3]))
    if np.linalg.matrix_rank(P[:, :3]) < 3:
        problem, expected = f"{P.tolist()}", "a projection matrix K [R | t]"
        raise UserError(f"world_mat_{i} of {file}", problem, expected, _REMEDY)
    Q, U = np.linalg.qr(P[::-1, :3].T)
    K, R = U.T[::-1, ::-1], Q.T[::-1]
    signs = np.sign(np.diag(K))
    K, R = K * signs, R * signs[:, None]
    K, t = K / K[2, 2], np.linalg.solve(K, P[:, 3])
    if abs(K[0, 1]) > _SKEW * K[0, 0]:
        problem, expected = f"a skew of {K[0, 1]:.4g} pixels", "perpendicular pixel axes"
        remedy = "undistort the images to a plain pinhole camera"
        raise UserError(f"world_mat_{i} of {file}", problem, expected, remedy)
    T_camera_world = np.eye(4)
    T_camera_world[:3] = np.concatenate([R, t[:, None]], 1)
    return torch.from_numpy(K.copy()), from_opencv(torch.from_numpy(T_camera_world))


def _camera(
    K: Float64[Tensor, "3 3"], T_world_camera: Float64[Tensor, "4 4"], size: tuple[int, int]
) -> Camera:
    (fx, _, cx), (_, fy, cy), _ = K.tolist()
    return Camera(T_world_camera, fx, fy, cx + 0.5, cy + 0.5, *size)


def _box(
    arrays: Arrays, T_world_source: Float64[Tensor, "4 4"], file: Path
) -> Float64[Tensor, "2 3"] | None:
    """The cube around the sphere of `scale_mat_0`; None where the file has none."""
    if "scale_mat_0" not in arrays:
        return None
    scale = torch.from_numpy(_matrix(arrays, "scale_mat_0", file))
    radius = scale[0, :3].norm()
    if radius <= 0:
        raise UserError(f"scale_mat_0 of {file}", f"{scale.tolist()}", "a scale", _REMEDY)
    centre = T_world_source[:3, :3] @ scale[:, 3]
    return torch.stack([centre - radius, centre + radius])
