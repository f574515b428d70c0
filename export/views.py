"""The cameras of a bundle: where a visitor starts, and where every runtime has to prove itself.

    training cameras, envelope -> start camera
                               -> references: start, its opposite, four of the envelope

All of them are cameras of the norm frame, without distortion.
"""

import math
from collections.abc import Sequence

import torch

from teacher.cameras import Camera
from teacher.pseudo.envelope import Envelope, direction

_CORNERS = ((1 / 8, 0.15, 0.25), (3 / 8, 0.85, 0.75), (5 / 8, 0.15, 0.75), (7 / 8, 0.85, 0.25))
"""Fractions of the envelope's azimuth, elevation and radius: low, high, near, far, all round."""


def start_camera(cameras: Sequence[Camera], envelope: Envelope) -> Camera:
    """A three-quarter view from among the training cameras, where the student is at its best.

    The camera chosen is the one closest, in fractions of the envelope, to mean elevation, mean
    radius and a flattering azimuth: 45 degrees right of the front (-y) if the cameras go all the
    way round, else the middle of their arc. It is turned towards the pivot (or set in line with it,
    where cameras look around), upright: that is how the page starts, so nothing jumps at the first
    touch.
    """
    chosen = min(cameras, key=lambda camera: _unflattering(camera, envelope))
    return _standing(envelope, chosen, *envelope.standing(chosen))


def reference_cameras(cameras: Sequence[Camera], envelope: Envelope) -> list[Camera]:
    """Six cameras all over the envelope, the start camera first; the last four untrained."""
    start = start_camera(cameras, envelope)
    side = _side(start, envelope)
    opposite = min(cameras, key=lambda camera: float(_side(camera, envelope) @ side))
    corners = [_orbit(envelope, start, *corner) for corner in _CORNERS]
    return [start, opposite.undistorted(), *corners]


def _unflattering(camera: Camera, envelope: Envelope) -> float:
    """Squared distance from the ideal view; one unit is the whole range of each coordinate."""
    azimuth, elevation, radius = envelope.standing(camera)
    first, last = envelope.azimuth
    ideal = -math.pi / 4 if envelope.whole_orbit else 0.5 * (first + last)
    turned = math.remainder(azimuth - ideal, 2 * math.pi) / max(last - first, 1e-6)
    risen = _from_middle(elevation, envelope.elevation)
    return turned**2 + risen**2 + _from_middle(radius, envelope.radius) ** 2


def _from_middle(value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return (value - 0.5 * (low + high)) / max(high - low, 1e-6)


def _side(camera: Camera, envelope: Envelope) -> torch.Tensor:
    azimuth, elevation, _ = envelope.standing(camera)
    return direction(azimuth, elevation)


def _orbit(envelope: Envelope, like: Camera, turn: float, rise: float, reach: float) -> Camera:
    first, last = envelope.azimuth
    azimuth = first + turn * (last - first)
    low, high, near, far = envelope.band(azimuth)
    elevation, radius = low + rise * (high - low), near + reach * (far - near)
    return _standing(envelope, like, azimuth, elevation, radius)


def _standing(
    envelope: Envelope, like: Camera, azimuth: float, elevation: float, radius: float
) -> Camera:
    """A pinhole camera that faces the pivot, or away from it, with the intrinsics of `like`."""
    pose = envelope.pose(azimuth, elevation, radius)
    return Camera(pose, like.fx, like.fy, like.cx, like.cy, like.width, like.height)
