"""A part of space: an axis-aligned box, since that is what a student's grids fill, and which of its cells are kept.

rays --interval--> [near, far] inside the box        points --keeps--> inside it, in a cell that is kept
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from teacher.rays import Rays


@dataclass(frozen=True)
class Crop:
    """See the module's docstring; lengths are in norm units."""

    box: Float[Tensor, "2 3"]
    """Lower and upper corner."""
    cells: Bool[Tensor, "x y z"] | None = None
    """Which cells of the box are kept: without what floats in it and what it stands on. None: all."""

    def to(self, device: torch.device | str) -> "Crop":
        """The crop on another device."""
        cells = None if self.cells is None else self.cells.to(device)
        return Crop(self.box.to(device), cells)

    def keeps(self, points: Float[Tensor, "n 3"]) -> Bool[Tensor, " n"]:
        """Which points are part of it."""
        low, high = self.box
        inside = ((points >= low) & (points <= high)).all(-1)
        if self.cells is None:
            return inside
        size = torch.tensor(self.cells.shape, device=points.device)
        place = (points - low) / (high - low) * size
        place = place.nan_to_num().clamp(min=0).minimum(size - 1).long()
        return inside & self.cells[place[:, 0], place[:, 1], place[:, 2]]

    def interval(self, rays: Rays) -> Float[Tensor, "rays 2"]:
        """Distances at which rays enter and leave the box; both 0 where they miss it."""
        ways = torch.where(rays.directions.abs() < 1e-9, 1e-9, rays.directions)
        walls = (self.box[:, None] - rays.origins) / ways
        near = walls.amin(0).amax(-1).clamp_min(0)
        far = walls.amax(0).amin(-1)
        return torch.where((near < far)[:, None], torch.stack([near, far], -1), 0.0)
