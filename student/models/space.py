"""The space in which a student reads its features: the scene's box, or all there is beyond it too.

    ray --interval--> near, far;  fraction of the ray's way --points--> point --to_unit--> [-1, 1]^3

In a box, fractions are even along the part of the ray within it, and nothing is outside. A teacher
without bounds shows a room or a street behind the object: then the box holds the cameras and what
they look at, and the last fractions, a share `beyond` of them, go on from where the ray leaves it,
evenly in one over the distance (what moves a picture when the camera moves), out to `HORIZON` times
as far. The same share of every axis of the feature grids is kept for it, by the contraction of
Mip-NeRF 360 (Barron et al. 2022, equation 10) with the largest coordinate in the place of the
length, as in `teacher.fields.domains`. `export.split.space` says the same in WGSL.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from student.models.encoding import clip_to_box, points_between, to_unit_box

BEYOND = 0.2
"""Share of rays and grids that what lies beyond the box gets, where there is something."""
HORIZON = 32.0
"""Where rays end, in distances at which they leave the box: from there on nothing seems to move."""
LEAST = 0.05
"""Rays that the box is behind begin to go beyond it at this fraction of its longest half side."""

Grid = Float[Tensor, "batch 3 height width"]
Line = Float[Tensor, "batch 1 height width"]


@dataclass(frozen=True)
class Space:
    """See the module's docstring."""

    aabb: Float[Tensor, "2 3"]
    """The box, in the norm frame."""
    beyond: float = 0.0
    """Share of each ray's way and of each axis of the grids for what lies beyond the box; 0: nothing does."""

    def interval(self, origins: Grid, directions: Grid) -> tuple[Line, Line]:
        """Where each ray enters and leaves the box, in norm units; see `clip_to_box`."""
        near, far = clip_to_box(origins, directions, self.aabb)
        if self.beyond:
            least = LEAST * 0.5 * (self.aabb[1] - self.aabb[0]).max()
            far = least + torch.relu(far - least)
        return near, far

    def distance(self, near: Line, far: Line, fraction: Tensor) -> Tensor:
        """How far along the ray a fraction of its way lies, in norm units."""
        if not self.beyond:
            return near + (far - near) * fraction
        inside = 1 - self.beyond
        out = torch.relu(fraction - inside) / self.beyond
        within = inside - torch.relu(inside - fraction)
        return (near + (far - near) * (within / inside)) / (1 - (1 - 1 / HORIZON) * out)

    def points(
        self,
        origins: Grid,
        directions: Grid,
        near: Line,
        far: Line,
        fractions: Float[Tensor, " points"] | Float[Tensor, "batch points height width"],
    ) -> Float[Tensor, "batch points 3 height width"]:
        """Points at `fractions` of each ray's way, as `to_unit` has them."""
        if not self.beyond:
            return to_unit_box(points_between(origins, directions, near, far, fractions), self.aabb)
        if fractions.ndim == 1:
            fractions = fractions[None, :, None, None]
        distances = self.distance(near, far, fractions)
        return self.to_unit(origins[:, None] + directions[:, None] * distances[:, :, None])

    def to_unit(
        self, points: Float[Tensor, "batch points 3 height width"]
    ) -> Float[Tensor, "batch points 3 height width"]:
        """Coordinates of points in the feature grids, in [-1, 1]."""
        if not self.beyond:
            return to_unit_box(points, self.aabb)
        centre = (0.5 * (self.aabb[1] + self.aabb[0]))[:, None, None]
        half = (0.5 * (self.aabb[1] - self.aabb[0]))[:, None, None]
        scaled = (points - centre) / half
        # relu, since Max has no WebGPU kernel
        size = 1 + torch.relu(scaled.abs().amax(2, keepdim=True) - 1)
        return scaled / size * (1 - self.beyond / size)
