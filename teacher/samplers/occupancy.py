"""Sampling by an occupancy grid: march through the cells that hold something, skip the rest (instant-ngp, section 5.3).

    field.density at random points of cells --EMA max--> density grid --threshold--> bits --ray_march--> Samples

Cells that no training camera sees keep density -1: they can never become occupied, so nothing grows where no picture
would object.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from teacher.fields.base import Field
from teacher.ops.occupancy import occupancy_threshold, occupancy_update
from teacher.ops.ray_march import ray_march
from teacher.rays import Rays, Samples
from teacher.samplers.base import RaySampler, RenderConfig, Sampling, keep_samples, visible
from teacher.samplers.visibility import seen_cells
from teacher.scene import Frame

UNSEEN = -1.0


@dataclass(frozen=True)
class OccupancyConfig:
    """Occupancy-grid sampler; lengths are in norm units (the scene's longest side is 2)."""

    resolution: int = 128
    """Cells along each side of the cube [-1, 1]^3."""
    step: float = 2 * math.sqrt(3) / 1024
    """Distance between samples."""
    cone_angle: float = 0.0
    """Growth of the step with distance: step = max(step, cone_angle * t); 0 for a bounded object."""
    near: float = 0.02
    """Nothing closer to a camera than this is sampled."""
    max_samples: int = 1024
    """Most samples of one ray."""
    update_every: int = 16
    """Training steps between updates of the grid."""
    warmup: int = 256
    """For so many steps an update looks at every cell, afterwards at a random quarter and at occupied ones."""
    decay: float = 0.95
    """What is left of a cell's density at each update, unless it is found again."""
    thickness: float = 0.01
    """A cell is occupied if one step through it has at least this optical thickness (or the mean of all cells)."""

    def build(self, aabb: Float[Tensor, "2 3"]) -> "OccupancySampler":
        """The sampler with every cell occupied, restricted to the box `aabb`."""
        return OccupancySampler(self, aabb)


class OccupancySampler(RaySampler):
    """See the module's docstring."""

    density: Float[Tensor, "x y z"]
    occupied: Tensor
    aabb: Float[Tensor, "2 3"]

    def __init__(self, config: OccupancyConfig, aabb: Float[Tensor, "2 3"]) -> None:
        super().__init__()
        self.config = config
        shape = (config.resolution,) * 3
        self.register_buffer("density", torch.zeros(shape))
        self.register_buffer("occupied", torch.ones(shape, dtype=torch.uint8))
        self.register_buffer("aabb", aabb.clone())

    def restrict(self, seen: Bool[Tensor, "x y z"]) -> None:
        """Give up the cells that are not `seen`, for good."""
        self.density[~seen] = UNSEEN
        self.occupied &= seen

    def prepare(self, frames: Sequence[Frame]) -> None:
        """Give up, for good, the cells that the pictures leave no room in."""
        self.restrict(seen_cells(frames, self.config.resolution))

    def sample(
        self, field: Field, rays: Rays, jitter: Float[Tensor, " rays"], config: RenderConfig
    ) -> Sampling:
        """Packed samples of occupied space that the field leaves visible."""
        candidates = self.march(rays, jitter)
        samples = keep_samples(candidates, visible(field, rays, candidates, config))
        return Sampling(samples, len(candidates))

    def march(self, rays: Rays, jitter: Float[Tensor, " rays"]) -> Samples:
        """All samples of occupied space; `jitter` in [0, 1) shifts each ray's by a part of a step."""
        c = self.config
        return ray_march(
            rays.origins.detach(),
            rays.directions.detach(),
            self.occupied,
            self.aabb,
            near=c.near,
            jitter=jitter,
            step=c.step,
            cone_angle=c.cone_angle,
            max_samples=c.max_samples,
        )

    @torch.no_grad()
    def update(self, field: Field, step: int, generator: torch.Generator) -> None:
        """Every `update_every` steps: look at the field again and decide anew which cells are occupied."""
        if step % self.config.update_every:
            return
        cells = self._cells(step < self.config.warmup, generator)
        corner = torch.stack(torch.unravel_index(cells, self.density.shape), -1)
        inside = torch.rand(corner.shape, generator=generator)
        positions = (corner + inside) * (2 / self.config.resolution) - 1
        density = torch.cat([field.density(part) for part in positions.split(1 << 17)])
        occupancy_update(self.density, cells, density, self.config.decay)
        threshold = self.config.thickness / self.config.step
        self.occupied.copy_(occupancy_threshold(self.density, threshold))

    def report(self) -> dict[str, Any]:
        """The part of the cube that is occupied."""
        return {"occupied": float(self.occupied.float().mean())}

    def _cells(self, everything: bool, generator: torch.Generator) -> Int[Tensor, " cells"]:
        density = self.density.flatten()
        seen = torch.nonzero(density >= 0)[:, 0]
        if everything:
            return seen
        occupied = torch.nonzero(self.occupied.flatten())[:, 0]
        quarter = len(seen) // 4
        return torch.cat([_draw(pool, quarter, generator) for pool in (seen, occupied)]).unique()


def _draw(pool: Tensor, count: int, generator: torch.Generator) -> Tensor:
    if len(pool) <= count:
        return pool
    return pool[torch.randint(len(pool), (count,), generator=generator)]
