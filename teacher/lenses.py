"""Lens models: between directions in the camera's frame and points on its image plane.

    local (+x right, +y up, -z forward) <--> xy = ((u - cx) / fx, (v - cy) / fy), +y down

Ideal coordinates are x = X/Z, y = Y/Z of a camera with +z forward and +y down. `k` holds the
coefficients in OpenCV's order, unused ones zero:

* `pinhole`: none, xy is ideal.
* `opencv`: k1 k2 p1 p2 k3 [k4 k5 k6], radial (rational where k4 to k6 are given) and tangential
  (https://docs.opencv.org/4.x/d9/d0c/group__calib3d.html).
* `fisheye`: k1 k2 k3 k4 on the angle from the axis (Kannala and Brandt 2006, eq. 6;
  https://docs.opencv.org/4.x/db/d58/group__calib3d__fisheye.html); it may see behind itself.

A new lens is two functions and one line in `LENS_MODELS`.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Lens = Literal["pinhole", "opencv", "fisheye"]
COEFFICIENTS = 8  # stored per camera
_NEWTON_STEPS = 7  # each doubles the digits; a phone's lens reaches float32's precision in three
_LEAST_SLOPE = 1e-2  # keeps pixels finite that lie where a lens folds the image over itself


class LensModel(NamedTuple):
    """The two directions of one lens."""

    direction: Callable[[Float[Tensor, "n 2"], Float[Tensor, "n 8"]], Float[Tensor, "n 3"]]
    """Image-plane points to camera-frame directions of any length."""
    image_point: Callable[[Float[Tensor, "n 3"], Float[Tensor, "n 8"]], Float[Tensor, "n 2"]]
    """Camera-frame points to image-plane points; meaningless outside the lens's field of view."""


def pinhole_direction(xy: Float[Tensor, "n 2"], k: Float[Tensor, "n 8"]) -> Float[Tensor, "n 3"]:
    """Direction of an ideal point, with unit depth."""
    return torch.stack([xy[:, 0], -xy[:, 1], -torch.ones_like(xy[:, 0])], -1)


def pinhole_point(local: Float[Tensor, "n 3"], k: Float[Tensor, "n 8"]) -> Float[Tensor, "n 2"]:
    """Central projection."""
    x, y, z = local.unbind(-1)
    return torch.stack([x, -y], -1) / (-z).clamp_min(1e-9)[:, None]


def opencv_direction(xy: Float[Tensor, "n 2"], k: Float[Tensor, "n 8"]) -> Float[Tensor, "n 3"]:
    """Direction of a distorted point, with unit depth."""
    return pinhole_direction(undistort_opencv(xy, k), k)


def opencv_point(local: Float[Tensor, "n 3"], k: Float[Tensor, "n 8"]) -> Float[Tensor, "n 2"]:
    """Central projection, then distortion."""
    return distort_opencv(pinhole_point(local, k), k)


def distort_opencv(xy: Float[Tensor, "n 2"], k: Float[Tensor, "n 8"]) -> Float[Tensor, "n 2"]:
    """Ideal to distorted coordinates."""
    return _opencv_terms(xy, k)[0]


def undistort_opencv(xy: Float[Tensor, "n 2"], k: Float[Tensor, "n 8"]) -> Float[Tensor, "n 2"]:
    """Distorted to ideal coordinates: Newton's method on `distort_opencv`.

    The distortion is the gradient of a function, so its Jacobian is symmetric: (a, b; b, c).
    """
    ideal = xy
    for _ in range(_NEWTON_STEPS):
        distorted, a, b, c = _opencv_terms(ideal, k)
        ex, ey = (distorted - xy).unbind(-1)
        determinant = (a * c - b * b).clamp_min(_LEAST_SLOPE)
        step = torch.stack([c * ex - b * ey, a * ey - b * ex], -1)
        ideal = ideal - step / determinant[:, None]
    return ideal


def _opencv_terms(
    xy: Float[Tensor, "n 2"], k: Float[Tensor, "n 8"]
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Distorted coordinates and the Jacobian's entries dx'/dx, dx'/dy = dy'/dx, dy'/dy."""
    k1, k2, p1, p2, k3, k4, k5, k6 = k.unbind(-1)
    x, y = xy.unbind(-1)
    r2 = x * x + y * y
    above, above_slope = _cubic(r2, k1, k2, k3)
    below, below_slope = _cubic(r2, k4, k5, k6)
    radial = above / below
    slope = 2 * (above_slope - radial * below_slope) / below  # 2 d radial / d r2
    shear = p1 * y + p2 * x
    dx = x * radial + 2 * shear * x + p2 * r2
    dy = y * radial + 2 * shear * y + p1 * r2
    a = radial + x * x * slope + 2 * shear + 4 * p2 * x
    b = x * y * slope + 2 * (p1 * x + p2 * y)
    c = radial + y * y * slope + 2 * shear + 4 * p1 * y
    return torch.stack([dx, dy], -1), a, b, c


def _cubic(r2: Tensor, k1: Tensor, k2: Tensor, k3: Tensor) -> tuple[Tensor, Tensor]:
    """1 + k1 r2 + k2 r2^2 + k3 r2^3 and its derivative by r2."""
    return 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), k1 + r2 * (2 * k2 + r2 * 3 * k3)


def fisheye_direction(xy: Float[Tensor, "n 2"], k: Float[Tensor, "n 8"]) -> Float[Tensor, "n 3"]:
    """Unit direction of a fisheye's image point: Newton's method on `distort_fisheye`."""
    radius = xy.norm(dim=-1)
    theta = radius.clamp_max(math.pi)
    for _ in range(_NEWTON_STEPS):
        distorted, slope = _fisheye_terms(theta, k)
        theta = theta - (distorted - radius) / slope.clamp_min(_LEAST_SLOPE)
        theta = theta.clamp(0, math.pi)
    # sin(theta) / radius tends to 1 on the axis, where the direction to the side is undefined.
    side = xy * (torch.sin(theta) / radius.clamp_min(1e-9))[:, None]
    return torch.stack([side[:, 0], -side[:, 1], -torch.cos(theta)], -1)


def fisheye_point(local: Float[Tensor, "n 3"], k: Float[Tensor, "n 8"]) -> Float[Tensor, "n 2"]:
    """Image point of any direction except straight backwards."""
    x, y, z = local.unbind(-1)
    across = local[:, :2].norm(dim=-1)
    radius = distort_fisheye(torch.atan2(across, -z), k)
    return torch.stack([x, -y], -1) * (radius / across.clamp_min(1e-9))[:, None]


def distort_fisheye(theta: Float[Tensor, " n"], k: Float[Tensor, "n 8"]) -> Float[Tensor, " n"]:
    """Radius on the image plane of a ray at `theta` radians from the axis."""
    return _fisheye_terms(theta, k)[0]


def _fisheye_terms(theta: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """theta (1 + k1 theta^2 + ... + k4 theta^8) and its derivative."""
    k1, k2, k3, k4 = k[:, :4].unbind(-1)
    t2 = theta * theta
    radius = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
    slope = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
    return radius, slope


LENS_MODELS: dict[Lens, LensModel] = {
    "pinhole": LensModel(pinhole_direction, pinhole_point),
    "opencv": LensModel(opencv_direction, opencv_point),
    "fisheye": LensModel(fisheye_direction, fisheye_point),
}
LENSES: tuple[Lens, ...] = tuple(LENS_MODELS)
