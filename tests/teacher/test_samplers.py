"""The occupancy sampler against a field whose support is known, and the visual hull of a ball."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from teacher.cameras import Camera, look_at
from teacher.fields.base import Query
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
    occupied = sampler.occupied.bool()
    assert occupied[distance < 0.5 - half].all()
    assert not occupied[distance > 0.5 + half].any()


def test_unseen_cells_stay_empty_whatever_the_field_says() -> None:
    sampler = CONFIG.build(CUBE)
    seen = torch.zeros(16, 16, 16, dtype=torch.bool)
    seen[:8] = True
    sampler.restrict(seen)
    sampler.update(Ball(), 0, torch.Generator().manual_seed(0))
    assert (sampler.density[8:] == UNSEEN).all()
    assert not sampler.occupied[8:].any()
    assert sampler.occupied[:8].any()


def test_samples_lie_in_occupied_cells() -> None:
    sampler = CONFIG.build(CUBE)
    sampler.update(Ball(), 0, torch.Generator().manual_seed(0))
    origins = torch.tensor([[-3.0, 0.1, 0.1]]).repeat(8, 1)
    rays = Rays(origins, torch.tensor([[1.0, 0.0, 0.0]]).repeat(8, 1))
    samples = sampler.march(rays, torch.linspace(0, 0.99, 8))
    cells = ((samples.midpoints(rays) + 1) * 8).long()
    assert len(samples) > 8
    assert sampler.occupied[tuple(cells.unbind(-1))].all()


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
    seen, distance = seen_cells(ball_frames, resolution), _distances(resolution)
    assert seen[distance < 0.4 + 3**0.5 / resolution].all()
    assert not seen[distance > 0.4 * 1.5**0.5 + 3 * 2 / 32].any()


def test_opaque_pictures_give_up_only_what_no_camera_sees(
    ball_frames: list[Frame], tmp_path: Path
) -> None:
    Image.new("RGB", (48, 40)).save(tmp_path / "photo.png")
    photo = replace(ball_frames[0], picture=Picture(tmp_path / "photo.png"))
    seen = seen_cells([photo], 32)
    assert seen[_distances(32) < 0.3].all()
    assert not seen.all()  # the corners of the cube lie outside the picture
