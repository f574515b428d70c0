"""A world to stand in: which way is up, where the middle is, how long a unit is.

A reconstruction from pictures knows none of these. The choice is a similarity, kept as `applied_transform` and
`applied_scale` in transforms.json:

* up (+z) as the loaders of other reconstructions find it (`teacher.datasets.poses.up_direction`);
* the origin is the point that the cameras look at (nearest to all optical axes); among the cameras, where these look
  outwards all round, as in a room;
* the unit is the cameras' median distance from it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from teacher.cameras import Camera, point_of_interest
from teacher.capture.model import Model
from teacher.datasets.poses import onto_z, up_direction


@dataclass(frozen=True)
class World:
    """The similarity from the reconstruction's frame, and how sure it is."""

    T_world_source: Float[np.ndarray, "4 4"]
    tilt: float
    """Degrees between the cameras' right-hand axes and the ground, root mean square: small is sure."""


def find_world(model: Model) -> World:
    """The world of a reconstruction; see the module's docstring."""
    up, tilt = up_direction(torch.from_numpy(model.T_world_camera))
    turn = onto_z(up)[:3, :3].numpy()
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


def _bare(pose: Float[np.ndarray, "4 4"]) -> Camera:
    return Camera(torch.from_numpy(pose), 1.0, 1.0, 0.5, 0.5, 1, 1)
