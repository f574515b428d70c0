"""Sampling by an occupancy grid: march through the cells that hold something, skip the rest (instant-ngp, section 5.3).

    field.density at random points of cells --EMA max--> density grid --threshold--> bits --ray_march--> Samples

The grid has cascades: number c covers the cube [-2^c, 2^c]^3 with the same number of cells (instant-ngp, appendix E.2).
Cells that no training camera sees keep density -1: they can never become occupied, so nothing grows where no picture
would object. Nor does anything grow close before a lens, where a reconstruction's sparse points say how far off what it
shows is; and while the grid warms up, only cells around such points are marched through.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from teacher.crop.shape import Crop
from teacher.datasets.sparse import LEAST_POINTS
from teacher.errors import UserError
from teacher.fields.base import Field, RadianceField
from teacher.ops.occupancy import occupancy_bits, occupancy_threshold, occupancy_update
from teacher.ops.occupancy.morton import check_cells, occupied_part, pack
from teacher.ops.radiance import FieldWeights
from teacher.ops.ray_march import ray_march
from teacher.ops.trace import Space, Traced, trace, visible_samples
from teacher.rays import Rays, Samples
from teacher.samplers.base import RaySampler, RenderConfig, Sampling, keep_samples, visible
from teacher.samplers.from_points import cells_near, free_cells
from teacher.samplers.visibility import cell_centres, seen_cells
from teacher.scene import Frame

UNSEEN = -1.0
_CANDIDATES = 4
"""Places looked at for each that is kept, where there is room for so many only: young fields are fog."""


@dataclass(frozen=True)
class OccupancyConfig:
    """Occupancy-grid sampler; lengths are in norm units (the scene's longest side is 2)."""

    resolution: int = 128
    """Cells along each side of a cascade's cube: a power of two, 8 to 1024."""
    cascades: int = 1
    """Cubes within one another, each twice as large as the one before; the first is [-1, 1]^3. Far parts of a wide
    scene are then sampled too, by larger cells."""
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

    density: Float[Tensor, "cascades x y z"]
    threshold: Float[Tensor, ""]
    """Cells are occupied if their density is above this."""
    bits: UInt8[Tensor, "cascades bytes"]
    """Which cells are occupied, as `ray_march` reads it."""
    occupied: Float[Tensor, ""]
    """The part of all cells that is."""
    aabb: Float[Tensor, "2 3"]
    first: Bool[Tensor, "cascades x y z"] | None
    """Cells to be marched through while the grid warms up; None: all."""

    def __init__(self, config: OccupancyConfig, aabb: Float[Tensor, "2 3"]) -> None:
        super().__init__()
        _check(config, aabb)
        self.config = config
        cells, cascades = config.resolution, config.cascades
        self.register_buffer("density", torch.zeros(cascades, cells, cells, cells))
        self.register_buffer("threshold", torch.tensor(UNSEEN / 2))
        full = torch.full((cascades, cells**3 // 8), 255, dtype=torch.uint8)
        self.register_buffer("bits", full)
        self.register_buffer("occupied", torch.tensor(1.0))
        self.register_buffer("aabb", aabb.clone())
        self.register_buffer("first", None, persistent=False)

    def restrict(self, seen: Bool[Tensor, "cascades x y z"]) -> None:
        """Give up the cells that are not `seen`, for good."""
        self.density[~seen] = UNSEEN
        self._set_bits(self.first)

    def prepare(self, frames: Sequence[Frame]) -> None:
        """Give up, for good, the cells that the pictures leave no room in."""
        seen = seen_cells(frames, self.config.resolution, self.config.cascades)
        self.restrict(seen.to(self.density.device))

    def begin_near(self, points: Float[Tensor, "n 3"], frames: Sequence[Frame]) -> None:
        """Give up, for good, the cells before lenses; while the grid warms up, all but those near `points`."""
        size = (self.config.resolution, self.config.cascades)
        inside = points[(points.abs() <= 2.0 ** (self.config.cascades - 1)).all(-1)].cpu()
        if len(inside) >= LEAST_POINTS:
            self.first = cells_near(inside, *size).to(self.density.device)
        self.restrict(~free_cells(frames, points.cpu(), *size).to(self.density.device))

    def confine(self, crop: Crop) -> None:
        """Sample no cell that `crop` keeps nothing of, and nothing outside the box, which is cut exactly."""
        super().confine(crop)
        low, high = (
            torch.maximum(self.aabb[0], crop.box[0]),
            torch.minimum(self.aabb[1], crop.box[1]),
        )
        self.aabb.copy_(torch.stack([low, torch.maximum(low, high)]))
        if crop.cells is not None:
            size, cascades = self.config.resolution, self.config.cascades
            unit = cell_centres(size).to(self.bits.device)
            quarters = torch.cartesian_prod(*[torch.tensor([-0.5, 0.5])] * 3).to(unit) / size
            kept = torch.stack(
                [
                    torch.stack([crop.keeps(2**c * (unit + part)) for part in quarters]).any(0)
                    for c in range(cascades)
                ]
            )
            self.bits &= pack(kept.reshape(cascades, size, size, size))

    def sample(
        self, field: Field, rays: Rays, jitter: Float[Tensor, " rays"], config: RenderConfig
    ) -> Sampling:
        """Packed samples of occupied space that the field leaves visible."""
        weights = self._weights(field)
        if weights is not None:
            found = visible_samples(
                *(rays.origins.detach(), rays.directions.detach(), jitter, self._space(), weights),
                early_stop=config.early_stop,
                cull=config.cull,
                capacity=config.capacity,
            )
            return Sampling(found.samples, found.looked)
        room = None if config.capacity is None else _CANDIDATES * config.capacity
        candidates = self.march(rays, jitter, room)
        samples = keep_samples(
            candidates, visible(field, rays, candidates, config), config.capacity
        )
        return Sampling(samples, len(candidates) if room is None else candidates.offsets[-1])

    def trace(
        self,
        field: Field,
        rays: Rays,
        codes: Float[Tensor, "rays codes"],
        jitter: Float[Tensor, " rays"],
        config: RenderConfig,
    ) -> Traced | None:
        """As `Tracer.trace`; for hash grids over the cube of the occupancy grid."""
        weights = self._weights(field)
        if weights is None:
            return None
        return trace(
            *(rays.origins, rays.directions, codes, jitter, self._space(), weights),
            early_stop=config.early_stop,
            cull=config.cull,
        )

    def _space(self) -> Space:
        c = self.config
        return Space(self.bits, self.aabb, c.near, c.step, c.cone_angle, c.max_samples)

    def _weights(self, field: Field) -> FieldWeights | None:
        extent = 2.0 ** (self.config.cascades - 1)
        return field.on_cube(extent) if isinstance(field, RadianceField) else None

    def march(
        self, rays: Rays, jitter: Float[Tensor, " rays"], capacity: int | None = None
    ) -> Samples:
        """Samples of occupied space, all or `capacity`; `jitter` in [0, 1) shifts each ray's by a part of a step."""
        c = self.config
        return ray_march(
            rays.origins.detach(),
            rays.directions.detach(),
            self.bits,
            self.aabb,
            near=c.near,
            jitter=jitter,
            step=c.step,
            cone_angle=c.cone_angle,
            max_samples=c.max_samples,
            capacity=capacity,
        )

    @torch.no_grad()
    def update(self, field: Field, step: int, generator: torch.Generator) -> None:
        """Every `update_every` steps: look at the field again and decide anew which cells are occupied."""
        if step % self.config.update_every:
            return
        cells = self._cells(step < self.config.warmup, generator)
        density = [field.density(part) for part in self._positions(cells, generator).split(1 << 17)]
        occupancy_update(self.density, cells, torch.cat(density), self.config.decay)
        threshold = self.config.thickness / self.config.step
        self.threshold.copy_(occupancy_threshold(self.density, threshold))
        self._set_bits(self.first if step < self.config.warmup else None)

    def report(self) -> dict[str, Any]:
        """The part of all cells that is occupied; waits for the device."""
        return {"occupied": float(self.occupied)}

    def _set_bits(self, only: Bool[Tensor, "cascades x y z"] | None) -> None:
        density = self.density if only is None else self.density.where(only, UNSEEN)
        self.bits.copy_(occupancy_bits(density, self.threshold))
        self.occupied.copy_(occupied_part(self.bits))

    def _cells(self, everything: bool, generator: torch.Generator) -> Int[Tensor, " cells"]:
        """Cells to look at, in the flattened grid and in order."""
        density = self.density.flatten()
        seen = torch.nonzero(density >= 0)[:, 0]
        if everything:
            return seen
        occupied = torch.nonzero(density > self.threshold)[:, 0]
        drawn = torch.zeros_like(density, dtype=torch.bool)
        for pool in (seen, occupied):
            drawn[_draw(pool, len(seen) // 4, generator)] = True
        return torch.nonzero(drawn)[:, 0]

    def _positions(
        self, cells: Int[Tensor, " cells"], generator: torch.Generator
    ) -> Float[Tensor, "cells 3"]:
        """A random place in each of the cells."""
        cascade, *corner = torch.unravel_index(cells, self.density.shape)
        corner = torch.stack(corner, -1)
        inside = torch.rand(corner.shape, generator=generator, device=generator.device)
        positions = (corner + inside) * (2 / self.config.resolution) - 1
        return positions * (1 << cascade)[:, None]


def _draw(pool: Tensor, count: int, generator: torch.Generator) -> Tensor:
    if len(pool) <= count:
        return pool
    chosen = torch.randint(len(pool), (count,), generator=generator, device=generator.device)
    return pool[chosen]


def _check(config: OccupancyConfig, aabb: Float[Tensor, "2 3"]) -> None:
    check_cells(config.resolution)
    if config.cascades < 1:
        given = str(config.cascades)
        raise UserError("the occupancy grid's cascades", given, "1 or more", "1 covers [-1, 1]^3")
    extent, reach = 2.0 ** (config.cascades - 1), float(aabb.abs().max())
    if reach > extent * 1.001:  # a scene that is scaled to fit may be off by rounding
        raise UserError(
            "the occupancy sampler's box",
            f"up to {reach:.4g} from the origin",
            f"inside [-{extent:g}, {extent:g}]^3, the grid's largest cascade",
            "set more cascades",
        )
