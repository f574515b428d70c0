"""Paths of simple shape: inside the training cameras' envelope, or around a point of interest.

    orbit, spiral: what the envelope spans, so that a student has learnt what is seen
    circle, cone:  on, inside or outside the captured path, so that what was not captured is seen too

Every camera looks at its centre, or about it where the training cameras look around, with the world's +z up: the
horizon is level.
"""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera, look_at
from teacher.pseudo.envelope import Envelope, direction


def orbit(envelope: Envelope, like: Camera, frames: int) -> list[Camera]:
    """Once along the envelope's azimuth at mean elevation and radius; a whole circle closes on itself."""
    return [_camera(envelope, like, k / frames, 0.5, 0.5) for k in range(frames)]


def spiral(envelope: Envelope, like: Camera, frames: int) -> list[Camera]:
    """Twice round while rising from the lowest to the highest elevation."""
    return [
        _camera(envelope, like, 2 * k / frames % 1, k / max(1, frames - 1), 0.5)
        for k in range(frames)
    ]


PATHS = {"orbit": orbit, "spiral": spiral}


def _camera(e: Envelope, like: Camera, turn: float, rise: float, reach: float) -> Camera:
    first, last = e.azimuth
    span = last - first
    if span < 2 * math.pi - 1e-6:  # an arc is swept there and back
        turn = 1 - abs(2 * turn - 1)
    azimuth = first + turn * span
    low, high, near, far = e.band(azimuth)
    elevation, radius = low + rise * (high - low), near + reach * (far - near)
    return posed(like, e.pose(azimuth, elevation, radius))


def circle(
    target: Float[Tensor, "3"],
    radius: float,
    elevation: float,
    frames: int,
    like: Camera,
    start: float = 0.0,
) -> list[Camera]:
    """Once round `target` on a level circle; the step from the last camera to the first is like any other.

    Args:
        target: what all cameras look at, in the norm frame.
        radius: distance of the cameras from it.
        elevation: angle above the target's horizontal plane, in radians, within (-pi/2, pi/2).
        frames: number of cameras.
        like: gives size and intrinsics.
        start: azimuth of the first camera, in radians.
    """
    centre = target.double()
    turns = [start + math.tau * k / frames for k in range(frames)]
    return [looking(like, centre + radius * direction(turn, elevation), centre) for turn in turns]


def cone(
    target: Float[Tensor, "3"],
    axis: Float[Tensor, "3"],
    angle: float,
    distance: float,
    frames: int,
    like: Camera,
) -> list[Camera]:
    """A ring of cameras that see `target` from `angle` off the direction of `axis`.

    They lie on the cone with its tip at the target, and begin where it is highest.

    Args:
        target: what all cameras look at, in the norm frame.
        axis: from the target towards a captured camera, of any length.
        angle: between the axis and each camera's direction from the target, in radians.
        distance: of the cameras from the target.
        frames: number of cameras.
        like: gives size and intrinsics.
    """
    centre, upright = target.double(), look_at(axis.double(), torch.zeros(3, dtype=torch.float64))
    right, up, back = upright[:3, :3].T
    turns = [math.tau * k / frames for k in range(frames)]
    rim = [math.cos(turn) * up + math.sin(turn) * right for turn in turns]
    sides = [math.cos(angle) * back + math.sin(angle) * across for across in rim]
    return [looking(like, centre + distance * side, centre) for side in sides]


def looking(like: Camera, position: Float[Tensor, "3"], target: Float[Tensor, "3"]) -> Camera:
    """The pinhole camera with the intrinsics of `like` that stands at `position` and looks at `target`."""
    return posed(like, look_at(position.double(), target.double()).float())


def posed(like: Camera, pose: Float[Tensor, "4 4"]) -> Camera:
    """The pinhole camera with the intrinsics of `like` at `pose`."""
    return replace(like.undistorted(), T_world_camera=pose, time=None)


def angles(offset: Float[Tensor, "3"]) -> tuple[float, float]:
    """Azimuth and elevation (radians) of a vector; `direction`'s inverse."""
    x, y, z = offset.tolist()
    return math.atan2(y, x), math.atan2(z, math.hypot(x, y))
