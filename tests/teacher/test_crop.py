"""What belongs to the object: a crop's geometry, that nothing outside is seen, and that a ball on a table is found."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera, look_at
from teacher.crop.files import NAME, CropFile, fingerprint, read_crop
from teacher.crop.find import Cuts, Found, cut_z, find_crop, find_place
from teacher.crop.pieces import heaviest, labelled
from teacher.crop.shape import Crop
from teacher.crop.support import find_support
from teacher.errors import UserError
from teacher.fields.base import Query
from teacher.fields.domains import Cube
from teacher.fields.hash_grid import HashGridConfig
from teacher.ops.hash_encode import HashGrid
from teacher.ops.radiance import Radiance
from teacher.pseudo.view import View
from teacher.rays import Rays
from teacher.render import render_view
from teacher.samplers.base import RaySampler, RenderConfig
from teacher.samplers.density_grid import DensityGridConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.samplers.proposal import ProposalConfig
from tests.looking_around import room

CUBE = torch.tensor([[-1.0] * 3, [1.0] * 3])
BOX = torch.tensor([[-0.3, -0.4, -0.2], [0.5, 0.2, 0.3]])
GRID = HashGrid(levels=3, features=2, log2_size=12, finest=32)
OCCUPANCY = OccupancyConfig(resolution=32, step=0.01, near=0.0)
PROPOSALS = ProposalConfig(
    samples=64, proposals=(48,), finest=(32,), density=DensityGridConfig(GRID)
)
TABLE, RADIUS, CENTRE = -0.25, 0.2, (0.1, -0.05, -0.07)
SLOPE = torch.tensor([0.03, -0.02])


class TableTop:
    """A ball that touches a table, a smaller ball in the air beside it, and a wall far behind; density 200."""

    def density(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        x, z = positions[:, 0], positions[:, 2]
        ball = (positions - torch.tensor(CENTRE)).norm(dim=-1) < RADIUS
        aside = (positions - torch.tensor([-0.3, 0.25, 0.25])).norm(dim=-1) < 0.06
        height = z - positions[:, :2] @ SLOPE - TABLE
        table = (height < 0) & (height > -0.05) & (positions[:, :2].norm(dim=-1) < 0.8)
        return 200.0 * (ball | aside | table | (x > 3)).float()

    def radiance(self, query: Query) -> Radiance:
        return Radiance(self.density(query.positions), 0.5 + 0.1 * query.positions.clamp(-5, 5))


def _cameras(count: int = 12) -> list[Camera]:
    cameras = []
    for k in range(count):
        turn, up = math.tau * k / count, 0.3 + 0.2 * (k % 3)
        side = [math.cos(up) * math.cos(turn), math.cos(up) * math.sin(turn), math.sin(up)]
        pose = look_at(torch.tensor(side) * 0.9, torch.tensor([0.05, 0.0, 0.0]))
        cameras.append(Camera(pose, 40.0, 40.0, 20.0, 16.0, 40, 32))
    return cameras


def _surface_points(seed: int = 0) -> Float[Tensor, "n 3"]:
    """Of the table top, of the ball above it, and a few mistakes below."""
    generator = torch.Generator().manual_seed(seed)
    table = 1.2 * torch.rand(3000, 3, generator=generator) - 0.6
    table[:, 2] = TABLE + table[:, :2] @ SLOPE + 0.003 * torch.randn(3000, generator=generator)
    ball = torch.randn(800, 3, generator=generator)
    ball = torch.tensor(CENTRE) + RADIUS * torch.nn.functional.normalize(ball, dim=-1)
    wrong = table[:40] - torch.tensor([0.0, 0.0, 0.2])
    return torch.cat([table, ball[ball[:, 2] > TABLE], wrong])


def _found(cuts: Cuts | None = None) -> Found:
    return find_crop(TableTop().density, _cameras(), _surface_points(), cuts or Cuts())


# Geometry.


def test_rays_enter_and_leave_the_box_where_its_walls_are() -> None:
    """Ends lie on the box's surface, or at the origin of a ray that begins inside; those that miss have no length."""
    generator = torch.Generator().manual_seed(0)
    origins = 2 * torch.randn(4000, 3, generator=generator)
    origins[:200] = BOX.mean(0)
    directions = torch.nn.functional.normalize(torch.randn(4000, 3, generator=generator), dim=-1)
    directions[300:320] = torch.tensor([0.0, 0.0, 1.0])  # along the walls
    rays, crop = Rays(origins, directions), Crop(BOX)
    near, far = crop.interval(rays).unbind(-1)
    hit = far > 0
    t = torch.linspace(0, 12, 1500)[:, None, None]
    met = crop.keeps((origins + t * directions).reshape(-1, 3)).reshape(1500, -1)
    assert (met.any(0) <= hit).all() and (hit.sum() - met.any(0).sum()) < 0.01 * 4000
    assert (near[:200] == 0).all() and hit[:200].all()
    for ends in (near[hit & (near > 0)], far[hit]):
        rows = hit & (near > 0) if ends is not far[hit] and len(ends) != hit.sum() else hit
        places = origins[rows] + ends[:, None] * directions[rows]
        outside = torch.maximum(BOX[0] - places, places - BOX[1]).amax(-1)
        assert outside.abs().max() < 1e-4
    assert (near[~hit] == 0).all() and (far[~hit] == 0).all()


