"""Poses as other tools write them, made into `T_world_camera`; and which way is up in a world without one.

    T_camera_world, OpenCV axes --from_opencv--> T_world_camera, OpenGL axes
    matrix --checked_pose--> the same, exactly orthonormal
    poses --upright--> a rotation of the world after which +z is up

Reconstructions (COLMAP's, LLFF's, DTU's) are free in rotation. Their loaders turn the world by `upright` and keep that
as `RawScene.T_world_source`; formats that state a vertical axis are never turned.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from teacher.errors import UserError

_ROTATION_TOLERANCE = 1e-2  # files with three decimals pass; a mirrored or scaled axis does not
_LEAST_UP = 0.2  # a mean up vector shorter than this says that the cameras do not agree on one
_SWING = 1e-2  # mean squared sine of cameras' turns about the vertical from which these decide


def from_opencv(T_camera_world: Float64[Tensor, "*n 4 4"]) -> Float64[Tensor, "*n 4 4"]:
    """`T_world_camera` in OpenGL's axes of a world-to-camera matrix in OpenCV's (+y down, +z forward)."""
    R, t = T_camera_world[..., :3, :3], T_camera_world[..., :3, 3:]
    T = torch.zeros_like(T_camera_world)
    T[..., :3, :3] = R.mT * R.new_tensor([1.0, -1.0, -1.0])
    T[..., :3, 3:] = -R.mT @ t
    T[..., 3, 3] = 1.0
    return T


def checked_pose(T: Float64[Tensor, "..."], thing: str) -> Float64[Tensor, "4 4"]:
    """`T` with its rotation made exactly orthonormal; raises UserError where it is no pose."""
    if T.shape != (4, 4):
        raise bad_pose(thing, f"{' x '.join(map(str, T.shape)) or 'a single'} numbers")
    if not T.isfinite().all():
        raise bad_pose(thing, "NaN or infinity in the pose")
    R = T[:3, :3]
    if (R.T @ R - torch.eye(3).double()).abs().max() > _ROTATION_TOLERANCE or R.det() < 0:
        lengths = ", ".join(f"{length:.4g}" for length in R.norm(dim=0).tolist())
        raise bad_pose(thing, f"axes of length {lengths}, determinant {float(R.det()):.4g}")
    if (T[3] - torch.eye(4).double()[3]).abs().max() > 1e-6:
        raise bad_pose(thing, f"a last row of {T[3].tolist()}")
    U, _, V = torch.linalg.svd(R)
    pose = T.clone()
    pose[:3, :3] = U @ V
    return pose


def bad_pose(thing: str, given: str) -> UserError:
    """What is wrong with a pose."""
    expected = "transform_matrix: a 4 x 4 camera-to-world matrix, a rotation and a position"
    return UserError(thing, given, expected, "remove the frame or solve its pose again")


def upright(poses: Float64[Tensor, "n 4 4"]) -> Float64[Tensor, "4 4"]:
    """The smallest rotation of the world of `poses` after which its up direction is +z.

    Up is the mean of the cameras' up vectors, less what of it lies along their right vectors' spread: nobody tilts a
    camera sideways, so right vectors are horizontal, and as soon as cameras turn about the vertical they tell it more
    exactly than up vectors of cameras that look down. The identity where up vectors cancel each other.
    """
    right, up = poses[:, :3, 0], poses[:, :3, 1].mean(0)
    if up.norm() < _LEAST_UP:
        return torch.eye(4).to(poses)
    spread = (right[:, :, None] * right[:, None, :]).mean(0)
    up = torch.linalg.solve(spread + _SWING * torch.eye(3).to(poses), up)
    return _onto_z(torch.nn.functional.normalize(up, dim=0))


def _onto_z(up: Float64[Tensor, "3"]) -> Float64[Tensor, "4 4"]:
    """The rotation in the plane of `up` and +z that takes the one onto the other (Rodrigues)."""
    x, y, z = up.tolist()
    T = torch.eye(4).to(up)
    if z < -1 + 1e-9:
        T[1, 1] = T[2, 2] = -1.0
        return T
    K = up.new_tensor([[0.0, 0.0, -x], [0.0, 0.0, -y], [x, y, 0.0]])
    T[:3, :3] += K + K @ K / (1 + z)
    return T
