"""Cameras, and THE frame convention of the whole project.

* `T_a_b` maps points of frame b into frame a: `p_a = T_a_b @ p_b`. `T_world_camera` is camera-to-world.
* Camera axes are OpenGL's: +x right, +y up, -z forward. The world's +z is up.
* Pixel (column u, row v) covers [u, u+1) x [v, v+1); its centre is (u + 0.5, v + 0.5). Row 0 is at the top.
* Intrinsics (fx, fy, cx, cy) are in pixels; *fractions* are fx/width, fy/height, cx/width, cy/height.
* "World" is the frame of the scene that owns the camera: `Scene.cameras` are in the scene's normalised frame ("norm"),
  and `Scene.T_norm_world` says how the data set's own frame maps into it.

Lens models (coefficients in OpenCV's order, applied to x = X/Z, y = Y/Z of the +z-forward camera):
`pinhole` (none), `opencv` (k1 k2 p1 p2 [k3 k4 k5 k6]: radial (rational) and tangential), `fisheye` (k1 k2 k3 k4 on the
angle from the axis, Kannala-Brandt; https://docs.opencv.org/4.x/db/d58/group__calib3d__fisheye.html).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from teacher.rays import Rays

Lens = Literal["pinhole", "opencv", "fisheye"]
COEFFICIENTS = 8  # stored per camera; unused ones are zero
_UNDISTORT_STEPS = 10  # Newton steps; a phone's distortion converges to float32 in four


@dataclass(frozen=True)
class Camera:
    """One calibrated, posed camera; see the module's docstring for frames and units."""

    T_world_camera: Float[Tensor, "4 4"]
    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    lens: Lens = "pinhole"
    distortion: tuple[float, ...] = ()
    time: float | None = None
    """Seconds or a normalised time, for moving scenes; None where time stands still."""

    @property
    def position(self) -> Float[Tensor, "3"]:
        """The camera's centre, in world units."""
        return self.T_world_camera[:3, 3]

    @property
    def forward(self) -> Float[Tensor, "3"]:
        """Unit optical axis, in the world frame."""
        return -self.T_world_camera[:3, 2]

    @property
    def fractions(self) -> tuple[float, float, float, float]:
        """(fx/width, fy/height, cx/width, cy/height): intrinsics that hold at any resolution."""
        return (
            self.fx / self.width,
            self.fy / self.height,
            self.cx / self.width,
            self.cy / self.height,
        )

    def resized(self, width: int, height: int) -> "Camera":
        """The same view at another resolution (each axis is scaled on its own)."""
        fx, fy, cx, cy = self.fractions
        return replace(
            self,
            fx=fx * width,
            fy=fy * height,
            cx=cx * width,
            cy=cy * height,
            width=width,
            height=height,
        )

    def undistorted(self) -> "Camera":
        """The pinhole camera with the same pose and intrinsics."""
        return replace(self, lens="pinhole", distortion=())

    def rays(self) -> Rays:
        """Rays through all pixel centres, row by row: [height * width] of them."""
        return Cameras.stack([self]).image_rays(0)


@dataclass(frozen=True)
class Cameras:
    """Many cameras as stacked tensors, for drawing rays from all of them at once."""

    T_world_camera: Float[Tensor, "cameras 4 4"]
    intrinsics: Float[Tensor, "cameras 4"]
    size: Int[Tensor, "cameras 2"]
    """(width, height) in pixels."""
    lens: tuple[Lens, ...]
    distortion: Float[Tensor, "cameras 8"]

    @staticmethod
    def stack(cameras: Sequence[Camera]) -> "Cameras":
        """Stack `cameras`, which may differ in size, intrinsics and lens."""
        coefficients = [(*c.distortion, *([0.0] * COEFFICIENTS))[:COEFFICIENTS] for c in cameras]
        return Cameras(
            torch.stack([c.T_world_camera for c in cameras]).float(),
            torch.tensor([(c.fx, c.fy, c.cx, c.cy) for c in cameras], dtype=torch.float32),
            torch.tensor([(c.width, c.height) for c in cameras]),
            tuple(c.lens for c in cameras),
            torch.tensor(coefficients, dtype=torch.float32),
        )

    def __len__(self) -> int:
        return len(self.lens)

    def rays(self, index: Int[Tensor, " rays"], pixels: Float[Tensor, "rays 2"]) -> Rays:
        """Rays of camera `index[i]` through the image point `pixels[i]` = (u, v), in pixels."""
        f, c = self.intrinsics[index].split(2, -1)
        xy = (pixels - c) / f
        distinct = set(self.lens)
        if distinct == {"pinhole"}:
            local = pinhole_direction(xy)
        else:
            lenses = torch.tensor([LENSES.index(lens) for lens in self.lens])[index]
            local = torch.empty(len(pixels), 3)
            for kind in distinct:
                pick = lenses == LENSES.index(kind)
                local[pick] = _UNPROJECT[kind](xy[pick], self.distortion[index[pick]])
        T = self.T_world_camera[index]
        directions = torch.nn.functional.normalize((T[:, :3, :3] @ local[..., None])[..., 0], dim=-1)
        return Rays(T[:, :3, 3], directions)

    def image_rays(self, camera: int) -> Rays:
        """Rays through every pixel centre of one camera, row by row."""
        width, height = self.size[camera].tolist()
        pixels = pixel_centres(width, height).reshape(-1, 2)
        return self.rays(torch.full((len(pixels),), camera), pixels)