def test_cells_that_are_not_kept_are_not_part_of_it() -> None:
    cells = torch.zeros(4, 3, 5, dtype=torch.bool)
    cells[1, 2, 3] = True
    size = (BOX[1] - BOX[0]) / torch.tensor(cells.shape)
    low = BOX[0] + torch.tensor([1, 2, 3]) * size
    points = low + torch.tensor([[0.01], [0.5], [0.99], [-0.02], [1.02]]) * size
    assert Crop(BOX, cells).keeps(points).tolist() == [True, True, True, False, False]
    assert Crop(BOX).keeps(BOX + torch.tensor([[0.0], [1e-3]])).tolist() == [True, False]


def test_cuts_in_z_keep_the_cells_where_they_are() -> None:
    """Between the cuts points belong to it as before; beyond them none does."""
    cells = torch.rand(6, 6, 10, generator=torch.Generator().manual_seed(0)) > 0.5
    crop = Crop(BOX, cells)
    cut = cut_z(crop, -0.1, 0.2)
    assert cut.box[:, 2].tolist() == pytest.approx([-0.1, 0.2])
    layers = BOX[0, 2] + 0.05 * torch.arange(10) + 0.025
    points = torch.cartesian_prod(torch.tensor([-0.1, 0.3]), torch.tensor([-0.2, 0.1]), layers)
    between = (points[:, 2] > -0.1) & (points[:, 2] < 0.2)
    assert torch.equal(cut.keeps(points), crop.keeps(points) & between)
    with pytest.raises(UserError, match="--z-min"):
        cut_z(crop, 0.4, None)


# What is seen.


def _sampler(config: OccupancyConfig | ProposalConfig) -> RaySampler:
    torch.manual_seed(0)
    return config.build(CUBE).eval()


def _seen(sampler: RaySampler, camera: Camera) -> View:
    return render_view(TableTop(), sampler, camera, torch.zeros(0), RenderConfig())


@pytest.mark.parametrize("config", [OCCUPANCY, PROPOSALS], ids=["grid", "proposals"])
def test_nothing_outside_is_seen_and_nothing_there_hides_what_is_inside(
    config: OccupancyConfig | ProposalConfig,
) -> None:
    """A box around the upper half of the ball, seen from straight below: through the table, its lower end cut flat."""
    sampler, box = _sampler(config), torch.tensor([[-0.2, -0.3, -0.07], [0.4, 0.2, 0.2]])
    crop = Crop(box)
    sampler.confine(crop)
    pose = look_at(torch.tensor([0.1, -0.05, -1.5]), torch.tensor([0.1, -0.049, 0.0]))
    below = Camera(pose, 60.0, 60.0, 20.0, 20.0, 40, 40)
    view = _seen(sampler, below)
    rays = below.rays()
    t = crop.interval(rays)[:, 0].reshape(40, 40)
    disc = (rays.origins + rays.directions * t.reshape(-1, 1) - torch.tensor(CENTRE)).norm(dim=-1)
    disc = disc.reshape(40, 40)
    inside, outside = disc < RADIUS - 0.02, (disc > RADIUS + 0.02) | (t == 0)
    assert inside.sum() > 50 and outside.sum() > 500
    assert (view.rgba[..., 3][inside] > 0.98).all() and (view.rgba[outside] == 0).all()
    assert (view.depth[inside] - t[inside]).abs().max() < 0.03
    assert (view.depth[outside] == 0).all()
    assert torch.equal(sampler.aabb, box)


