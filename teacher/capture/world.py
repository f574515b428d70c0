"""A world to stand in: which way is up, where the middle is, how long a unit is.

A reconstruction from pictures knows none of these. The choice is a similarity, kept as `applied_transform` and
`applied_scale` in transforms.json:

* up (+z): the direction most nearly at right angles to all cameras' right-hand axes, because people hold cameras
  level, rolled little; where these axes are almost parallel (a straight walk), the cameras' own up decides the rest.
* the origin is the point that the cameras look at (nearest to all optical axes);
* the unit is the cameras' median distance from it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from teacher.cameras import Camera, point_of_interest
from teacher.capture.model import Model

_OWN_UP = 0.002  # weight of the cameras' own up axes against the levelness of their right-hand axes


@dataclass(frozen=True)
class World:
    """The similarity from the reconstruction's frame, and how sure it is."""

    T_world_source: Float[np.ndarray, "4 4"]
    tilt: float
    """Degrees between the cameras' right-hand axes and the ground, root mean square: small is sure."""


def find_world(model: Model) -> World:
    """The world of a reconstruction; see the module's docstring."""
    up, tilt = _up(model.T_world_camera[:, :3, :3])
    turn = _turn_upright(up)
    cameras = [_bare(pose) for pose in model.T_world_camera]
    centre = point_of_interest(cameras).numpy()
    distance = np.median(np.linalg.norm(model.positions - centre, axis=1))
    scale = 1.0 / max(float(distance), 1e-12)
    T = np.eye(4)
    T[:3, :3] = scale * turn
    T[:3, 3] = -scale * turn @ centre
    return World(T, tilt)


def moved_poses(
    T: Float[np.ndarray, "4 4"], poses: Float[np.ndarray, "images 4 4"]
) -> Float[np.ndarray, "images 4 4"]:
    """Camera-to-world matrices in the frame that the similarity `T` leads to."""
    moved = T @ poses
    moved[:, :3, :3] /= np.cbrt(np.linalg.det(T[:3, :3]))
    return moved


def moved_points(
    T: Float[np.ndarray, "4 4"], points: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 3"]:
    """Points in the frame that `T` leads to."""
    return points @ T[:3, :3].T + T[:3, 3]


def _up(R: Float[np.ndarray, "images 3 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    right, own = R[:, :, 0], R[:, :, 1].mean(0)
    own /= max(float(np.linalg.norm(own)), 1e-12)
    weight, off = np.ones(len(R)), np.zeros(len(R))
    up = own
    for _ in range(5):  # reweighted, so that a few rolled pictures do not tilt the world
        spread = (right * weight[:, None]).T @ right / weight.sum() - _OWN_UP * np.outer(own, own)
        up = np.linalg.eigh(spread)[1][:, 0]
        up = up if up @ own > 0 else -up
        off = np.abs(right @ up)
        weight = 1 / np.maximum(off, 0.02)
    return up, float(np.degrees(np.arcsin(np.sqrt(np.mean(np.square(off))).clip(0, 1))))


def _turn_upright(up: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """A rotation that takes `up` to +z."""
    across = np.eye(3)[np.argmin(np.abs(up))]
    x = np.cross(across, up)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(up, x), up])


def _bare(pose: Float[np.ndarray, "4 4"]) -> Camera:
    return Camera(torch.from_numpy(pose), 1.0, 1.0, 0.5, 0.5, 1, 1)
