"""The built-in still life and the cameras around it.

World frame: +z up, the table top is the plane z = 0, one unit is about a forearm. Cameras look at
`TARGET` from 4.03 units away, as those of the NeRF-synthetic data sets (Mildenhall et al. 2020) do.
"""

import math
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera, look_at
from teacher.demo.geometry import Box, Disc, Sphere
from teacher.demo.implicit import Knot, Vase
from teacher.demo.light import Lighting, SoftBox
from teacher.demo.materials import InlaidWood, Material, Plain, PrintedBox
from teacher.demo.textures import chips, label
from teacher.demo.things import StillLife, Thing

TARGET = (0.0, 0.0, 0.26)
DISTANCE = 4.03
FIELD_OF_VIEW = 0.6911112070083618
"""Horizontal, in radians: NeRF-synthetic's camera_angle_x."""
ELEVATION = (math.radians(6), math.radians(72))
BOUNDS = ((-1.25, -1.25, -0.10), (1.25, 1.25, 1.10))
"""Corners of the box around everything, in the world frame."""

_TABLE_RADIUS, _TABLE_HEIGHT = 1.25, 0.10
_BOX_HALF = 0.29
_WORDS = ("NeLF", "WEB", "GPU", "ONNX", "RAY", "360")
_GOLDEN = (0.6180339887498949, 0.7548776662466927)  # 1 / phi and 1 / the plastic number


@cache
def still_life() -> StillLife:
    """The scene: a wooden table with a gold and a chrome ball, a printed box, a vase and a knot."""
    return StillLife((_table(), _gold(), _chrome(), _box(), _vase(), _knot()), _lighting())


def _table() -> Thing:
    inlay = chips(420, 1024, seed=7)
    wood = InlaidWood(inlay, _TABLE_RADIUS)
    disc = Disc(_TABLE_RADIUS, _TABLE_HEIGHT)
    return Thing("table", disc, Material((0.035, 0.035, 0.035), 0.18, wood), (0.0, 0.0, 0.0))


def _gold() -> Thing:
    return Thing("gold", Sphere(0.30), Material((1.0, 0.71, 0.29), 0.05, None), (0.55, -0.45, 0.30))


def _chrome() -> Thing:
    metal = Material((0.72, 0.71, 0.70), 0.0, None)
    return Thing("chrome", Sphere(0.17), metal, (-0.12, -0.78, 0.17))


def _box() -> Thing:
    labels = tuple(label(face, word, 256) for face, word in enumerate(_WORDS))
    card = Material((0.04, 0.04, 0.04), 0.05, PrintedBox(labels, _BOX_HALF))
    return Thing("box", Box(_BOX_HALF), card, (-0.62, -0.28, _BOX_HALF), math.radians(28))


def _vase() -> Thing:
    profile = (0.24, 1.08, -1.3, -3.42, 5.14, -1.4)
    height = 0.92
    solid = Vase(profile, height, wall=0.03, floor=0.3, widest=0.395)
    glaze = Material((0.05, 0.05, 0.05), 0.03, Plain((0.02, 0.17, 0.29)))
    return Thing("vase", solid, glaze, (-0.42, 0.55, 0.5 * height))


def _knot() -> Thing:
    lacquer = Material((0.05, 0.05, 0.05), 0.04, Plain((0.56, 0.022, 0.036)))
    return Thing("knot", Knot(0.36, 0.12, 0.075), lacquer, (0.50, 0.48, 0.53), math.radians(40))


def _lighting() -> Lighting:
    return Lighting(
        key=SoftBox((1.0, 0.6, 0.9), 0.38, 6.5, (1.0, 0.94, 0.84)),
        fill=(
            SoftBox((-1.0, -0.5, 0.35), 0.30, 3.2, (0.55, 0.75, 1.0)),
            SoftBox((-0.2, 1.0, 0.25), 0.22, 2.6, (1.0, 0.55, 0.45)),
            SoftBox((0.1, -0.2, 1.0), 0.25, 3.0, (1.0, 1.0, 1.0)),
        ),
    )


def orbit_cameras(count: int, size: int, offset: float = 0.0) -> list[Camera]:
    """Square pinhole cameras spread evenly over the part of a sphere with elevations `ELEVATION`.

    Their positions are terms of an additive recurrence of low discrepancy (Roberts 2018, "The
    Unreasonable Effectiveness of Quasirandom Sequences"), so any prefix covers the region too.

    Args:
        count: number of cameras.
        size: width and height, in pixels.
        offset: shifts the sequence; other offsets give other cameras.
    """
    focal = 0.5 * size / math.tan(0.5 * FIELD_OF_VIEW)
    target = torch.tensor(TARGET)
    return [
        Camera(
            look_at(target + DISTANCE * torch.tensor(direction), target),
            *(focal, focal, 0.5 * size, 0.5 * size),
            *(size, size),
        )
        for direction in _directions(count, offset)
    ]


def _directions(count: int, offset: float) -> list[tuple[float, float, float]]:
    """Unit vectors, even in area between the two elevations."""
    low, high = (math.sin(angle) for angle in ELEVATION)
    directions = []
    for k in range(count):
        u, v = (((k + 0.5 + offset) * g) % 1 for g in _GOLDEN)
        z = low + (high - low) * u
        rho = math.sqrt(1 - z * z)
        directions.append((rho * math.cos(2 * math.pi * v), rho * math.sin(2 * math.pi * v), z))
    return directions


def norm_from_world() -> Float[Tensor, "4 4"]:
    """`T_norm_world` that takes `BOUNDS` to a box around the origin whose longest side is 2."""
    low, high = (torch.tensor(corner) for corner in BOUNDS)
    scale = 2 / float((high - low).max())
    T = torch.eye(4)
    T[:3, :3] *= scale
    T[:3, 3] = -scale * 0.5 * (low + high)
    return T