@pytest.mark.parametrize("config", [OCCUPANCY, PROPOSALS], ids=["grid", "proposals"])
def test_cells_that_are_not_kept_are_not_seen(config: OccupancyConfig | ProposalConfig) -> None:
    """Of a box around everything, the half beyond y = 0 and what floats there is gone, what is before it is not."""
    whole, half = _sampler(config), _sampler(config)
    cells = torch.ones(16, 16, 16, dtype=torch.bool)
    cells[:, 8:] = False
    whole.confine(Crop(CUBE))
    half.confine(Crop(CUBE, cells))
    pose = look_at(torch.tensor([-0.3, 0.9, 0.3]), torch.tensor([-0.3, 0.25, 0.25]))
    at_floater = Camera(pose, 80.0, 80.0, 8.0, 8.0, 16, 16)
    assert _seen(whole, at_floater).rgba[8, 8, 3] > 0.98
    assert _seen(half, at_floater).rgba[8, 8, 3] < 0.01
    pose = look_at(torch.tensor([0.1, -0.9, -0.05]), torch.tensor([0.1, -0.05, -0.07]))
    at_ball = Camera(pose, 80.0, 80.0, 8.0, 8.0, 16, 16)
    for sampler in (whole, half):
        view = _seen(sampler, at_ball)
        assert view.rgba[8, 8, 3] > 0.98 and view.depth[8, 8] == pytest.approx(0.65, abs=0.03)


def test_all_samples_of_a_ray_are_spent_inside() -> None:
    """Of the proposal sampler, whose rays go a thousand units far: from one wall of the box to the other."""
    sampler = _sampler(PROPOSALS)
    crop = Crop(0.4 * BOX)
    sampler.confine(crop)
    rays = _cameras()[0].rays()
    near, far = crop.interval(rays).unbind(-1)
    with torch.no_grad():
        sampling = sampler.sample(TableTop(), rays, torch.full((len(rays),), 0.5), RenderConfig())
    assert sampling.edges is not None
    t, hit = PROPOSALS.spacing.to_t(sampling.edges), far > 0
    reached = sampler.reached(rays)
    assert reached is not None and torch.equal(reached, hit) and 0.1 < hit.float().mean() < 0.9
    assert (t[hit].amin(1) > near[hit] - 1e-3).all() and (t[hit].amax(1) < far[hit] + 1e-3).all()
    assert ((t[:, -1] - t[:, 0])[hit] > 0.5 * (far - near)[hit]).all()


def test_a_crop_around_everything_changes_nothing() -> None:
    """The fused kernel's picture of a hash grid, bit for bit."""
    torch.manual_seed(0)
    field = HashGridConfig(GRID, width=16, mixed=False, domain=Cube()).build()
    torch.nn.init.uniform_(field.table, -2, 2)
    camera = _cameras()[3]
    views = []
    for crop in (None, Crop(CUBE, torch.ones(8, 8, 8, dtype=torch.bool))):
        sampler = _sampler(OCCUPANCY)
        if crop is not None:
            sampler.confine(crop)
        views.append(render_view(field, sampler, camera, torch.zeros(0), RenderConfig()))
    assert torch.equal(views[0].rgba, views[1].rgba) and views[0].rgba[..., 3].max() > 0.1


# What is found.


def test_the_plane_that_most_points_lie_on() -> None:
    """Tilted by 2 degrees, with a ball on it and mistakes below; not a ball, nor a wall, nor a ceiling."""
    support = find_support(_surface_points(), torch.Generator().manual_seed(1))
    assert support is not None
    assert support.height == pytest.approx(TABLE, abs=0.002)
    assert support.slope.tolist() == pytest.approx(SLOPE.tolist(), abs=0.005)
    assert 0.002 < support.spread < 0.004 and 0.7 < support.share < 0.85
    generator = torch.Generator().manual_seed(0)
    ball = torch.nn.functional.normalize(torch.randn(2000, 3, generator=generator), dim=-1)
    wall = torch.rand(2000, 3, generator=generator) * torch.tensor([0.0, 1.0, 1.0])
    ceiling = torch.cat([0.3 * ball, torch.rand(2000, 3, generator=generator)])
    ceiling[2000:, 2] = 0.5
    for points in (0.3 * ball, wall, ceiling, ball[:2]):
        assert find_support(points, generator) is None


def test_pieces_touch_at_corners_and_the_heaviest_is_kept() -> None:
    cells = torch.zeros(6, 6, 6, dtype=torch.bool)
    cells[0, 0, 0] = cells[1, 1, 1] = cells[4, 4, 4] = True
    numbers = labelled(cells)
    assert numbers[0, 0, 0] == numbers[1, 1, 1] != numbers[4, 4, 4] > 0
    assert len(numbers.unique()) == 3
    weight = torch.where(cells, 1.0, 9.0)
    assert heaviest(cells, weight).nonzero().tolist() == [[0, 0, 0], [1, 1, 1]]
    weight[4, 4, 4] = 3
    assert heaviest(cells, weight).nonzero().tolist() == [[4, 4, 4]]
    assert not heaviest(torch.zeros_like(cells), weight).any()
    assert heaviest(torch.ones_like(cells), weight).all()