def pixel_centres(width: int, height: int) -> Float[Tensor, "height width 2"]:
    """(u, v) of every pixel's centre, in pixels."""
    v, u = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([u, v], -1)


def pinhole_direction(
    xy: Float[Tensor, "n 2"], _: Float[Tensor, "n 8"] | None = None
) -> Float[Tensor, "n 3"]:
    """Camera-frame direction (not normalised) of the point xy = (X/Z, Y/Z) on the image plane."""
    return torch.stack([xy[:, 0], -xy[:, 1], -torch.ones_like(xy[:, 0])], -1)


def distort_opencv(xy: Float[Tensor, "n 2"], k: Float[Tensor, "n 8"]) -> Float[Tensor, "n 2"]:
    """OpenCV's forward model: undistorted to distorted image-plane coordinates."""
    k1, k2, p1, p2, k3, k4, k5, k6 = k.unbind(-1)
    x, y = xy.unbind(-1)
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    radial = radial / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    dx = 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    dy = p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return torch.stack([x * radial + dx, y * radial + dy], -1)


def undistort_opencv(xy: Float[Tensor, "n 2"], k: Float[Tensor, "n 8"]) -> Float[Tensor, "n 2"]:
    """Inverse of `distort_opencv` by fixed-point iteration, as OpenCV's undistortPoints."""
    guess = xy
    for _ in range(2 * _UNDISTORT_STEPS):
        guess = guess + (xy - distort_opencv(guess, k))
    return guess


def _opencv_direction(xy: Float[Tensor, "n 2"], k: Float[Tensor, "n 8"]) -> Float[Tensor, "n 3"]:
    return pinhole_direction(undistort_opencv(xy, k))


def distort_fisheye(
    theta: Float[Tensor, " n"], k: Float[Tensor, "n 8"]
) -> Float[Tensor, " n"]:
    """Distorted radius of a ray at angle theta (radians) from the axis: theta(1 + k1 theta^2 + ...)."""
    k1, k2, k3, k4 = k[:, :4].unbind(-1)
    t2 = theta * theta
    return theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))


def _fisheye_direction(xy: Float[Tensor, "n 2"], k: Float[Tensor, "n 8"]) -> Float[Tensor, "n 3"]:
    radius = xy.norm(dim=-1)
    k1, k2, k3, k4 = k[:, :4].unbind(-1)
    theta = radius.clamp_max(math.pi)
    for _ in range(_UNDISTORT_STEPS):
        t2 = theta * theta
        slope = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
        theta = theta - (distort_fisheye(theta, k) - radius) / slope.clamp_min(1e-3)
    side = xy / radius.clamp_min(1e-9)[:, None]
    sin, cos = torch.sin(theta), torch.cos(theta)
    return torch.stack([side[:, 0] * sin, -side[:, 1] * sin, -cos], -1)


_UNPROJECT = {
    "pinhole": pinhole_direction,
    "opencv": _opencv_direction,
    "fisheye": _fisheye_direction,
}
LENSES: tuple[Lens, ...] = ("pinhole", "opencv", "fisheye")


def project(camera: Camera, points: Float[Tensor, "n 3"]) -> tuple[Tensor, Tensor]:
    """Image points (u, v) [n 2] in pixels and depth along the optical axis [n] of world points.

    Points with depth <= 0 lie behind the camera; their image points mean nothing.
    """
    R, t = camera.T_world_camera[:3, :3], camera.T_world_camera[:3, 3]
    local = (points - t) @ R
    depth = -local[:, 2]
    xy = torch.stack([local[:, 0], -local[:, 1]], -1) / depth.clamp_min(1e-9)[:, None]
    k = torch.tensor((*camera.distortion, *([0.0] * COEFFICIENTS))[:COEFFICIENTS]).expand(len(xy), -1)
    if camera.lens == "opencv":
        xy = distort_opencv(xy, k)
    elif camera.lens == "fisheye":
        radius = xy.norm(dim=-1).clamp_min(1e-9)
        theta = torch.atan2(local[:, :2].norm(dim=-1), depth)
        xy = xy * (distort_fisheye(theta, k) / radius)[:, None]
    f, c = torch.tensor((camera.fx, camera.fy)), torch.tensor((camera.cx, camera.cy))
    return xy * f + c, depth


def look_at(
    position: Float[Tensor, "3"],
    target: Float[Tensor, "3"],
    up: Float[Tensor, "3"] | None = None,
) -> Float[Tensor, "4 4"]:
    """`T_world_camera` of a camera at `position` that looks at `target`, `up` (default +z) upwards.

    Straight up or down, +y stands in for `up`.
    """
    up = torch.tensor([0.0, 0.0, 1.0]) if up is None else up
    back = torch.nn.functional.normalize(position - target, dim=0)
    if (back - (back @ up) * up).norm() < 1e-4:
        up = torch.tensor([0.0, 1.0, 0.0])
    right = torch.nn.functional.normalize(torch.linalg.cross(up, back), dim=0)
    T = torch.eye(4)
    T[:3, 0], T[:3, 1], T[:3, 2], T[:3, 3] = right, torch.linalg.cross(back, right), back, position
    return T


def apply_similarity(T: Float[Tensor, "4 4"], camera: Camera) -> Camera:
    """`camera` moved into the frame that the similarity `T` maps its world into."""
    scale = T[:3, :3].det() ** (1 / 3)
    pose = T @ camera.T_world_camera
    pose = torch.cat([torch.cat([pose[:3, :3] / scale, pose[:3, 3:]], 1), pose[3:]])
    return replace(camera, T_world_camera=pose)
