"""Poses as other tools write them, made into `T_world_camera`; and which way is up in a world without one.

    T_camera_world, OpenCV axes --from_opencv--> T_world_camera, OpenGL axes
    matrix --checked_pose--> the same, exactly orthonormal
    poses --up_direction--> the vertical, and how level the cameras were held
    poses --upright--> a rotation of the world after which +z is up

Reconstructions (COLMAP's, LLFF's, DTU's, our own) are free in rotation. Their loaders turn the world by `upright` and
keep that as `RawScene.T_world_source`; formats that state a vertical axis are never turned.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from teacher.errors import UserError

_ROTATION_TOLERANCE = 1e-2  # files with three decimals pass; a mirrored or scaled axis does not
_LEAST_UP = 0.2  # a mean up vector shorter than this says that the cameras do not agree on one
_OWN_UP = 2e-3  # weight of the cameras' own up axes against the levelness of their right-hand axes
_SHAKE = 0.02  # sine of a roll that counts in full: more than hands shake counts less


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

    The identity where the cameras' own up vectors cancel each other.
    """
    if poses[:, :3, 1].mean(0).norm() < _LEAST_UP:
        return torch.eye(4).to(poses)
    return onto_z(up_direction(poses)[0])


def up_direction(poses: Float64[Tensor, "n 4 4"]) -> tuple[Float64[Tensor, "3"], float]:
    """The vertical of the world of `poses`, and degrees (root mean square) by which cameras were not held level.

    Up is the direction most nearly at right angles to all right vectors: nobody tilts a camera sideways, so these are
    horizontal, and as soon as cameras turn about the vertical they tell it more exactly than up vectors of cameras that
    look down. What is rolled much, a picture taken upright say, counts little (iteratively reweighted least squares).
    Where right vectors are all but parallel, the mean up vector decides the rest.
    """
    right = poses[:, :3, 0]
    own = up = torch.nn.functional.normalize(poses[:, :3, 1].mean(0), dim=0)
    weight = torch.ones_like(right[:, 0])
    for _ in range(5):
        spread = (right * weight[:, None]).T @ right / weight.sum()
        up = torch.linalg.eigh(spread - _OWN_UP * torch.outer(own, own))[1][:, 0]
        up = up if up @ own > 0 else -up
        weight = 1 / (right @ up).abs().clamp_min(_SHAKE)
    tilt = (right @ up).square().mean().sqrt().clamp_max(1).arcsin()
    return up, float(tilt.rad2deg())


def onto_z(up: Float64[Tensor, "3"]) -> Float64[Tensor, "4 4"]:
    """The rotation in the plane of `up` and +z that takes the one onto the other (Rodrigues)."""
    x, y, z = up.tolist()
    T = torch.eye(4).to(up)
    if z < -1 + 1e-9:
        T[1, 1] = T[2, 2] = -1.0
        return T
    K = up.new_tensor([[0.0, 0.0, -x], [0.0, 0.0, -y], [x, y, 0.0]])
    T[:3, :3] += K + K @ K / (1 + z)
    return T
