"""The occupancy sampler against a field whose support is known, and the visual hull of a ball."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from teacher.cameras import Camera, look_at
from teacher.errors import UserError
from teacher.fields.base import Query
from teacher.ops.occupancy.morton import unpack
from teacher.ops.radiance import Radiance
from teacher.pictures import Picture
from teacher.rays import Rays
from teacher.samplers.occupancy import UNSEEN, OccupancyConfig
from teacher.samplers.visibility import seen_cells
from teacher.scene import Frame

CUBE = torch.tensor([[-1.0] * 3, [1.0] * 3])
CONFIG = OccupancyConfig(resolution=16, step=0.05, near=0.0, warmup=1)


class Ball:
    """Density 10 inside a ball of radius 0.5."""

    def density(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return 10.0 * (positions.norm(dim=-1) < 0.5).float()

    def radiance(self, query: Query) -> Radiance:
        return Radiance(self.density(query.positions), torch.ones(len(query.positions), 3))


def test_the_grid_finds_the_field_s_support() -> None:
    """After enough updates exactly the cells that reach into the ball are occupied (up to cells it grazes)."""
    sampler = CONFIG.build(CUBE)
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        sampler.update(Ball(), 0, generator)
    axis = (torch.arange(16) + 0.5) / 8 - 1
    centres = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    distance, half = centres.norm(dim=-1), 3**0.5 / 16
    (occupied,) = unpack(sampler.bits, 16)
    assert occupied[distance < 0.5 - half].all()
    assert not occupied[distance > 0.5 + half].any()


def test_unseen_cells_stay_empty_whatever_the_field_says() -> None:
    sampler = CONFIG.build(CUBE)
    seen = torch.zeros(1, 16, 16, 16, dtype=torch.bool)
    seen[:, :8] = True
    sampler.restrict(seen)
    assert sampler.report() == {"occupied": 0.5}
    sampler.update(Ball(), 0, torch.Generator().manual_seed(0))
    occupied = unpack(sampler.bits, 16)
    assert (sampler.density[:, 8:] == UNSEEN).all()
    assert not occupied[:, 8:].any()
    assert occupied[:, :8].any()
    assert sampler.report()["occupied"] == pytest.approx(occupied.float().mean().item())


def test_samples_lie_in_occupied_cells() -> None:
    sampler = CONFIG.build(CUBE)
    sampler.update(Ball(), 0, torch.Generator().manual_seed(0))
    origins = torch.tensor([[-3.0, 0.1, 0.1]]).repeat(8, 1)
    rays = Rays(origins, torch.tensor([[1.0, 0.0, 0.0]]).repeat(8, 1))
    samples = sampler.march(rays, torch.linspace(0, 0.99, 8))
    cells = ((samples.midpoints(rays) + 1) * 8).long()
    assert len(samples) > 8
    assert unpack(sampler.bits, 16)[0, *cells.unbind(-1)].all()


class FarBall(Ball):
    """Density 10 inside a ball of radius 0.5 around (2.5, 0, 0)."""

    def density(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return super().density(positions - torch.tensor([2.5, 0.0, 0.0]))


def test_cascades_reach_beyond_the_cube() -> None:
    """A ball outside the first two cubes is found by the third, and rays are sampled there alone."""
    sampler = replace(CONFIG, cascades=3).build(4 * CUBE)
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        sampler.update(FarBall(), 0, generator)
    counts = unpack(sampler.bits, 16).sum((1, 2, 3))
    assert counts[0] == 0
    assert counts[1] == 0  # the ball begins where the second cube ends
    assert 0.5 * math.pi / 6 < counts[2] * 0.5**3 < 5 * math.pi / 6
    origins = torch.tensor([[-3.0, 0.01, 0.01]]).repeat(8, 1)
    rays = Rays(origins, torch.tensor([[1.0, 0.0, 0.0]]).repeat(8, 1))
    samples = sampler.march(rays, torch.linspace(0, 0.99, 8))
    assert torch.equal(samples.offsets.diff() >= 19, torch.ones(8, dtype=torch.bool))
    assert (samples.midpoints(rays)[:, 0] >= 2.0).all()


def test_updates_look_where_it_is_worth_it() -> None:
    """After the warm-up: no cell twice, none that no camera sees, and occupied ones more often than others."""
    sampler = CONFIG.build(CUBE)
    seen = torch.ones(1, 16, 16, 16, dtype=torch.bool)
    seen[:, 12:] = False
    sampler.restrict(seen)
    generator = torch.Generator().manual_seed(0)
    sampler.update(Ball(), 0, generator)
    occupied = sampler.density.flatten() > sampler.threshold
    cells = sampler._cells(False, generator)
    assert (cells.diff() > 0).all()
    assert seen.flatten()[cells].all()
    chosen = torch.zeros_like(occupied).index_fill(0, cells, True)
    assert chosen[occupied].all()  # there are fewer than a quarter
    assert 0.15 < chosen[~occupied & seen.flatten()].float().mean() < 0.25


def test_a_restored_sampler_marches_alike() -> None:
    """All of its state is in its buffers."""
    sampler, restored = CONFIG.build(CUBE), CONFIG.build(CUBE)
    generator = torch.Generator().manual_seed(0)
    sampler.update(Ball(), 0, generator)
    restored.load_state_dict(sampler.state_dict())
    assert restored.report() == sampler.report()
    rays = Rays(torch.tensor([[-3.0, 0.1, 0.1]]), torch.tensor([[1.0, 0.0, 0.0]]))
    samples = [each.march(rays, torch.zeros(1)).t_starts for each in (sampler, restored)]
    assert torch.equal(*samples)


def test_grids_that_cannot_be_are_refused() -> None:
    with pytest.raises(UserError, match="12 cells along a side"):
        replace(CONFIG, resolution=12).build(CUBE)
    with pytest.raises(UserError, match="cascades"):
        replace(CONFIG, cascades=0).build(CUBE)
    with pytest.raises(UserError, match="set more cascades"):
        CONFIG.build(2 * CUBE)
    assert replace(CONFIG, cascades=2).build(2 * CUBE).density.shape == (2, 16, 16, 16)


@pytest.fixture
def ball_frames(tmp_path: Path) -> list[Frame]:
    """Silhouettes of a ball of radius 0.4 from six sides, 48 x 40 pixels, principal point off the centre."""
    frames = []
    for k, axis in enumerate(torch.cat([torch.eye(3), -torch.eye(3)])):
        pose = look_at(3 * axis, torch.zeros(3))
        camera = Camera(pose, 40.0, 40.0, 22.0, 21.0, 48, 40)
        rays = camera.rays()
        along = -(rays.origins * rays.directions).sum(-1)
        closest = (rays.origins + along[:, None] * rays.directions).norm(dim=-1)
        rgba = np.zeros((40, 48, 4), np.uint8)
        rgba[..., 3] = 255 * (closest < 0.4).reshape(40, 48).numpy()
        Image.fromarray(rgba).save(tmp_path / f"{k}.png")
        frames.append(Frame(f"{k}.png", Picture(tmp_path / f"{k}.png"), camera))
    return frames


def _distances(resolution: int) -> Float[Tensor, "x y z"]:
    axis = (torch.arange(resolution) + 0.5) * (2 / resolution) - 1
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).norm(dim=-1)


@pytest.mark.parametrize("resolution", [32, 64, 96, 128])
def test_the_hull_contains_the_ball_and_little_else(
    ball_frames: list[Frame], resolution: int
) -> None:
    """Conservative: no cell of the ball is lost. Useful: cells off its silhouettes are.

    Three pairs of opposite silhouettes leave corners at radius * sqrt(3 / 2); the rest is the width of a cell.
    """
    (seen,), distance = seen_cells(ball_frames, resolution), _distances(resolution)
    assert seen[distance < 0.4 + 3**0.5 / resolution].all()
    assert not seen[distance > 0.4 * 1.5**0.5 + 3 * 2 / 32].any()


def test_a_wider_cascade_holds_the_same_hull(ball_frames: list[Frame]) -> None:
    """The second cascade's cells, twice as wide, are cut out by the same silhouettes."""
    fine, coarse = seen_cells(ball_frames, 64, cascades=2)
    assert torch.equal(fine, *seen_cells(ball_frames, 64))
    distance, cell = 2 * _distances(64), 4 / 64
    assert coarse[distance < 0.4 + cell * 3**0.5 / 2].all()
    assert not coarse[(distance > 0.4 * 1.5**0.5 + 3 * cell) & (distance < 1.2)].any()


def test_opaque_pictures_give_up_only_what_no_camera_sees(
    ball_frames: list[Frame], tmp_path: Path
) -> None:
    Image.new("RGB", (48, 40)).save(tmp_path / "photo.png")
    photo = replace(ball_frames[0], picture=Picture(tmp_path / "photo.png"))
    (seen,) = seen_cells([photo], 32)
    assert seen[_distances(32) < 0.3].all()
    assert not seen.all()  # the corners of the cube lie outside the picture
