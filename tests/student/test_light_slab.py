"""Rays as four numbers: by hand, by their inverses, and across every cut."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from student.models.light_slab import (
    PAIRS,
    LightSlabConfig,
    octahedral,
    slab_coordinates,
    sphere_coordinates,
)
from student.models.mobile_r2l import MobileR2LConfig
from teacher.cameras import look_at

BOX = torch.tensor([[-1.0, -0.6, -0.3], [0.8, 1.0, 0.5]])
CENTRE, HALF = 0.5 * (BOX[1] + BOX[0]), 0.5 * (BOX[1] - BOX[0])
FADE = 0.05
SMALL = {"planes": (4, 8), "features": 2, "width": 8, "blocks": 1, "channels": (8, 8, 8)}


def _grid(vectors: torch.Tensor) -> torch.Tensor:
    """[n, c] as a [1, c, 1, n] picture."""
    return vectors.T[None, :, None, :]


def _rows(picture: torch.Tensor) -> torch.Tensor:
    """The inverse of `_grid`."""
    return picture[0, :, 0].T


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)


def _directions(count: int) -> torch.Tensor:
    return _unit(torch.randn(count, 3, generator=torch.Generator().manual_seed(0)))


def _octahedral(vectors: torch.Tensor) -> torch.Tensor:
    return _rows(octahedral(_grid(vectors)))


def _on_the_sphere(uv: torch.Tensor) -> torch.Tensor:
    """The inverse of the octahedral map, as its authors write it."""
    z = 1 - uv.abs().sum(-1, keepdim=True)
    sign = torch.where(uv < 0, -1.0, 1.0)
    return _unit(torch.cat([torch.where(z < 0, (1 - uv.flip(-1).abs()) * sign, uv), z], -1))


def _sphere(origins: torch.Tensor, directions: torch.Tensor) -> tuple[torch.Tensor, ...]:
    found = sphere_coordinates(_grid(origins), _grid(_unit(directions)), BOX, FADE)
    return tuple(map(_rows, found))


def _slabs(origins: torch.Tensor, directions: torch.Tensor, axis: int) -> torch.Tensor:
    found = slab_coordinates(_grid(origins), _grid(_unit(directions)), BOX, axis)
    assert found.weight.eq(1).all()
    return _rows(found.uvst)


def test_the_octahedral_map_by_hand() -> None:
    """Up is the middle, the axes of the equator the middles of the sides, down a corner."""
    vectors = torch.tensor([[0, 0, 1], [1, 0, 0], [0, -1, 0], [0, 0, -1], [1, 1, 1], [1, -1, -1.0]])
    third = 1 / 3
    expected = [[0, 0], [1, 0], [0, -1], [1, 1], [third, third], [1 - third, third - 1]]
    torch.testing.assert_close(_octahedral(_unit(vectors)), torch.tensor(expected))


def test_the_octahedral_map_has_its_inverse() -> None:
    directions = _directions(2000)
    uv = _octahedral(directions)
    assert uv.abs().max() <= 1
    torch.testing.assert_close(_on_the_sphere(uv), directions, atol=1e-5, rtol=0)
    corners = 1.96 * torch.rand(2000, 2, generator=torch.Generator().manual_seed(1)) - 0.98
    torch.testing.assert_close(_octahedral(_on_the_sphere(corners)), corners, atol=1e-5, rtol=0)


def test_the_octahedral_maps_area_is_its_closed_form() -> None:
    """Area on the square for area on the sphere: 1 / (|x| + |y| + |z|)^3, so 3 sqrt(3) at most."""
    directions = _directions(500).double()
    first = _unit(torch.linalg.cross(directions, directions.roll(1, -1)))
    second, h = torch.linalg.cross(directions, first), 1e-6
    moved = [
        (_octahedral(_unit(directions + h * v)) - _octahedral(_unit(directions - h * v))) / (2 * h)
        for v in (first, second)
    ]
    area = (moved[0][:, 0] * moved[1][:, 1] - moved[0][:, 1] * moved[1][:, 0]).abs()
    away = directions.abs().min(-1).values > 1e-3  # from the folds, where there is no derivative
    expected = directions.abs().sum(-1) ** -3
    torch.testing.assert_close(area[away], expected[away], atol=1e-4, rtol=1e-4)
    assert 3 < float(expected.max() / expected.min()) <= 3 * math.sqrt(3)


def test_the_cut_appears_on_both_halves_of_a_side() -> None:
    """Just left and right of a quarter circle below the equator: (1, v) and (1, -v)."""
    angle = torch.linspace(0.1, 1.4, 9)
    arc = torch.stack([angle.cos(), torch.zeros(9), -angle.sin()], -1)
    left, right = (_octahedral(_unit(arc + torch.tensor([0, e, 0]))) for e in (1e-5, -1e-5))
    torch.testing.assert_close(left * torch.tensor([1.0, -1.0]), right)
    torch.testing.assert_close(left[:, 0], torch.ones(9), atol=1e-4, rtol=0)
    assert (left[:, 1] > 0.09).all()


def test_rays_through_the_centre_have_equal_pairs() -> None:
    """As on slabs: they enter and leave at antipodes."""
    directions = _directions(200)
    uvst, points, _ = _sphere(CENTRE - 3 * directions, directions)
    torch.testing.assert_close(uvst[:, :2], uvst[:, 2:], atol=1e-4, rtol=0)
    torch.testing.assert_close(points, torch.cat([-directions, directions], -1), atol=1e-5, rtol=0)


def test_a_ray_through_the_sphere_by_hand() -> None:
    """Straight down at 0.6 radii from the axis: it enters at height 0.8 and leaves at -0.8."""
    radius = HALF.norm()
    origin = CENTRE + radius * torch.tensor([0.6, 0.0, 2.0])
    uvst, points, weight = _sphere(origin[None], torch.tensor([[0.0, 0.0, -1.0]]))
    torch.testing.assert_close(points, torch.tensor([[0.6, 0, 0.8, 0.6, 0, -0.8]]))
    torch.testing.assert_close(uvst, torch.tensor([[0.6 / 1.4, 0.0, -0.6 / 1.4, 0.0]]))
    assert weight == 1


def test_both_points_are_on_the_ray_and_on_the_sphere() -> None:
    """So the ray can be found again from its four numbers, wherever it starts on its line."""
    origins = CENTRE + HALF.norm() * 0.9 * _directions(300)
    directions = _directions(600)[300:]
    uvst, points, _ = _sphere(origins, directions)
    again, *_ = _sphere(origins + 2.5 * directions, directions)
    torch.testing.assert_close(again, uvst, atol=2e-5, rtol=0)
    entry, exit_ = (_on_the_sphere(pair) for pair in uvst.split(2, -1))
    torch.testing.assert_close(torch.cat([entry, -exit_], -1), points, atol=1e-5, rtol=0)
    torch.testing.assert_close(_unit(-exit_ - entry), directions, atol=1e-4, rtol=0)
    offset = CENTRE + HALF.norm() * entry - origins
    assert torch.linalg.cross(offset, directions).norm(dim=-1).max() < 1e-4


def test_a_miss_is_the_nearest_point_of_the_sphere() -> None:
    """And grazing rays are continuous from hit to miss."""
    height = torch.tensor([0.999, 1.0, 1.001, 3.0])
    origins = CENTRE + HALF.norm() * torch.stack([-2 * torch.ones(4), 0 * height, height], -1)
    _, points, _ = _sphere(origins, torch.tensor([[1.0, 0.0, 0.0]]).expand(4, 3))
    torch.testing.assert_close(points[2:], torch.tensor([[0, 0, 1.0] * 2] * 2), atol=2e-4, rtol=0)
    assert (points[:-1] - points[1:]).abs().max() < 0.05  # sqrt(1 - 0.999^2) = 0.0447
    _, close, _ = _sphere(origins[1:2] - 1e-7, torch.tensor([[1.0, 0.0, 0.0]]))
    assert (close - points[1:2]).abs().max() < 2e-3  # the square root of what rounding leaves


@torch.no_grad()
def _inputs(rays: tuple[torch.Tensor, torch.Tensor], fade: float) -> torch.Tensor:
    """What the network sees of `rays`, with random features."""
    torch.manual_seed(0)
    model = LightSlabConfig(fade=fade, **SMALL).build(BOX).double()
    for grid in model.planes.grids:
        torch.nn.init.normal_(grid)
    return _rows(model.encode(_grid(rays[0]), _grid(rays[1])))


def test_the_networks_input_has_no_cut() -> None:
    """Along paths that cross every cut, a step of 1/4000 changes no input by more than a hundred
    times itself; without the fade, features jump by their own size.
    """
    turn = torch.linspace(0, math.tau, 4001, dtype=torch.float64)
    largest = {}
    for fade in (FADE, 1e-9):
        jumps = []
        for low in (-1.0, 1.0):
            level = torch.stack([turn.cos(), turn.sin(), torch.full_like(turn, 0.4 * low)], -1)
            origins = CENTRE + 3 * _unit(level)
            aim = CENTRE + torch.tensor([0.1, -0.2, 0.3 * low])
            inputs = _inputs((origins, _unit(aim - origins)), fade)
            jumps.append((inputs[1:] - inputs[:-1]).abs().max())
        largest[fade] = float(max(jumps))
    assert largest[FADE] < 100 * math.tau / 4000
    assert largest[1e-9] > 0.5


def test_crossings_of_slabs_by_hand() -> None:
    """A ray that crosses the lower y face in its middle and the upper one at half of its width."""
    origin = CENTRE + HALF * torch.tensor([-0.5, -3.0, 0.0])
    middle, beyond = (CENTRE + HALF * torch.tensor(p) for p in ([0.0, -1, 0], [0.5, 1, 0]))
    found = _slabs(origin[None], (beyond - middle)[None], axis=1)
    half = 0.5 / math.sqrt(1.25)
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0, half, 0.0]]), atol=1e-6, rtol=0)
    back = _slabs(beyond[None], (middle - beyond)[None], axis=1)
    torch.testing.assert_close(back, found, atol=1e-6, rtol=0)


@given(st.integers(0, 2), st.tuples(*[st.floats(-3, 3, width=32)] * 4), st.floats(-4, 4))
def test_crossings_of_slabs_are_found_again(
    axis: int, crossings: tuple[float, ...], way: float
) -> None:
    """x = y / sqrt(1 - y^2) is where the ray was sent through, from anywhere on its line."""
    points = torch.empty(2, 3, dtype=torch.float64)
    across = [other for other in range(3) if other != axis]
    points[:, axis] = torch.tensor([-1.0, 1.0])
    points[:, across] = torch.tensor(crossings, dtype=torch.float64).reshape(2, 2)
    lower, upper = CENTRE + HALF * points
    found = _slabs((lower + way * (upper - lower))[None], (upper - lower)[None], axis)[0]
    again = found / (1 - found.square()).sqrt()
    torch.testing.assert_close(again, points[:, across].flatten(), atol=1e-6, rtol=1e-6)


def test_rays_along_slabs_are_finite() -> None:
    """Between them, and within one of them, where their crossings could be anything."""
    found = _slabs(CENTRE[None], torch.tensor([[1.0, 0.0, 0.0]]), axis=1)
    torch.testing.assert_close(found.abs(), torch.tensor([[1.0, 0.0, 1.0, 0.0]]))
    lower = torch.tensor([CENTRE[0], BOX[0, 1], CENTRE[2]])
    within = _slabs(lower[None], torch.tensor([[1.0, 0.0, 0.0]]), axis=1)
    torch.testing.assert_close(within.abs(), torch.tensor([[0.0, 0.0, 1.0, 0.0]]))


def test_every_pair_has_a_plane_of_its_own() -> None:
    """A change of one number changes the features of its three planes and of no other."""
    assert PAIRS == ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
    model = LightSlabConfig(**SMALL).build(BOX)
    for grid in model.planes.grids:
        torch.nn.init.normal_(grid)
    at = torch.zeros(1, 1, 4, 1, 2)
    for number in range(4):
        at[0, 0, :, 0, 1] = torch.where(torch.arange(4) == number, 0.3, 0.0)
        levels = model.planes(at).view(2, len(PAIRS), 2, 2)  # level, plane, feature, ray
        changed = (levels[..., 0] != levels[..., 1]).all(-1).all(0)
        assert changed.tolist() == [number in pair for pair in PAIRS]


@pytest.mark.parametrize("parametrisation", ["sphere", "slabs"])
def test_gradients_are_finite_even_of_rays_that_miss(parametrisation: str) -> None:
    """Of all parameters, and of a pose of which half the rays miss the sphere."""
    torch.manual_seed(0)
    model = LightSlabConfig(parametrisation, **SMALL).build(BOX)  # pyright: ignore[reportArgumentType]
    pose = look_at(torch.tensor([3.0, -4.0, 1.0]), torch.tensor([1.5, 0.0, 1.0]))[None]
    pose.requires_grad_()
    rgba, depth, _ = model(pose, torch.tensor([[1.0, 1.0, 0.5, 0.5]]), (32, 32))
    (rgba.square().sum() + depth.sum()).backward()
    assert pose.grad is not None and pose.grad.isfinite().all()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    assert all(float(grid.grad.abs().max()) > 0 for grid in model.planes.grids)  # pyright: ignore


def test_mobile_r2ls_samplings_share_their_fractions() -> None:
    """Both build, with the points that they are asked for, and nothing of it is saved."""
    for sampling in ("box", "planes"):
        model = MobileR2LConfig(points=5, sampling=sampling, width=8, blocks=1).build(BOX)
        torch.testing.assert_close(model.sampler.fractions, torch.linspace(0, 1, 5))
        assert not any("fractions" in name for name in model.state_dict())