def test_a_ball_on_a_table_is_found_without_the_table_and_what_floats() -> None:
    """Its box is the ball's, with a margin and the bottom cut just above the table."""
    found = _found()
    place, points = found.place, _surface_points()
    torch.testing.assert_close(place.norm(place.near(points)), points)
    assert place.distance == pytest.approx(0.9, abs=0.05) and place.reach <= 0.6
    low, high = found.crop.box
    centre, margin = torch.tensor(CENTRE), 0.06
    for k in range(3):
        assert centre[k] + RADIUS < high[k] < centre[k] + RADIUS + margin
    assert (low[:2] < centre[:2] - RADIUS).all() and (low[:2] > centre[:2] - RADIUS - margin).all()
    assert TABLE < low[2] < TABLE + 0.03
    assert found.support is not None and not found.touches and 0.5 < found.share < 0.999
    assert not found.crop.keeps(torch.tensor([[-0.3, 0.25, 0.25]])).any()
    ball = torch.nn.functional.normalize(_surface_points()[3000:3200] - centre, dim=-1)
    above = centre + 0.98 * RADIUS * ball
    assert found.crop.keeps(above[above[:, 2] > TABLE + 0.05]).all()
    table = torch.cat([0.5 * torch.rand(500, 2) - 0.25, torch.zeros(500, 1)], 1)
    table[:, 2] = TABLE + table[:, :2] @ SLOPE
    assert not found.crop.keeps(table).any()


def test_heights_given_by_hand_take_the_place_of_the_plane() -> None:
    found = _found(Cuts(z_min=-0.1, z_max=0.05))
    assert found.support is None and found.touches  # the cut goes through the ball
    assert found.crop.box[:, 2].tolist() == pytest.approx([-0.1, 0.05], abs=1e-5)
    roomy = _found(Cuts(z_min=-0.1, z_max=0.05, margin=0.1))
    assert roomy.crop.box[1, 0] > found.crop.box[1, 0] + 0.02


def test_what_goes_on_beyond_reach_is_told_and_nothing_is_an_error() -> None:
    """With the table not taken away the piece is table and ball; in empty space there is none."""
    assert _found(Cuts(z_min=-0.5)).touches
    with pytest.raises(UserError, match=r"nothing opaque around[\s\S]*--box"):
        find_crop(lambda points: torch.zeros(len(points)), _cameras(), _surface_points(), Cuts())


# The file.


def test_cameras_of_a_room_look_at_no_object() -> None:
    with pytest.raises(UserError, match="look around"):
        find_place(room())


def test_a_crop_comes_back_as_it_was_written(tmp_path: Path) -> None:
    cells = np.random.default_rng(0).random((5, 7, 3)) > 0.5
    box = ((-0.5, -0.25, 0.0), (0.5, 0.75, 1.0))
    for written in (CropFile(box, cells, {"by": "auto"}), CropFile(box)):
        written.write(tmp_path)
        read = read_crop(tmp_path)
        assert read is not None and (read.box, read.found) == (box, written.found)
        np.testing.assert_array_equal(read.cells, written.cells)
    (tmp_path / NAME).unlink()
    assert read_crop(tmp_path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 9},
        {"box": [[0, 0, 0], [1, 1, 0]]},
        {"cells": {"size": [9, 9, 9], "bits": "eJw="}},
    ],
    ids=["schema", "box", "cells"],
)
def test_a_damaged_crop_is_an_error_that_says_what_to_do(tmp_path: Path, change: dict) -> None:
    CropFile(((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))).write(tmp_path)
    document = json.loads((tmp_path / NAME).read_text())
    (tmp_path / NAME).write_text(json.dumps({**document, **change}))
    with pytest.raises(UserError, match="python -m teacher crop"):
        read_crop(tmp_path)


def test_another_crop_makes_another_fingerprint(tmp_path: Path) -> None:
    """And without one it is what it was before there were crops."""
    weights = "0123456789abcdef" * 4
    marks = [fingerprint(tmp_path, weights)]
    assert marks == [weights[:16]]
    for top in (1.0, 0.9):
        CropFile(((0.0, 0.0, 0.0), (1.0, 1.0, top))).write(tmp_path)
        marks.append(fingerprint(tmp_path, weights))
    assert len(set(marks)) == 3 and {len(mark) for mark in marks} == {16}
    CropFile(((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))).write(tmp_path)
    assert fingerprint(tmp_path, weights) == marks[1]
