"""What stands in the scene: solids with a material and a place, and the light around them.

Letters and the coordinate-first layout [3, n] as in `geometry`. A thing's own frame differs from
the scene's by a turn about the vertical and a shift.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from teacher.demo.geometry import Surface
from teacher.demo.light import Lighting
from teacher.demo.materials import Material


@dataclass(frozen=True)
class Thing:
    """A solid of some material, turned by `yaw` (radians) and put at `position`."""

    name: str
    surface: Surface
    material: Material
    position: tuple[float, float, float]
    yaw: float = 0.0

    def to_local(self, p: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
        """Points of the scene in the thing's own frame."""
        return _turned(p - torch.tensor(self.position)[:, None], -self.yaw)

    def turn_to_local(self, v: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
        """Directions of the scene in the thing's own frame."""
        return _turned(v, -self.yaw)

    def turn_to_scene(self, v: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
        """Directions of the thing's own frame in the scene."""
        return _turned(v, self.yaw)

    def intersect(
        self, o: Float[Tensor, "3 n"], d: Float[Tensor, "3 n"], limit: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """`Surface.intersect` for rays given in the scene's frame."""
        return self.surface.intersect(self.to_local(o), self.turn_to_local(d), limit)


@dataclass(frozen=True)
class StillLife:
    """Things and the light they stand in."""

    things: tuple[Thing, ...]
    lighting: Lighting


def nearest(
    scene: StillLife, o: Float[Tensor, "3 n"], d: Float[Tensor, "3 n"]
) -> tuple[Float[Tensor, " n"], Int[Tensor, " n"]]:
    """Distance of the first hit (infinity: none) and the index of the thing hit (-1: none)."""
    t = torch.full_like(o[0], math.inf)
    owner = torch.full_like(o[0], -1, dtype=torch.int64)
    for k, thing in enumerate(scene.things):
        found = thing.intersect(o, d, t)
        owner = torch.where(found < t, k, owner)
        t = torch.minimum(t, found)
    return t, owner


def _turned(v: Float[Tensor, "3 n"], angle: float) -> Float[Tensor, "3 n"]:
    """Vectors turned counter-clockwise about +z by `angle`."""
    if angle == 0:
        return v
    x, y, z = v
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.stack([cos * x - sin * y, sin * x + cos * y, z])
