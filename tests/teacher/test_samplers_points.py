"""Sparse points and the occupancy grid: free space before the lenses, and where the first steps look."""

from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera, look_at
from teacher.fields.base import Query
from teacher.ops.occupancy.morton import unpack
from teacher.ops.radiance import Radiance
from teacher.pictures import Picture
from teacher.samplers.from_points import AROUND, LEAST, SAFE, cells_near, free_cells
from teacher.samplers.occupancy import OccupancyConfig
from teacher.samplers.visibility import cell_centres
from teacher.scene import Frame

CUBE = torch.tensor([[-1.0] * 3, [1.0] * 3])
CONFIG = OccupancyConfig(resolution=32, step=0.05, warmup=48)
AT = torch.tensor([-0.9, 0.0, 0.0])


class Fog:
    """Density 5 everywhere."""

    def density(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return torch.full((len(positions),), 5.0)

    def radiance(self, query: Query) -> Radiance:
        return Radiance(self.density(query.positions), torch.ones(len(query.positions), 3))


def wall(count: int = 400) -> Float[Tensor, "n 3"]:
    """Points on the plane x = 0.5, 1.4 from the camera, and two that are mistakes right before it."""
    spread = 0.6 * torch.rand(count, 2, generator=torch.Generator().manual_seed(0)) - 0.3
    mistakes = torch.tensor([[-0.8, 0.0, 0.0], [-0.75, 0.01, 0.0]])
    return torch.cat([torch.cat([torch.full((count, 1), 0.5), spread], -1), mistakes])


def frame() -> Frame:
    """A picture taken at x = -0.9, along +x, of 53 degrees; nobody reads its file."""
    camera = Camera(look_at(AT, torch.zeros(3)), 20.0, 20.0, 10.0, 10.0, 20, 20)
    return Frame("a", Picture(Path("absent.png")), camera)


@pytest.mark.parametrize("resolution", [32, 64, 96])
def test_space_before_the_lens_is_free_half_way_to_the_nearest_points(resolution: int) -> None:
    """Closed form for a pyramid; two points of four hundred right before the lens do not count, nor does a gap between
    cells at a resolution that the coarse one does not divide."""
    (free,) = free_cells([frame()], wall(), resolution)
    centres = cell_centres(resolution)
    ahead, cell = centres[:, 0] + 0.9, 2 / resolution
    aside = centres[:, 1:].abs().amax(-1)
    distance = (centres - AT).norm(dim=-1)
    half_way, slack = SAFE * 1.4, 0.125
    inside = (aside < 0.5 * ahead - slack) & (distance < half_way - slack)
    assert inside.sum() > 20 and free.flatten()[inside].all()
    outside = (aside > 0.5 * ahead + cell) | (distance > half_way + slack)
    assert not free.flatten()[outside].any()


def test_too_few_points_in_a_picture_free_nothing() -> None:
    points = wall()[:-2]
    assert not free_cells([frame()], points[: LEAST - 1], 32).any()
    assert free_cells([frame()], points[:LEAST], 32).any()


def test_every_cascade_has_the_cells_about_the_points() -> None:
    """A cell of cascade c is 2^c times as wide; points outside a cascade are none of its."""
    points = torch.tensor([[0.01, 0.01, 0.01], [1.76, 0.01, 0.01]])
    fine, wide = cells_near(points, 32, cascades=2)
    assert int(fine.sum()) == (2 * AROUND + 1) ** 3  # about the first alone
    assert int(wide.sum()) == (2 * AROUND + 1) ** 3 + 4 * (2 * AROUND + 1) ** 2  # cut by the face
    assert fine[16 + AROUND, 16, 16] and not fine[16 + AROUND + 1, 16, 16]
    assert (
        wide[28, 16, 16]
        and not wide[27, 16, 16]
        and wide[31, 16, 16]
        and not wide[16 + AROUND + 1, 16, 16]
    )


def test_first_steps_look_near_the_points_and_later_ones_everywhere() -> None:
    sampler = CONFIG.build(CUBE)
    sampler.begin_near(wall(), [frame()])
    near, free = cells_near(wall(), 32), free_cells([frame()], wall(), 32)
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(unpack(sampler.bits, 32), near & ~free)
    sampler.update(Fog(), 32, generator)
    assert torch.equal(unpack(sampler.bits, 32), near & ~free)
    sampler.update(Fog(), 48, generator)
    assert torch.equal(unpack(sampler.bits, 32), ~free)
    assert "first" not in sampler.state_dict()  # a checkpoint's grid is the same as ever


def test_a_grid_that_holds_few_of_the_points_starts_everywhere() -> None:
    """A box about a small part of a scene: what is in it may have no corners at all."""
    sampler = CONFIG.build(CUBE)
    sampler.begin_near(torch.cat([wall(45), wall() + 3]), [])
    assert sampler.first is None and unpack(sampler.bits, 32).all()
