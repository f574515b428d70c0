"""Cameras of a room, filmed from its middle: they look about a point, not at it."""

import math

import torch

from teacher.cameras import Camera, look_at

PIVOT = (0.3, -0.2, 0.1)


def facing(azimuth: float, ahead: float, beside: float, height: float, focal: float) -> Camera:
    """A camera of a room: it faces away from the side at that angle, `ahead` of PIVOT and a little beside."""
    back = torch.tensor([math.cos(azimuth), math.sin(azimuth), 0.1])
    right = torch.tensor([-math.sin(azimuth), math.cos(azimuth), 0.0])
    place = torch.tensor(PIVOT) - ahead * back + beside * right
    place[2] += height
    return Camera(look_at(place, place - back), focal * 48, focal * 48, 30.0, 26.0, 64, 48)


def room(count: int = 40, arc: float = 2 * math.pi) -> list[Camera]:
    """A walk round the middle of a room, facing the walls: 0.3 to 0.5 ahead of PIVOT, at most 0.1 beside."""
    return [
        facing(
            1.0 + arc * k / count,
            0.4 + 0.1 * math.cos(k),
            0.07 * math.sin(3 * k),
            0.05 * math.cos(5 * k),
            1.2 + 0.1 * math.sin(k),
        )
        for k in range(count)
    ]
