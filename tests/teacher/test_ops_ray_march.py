"""Marching against its reference, which lays out whole lattices, and against geometry by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from teacher.errors import UserError
from teacher.ops.ray_march import ray_march, reference
from teacher.rays import Samples
from tests.kernels import every_way, running, threads

CUBE = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])


def _rays(count: int, generator: torch.Generator, distance: float = 2.5) -> tuple[Tensor, Tensor]:
    """Rays from all around towards the cube; every third is parallel to an axis or a face."""
    origins = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
    origins = origins * distance * torch.rand(count, 1, generator=generator)
    directions = 0.6 * torch.randn(count, 3, generator=generator) - origins
    directions[::3] *= torch.rand(len(directions[::3]), 3, generator=generator) < 0.5
    directions[::3, 0] += directions[::3].eq(0).all(1)
    return origins, torch.nn.functional.normalize(directions, dim=1)


def _tensors(samples: Samples) -> list[Tensor]:
    return [x.cpu() for x in vars(samples).values()]


def _assert_same(actual: Samples, expected: Samples) -> None:
    for a, b in zip(_tensors(actual), _tensors(expected), strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


@every_way
def test_a_slab_by_hand(way: str) -> None:
    """A ray along x from -2 enters the cube at t = 1; cells of 1/2, of which 0 <= x < 1/2 is full.

    Intervals of 1/4 begin at t = 1 + (k + 1/2) / 4. Middles in the slab, t from 2 to 2.5, have
    k = 3 (2.0) and k = 4 (2.25); that of k = 5 (2.5) is in the next cell. A second ray misses.
    """
    occupancy = torch.zeros(4, 4, 4, dtype=torch.uint8)
    occupancy[2] = 1
    origins = torch.tensor([[-2.0, 0.1, 0.1], [-2.0, 5.0, 0.1]])
    directions = torch.tensor([[1.0, 0.0, 0.0]]).repeat(2, 1)
    inputs = (origins, directions, occupancy, CUBE)
    with running(way) as device:
        inputs = (x.to(device) for x in inputs)
        jitter = torch.full((2,), 0.5, device=device)
        samples = ray_march(
            *inputs, near=0.0, jitter=jitter, step=0.25, cone_angle=0.0, max_samples=100
        )
    assert samples.t_starts.tolist() == [1.875, 2.125]
    assert samples.t_ends.tolist() == [2.125, 2.375]
    assert samples.ray_indices.tolist() == [0, 0]
    assert samples.offsets.tolist() == [0, 2, 2]


@every_way
def test_a_cone_by_hand(way: str) -> None:
    """Intervals grow with t: dt = clamp(t / 2, 1/8, a cell's diagonal of sqrt(3) / 2), from t = 1.

    dt = 0.5, 0.75, and then sqrt(3) / 2 instead of 1.125; the next one's middle is outside.
    """
    with running(way) as device:
        full = torch.ones(4, 4, 4, dtype=torch.bool, device=device)
        o, d = torch.tensor([[[-2.0, 0.1, 0.1]], [[1.0, 0.0, 0.0]]], device=device)
        jitter = torch.zeros(1, device=device)
        samples = ray_march(o, d, full, CUBE.to(device), 0.0, jitter, 0.125, 0.5, 9)
    assert samples.t_starts.tolist() == [1.0, 1.5, 2.25]
    assert samples.t_ends.tolist() == pytest.approx([1.5, 2.25, 2.25 + 3**0.5 / 2])


@every_way
def test_a_cell_alone_is_found(way: str) -> None:
    """Wherever it is in its block and in the grid: a diagonal through its centre is sampled."""
    cells = 11
    places = torch.cartesian_prod(*[torch.arange(cells)] * 3)[:: 1 if way == "c++" else 29]
    with running(way) as device:
        jitter = torch.zeros(1, device=device)
        d = torch.full((1, 3), 3**-0.5, device=device)
        for place in places:
            grid = torch.zeros(cells, cells, cells, dtype=torch.uint8)
            grid[tuple(place)] = 1
            o = (((place + 0.5) * 2 / cells - 1)[None].to(device) - 2 * d).contiguous()
            samples = ray_march(
                o, d, grid.to(device), CUBE.to(device), 0.0, jitter, 0.02, 0.0, 1000
            )
            # The cell's diagonal is 2 sqrt(3) / 11 = 0.315 long.
            assert 0.27 < (samples.t_ends - samples.t_starts).sum() < 0.36


@pytest.mark.parametrize("cone_angle", [0.0, 0.01])
@every_way
def test_kernel_equals_reference_to_the_last_bit(way: str, cone_angle: float) -> None:
    """Although one skips what is empty and the other looks everywhere."""
    generator = torch.Generator().manual_seed(0)
    origins, directions = _rays(60, generator)
    occupancy = (torch.rand(20, 20, 20, generator=generator) < 0.03).to(torch.uint8)
    aabb = torch.tensor([[-0.9, -1.0, -0.7], [1.0, 0.8, 0.9]])
    near, jitter = 2 * torch.rand(60, generator=generator), torch.rand(60, generator=generator)
    inputs = (origins, directions, occupancy, aabb, near, jitter)
    with running(way) as device:
        actual = ray_march(
            *(x.to(device) for x in inputs), step=0.01, cone_angle=cone_angle, max_samples=30
        )
    expected = reference.ray_march(*inputs, 0.01, cone_angle, 30)
    assert len(expected) > 50
    _assert_same(actual, expected)


@settings(max_examples=60, deadline=None)
@given(
    cells=st.sampled_from([1, 2, 7, 8, 9, 33, 64]),
    filled=st.sampled_from([0.0, 0.001, 0.05, 0.5, 1.0]),
    step=st.floats(0.002, 0.3),
    cone_angle=st.sampled_from([0.0, 1 / 256, 0.1]),
    distance=st.sampled_from([0.5, 2.5, 10.0]),
    most=st.sampled_from([0, 1, 10, 10_000]),
    seed=st.integers(0, 10**6),
)
def test_no_sample_is_lost_or_invented(
    cells: int,
    filled: float,
    step: float,
    cone_angle: float,
    distance: float,
    most: int,
    seed: int,
) -> None:
    """Whatever the grid, the lattice and the rays: bit for bit the reference's samples."""
    generator = torch.Generator().manual_seed(seed)
    origins, directions = _rays(64, generator, distance)
    occupancy = torch.rand(cells, cells, cells, generator=generator) < filled
    corners = 2 * torch.rand(2, 3, generator=generator) - 1
    aabb = torch.stack([corners.amin(0), corners.amax(0)])
    jitter = torch.rand(64, generator=generator)
    inputs = (origins, directions, occupancy, aabb, 0.02, jitter, step, cone_angle, most)
    with running("c++"):
        _assert_same(ray_march(*inputs), reference.ray_march(*inputs))


@every_way
def test_samples_are_in_order_in_the_box_and_in_occupied_cells(way: str) -> None:
    """What `Samples` promises, and what occupancy means, checked from the samples alone."""
    generator = torch.Generator().manual_seed(3)
    origins, directions = _rays(60, generator)
    occupancy = torch.rand(16, 16, 16, generator=generator) < 0.3
    aabb = torch.tensor([[-0.5, -1.0, -0.7], [1.0, 0.25, 0.9]])
    inputs = (origins, directions, occupancy, aabb, torch.full((60,), 1.0), torch.zeros(60))
    with running(way) as device:
        samples = ray_march(
            *(x.to(device) for x in inputs), step=0.03, cone_angle=0.0, max_samples=1000
        )
    index, starts, ends, offsets = _tensors(samples)
    assert torch.equal(index.bincount(minlength=60), offsets.diff())
    same_ray = index[1:] == index[:-1]
    assert (index[1:] >= index[:-1]).all()
    assert (starts[1:] >= ends[:-1] - 1e-6)[same_ray].all()
    assert (starts >= 1.0).all()
    points = origins[index] + 0.5 * (starts + ends)[:, None] * directions[index]
    assert ((points >= aabb[0] - 1e-5) & (points <= aabb[1] + 1e-5)).all()
    x, y, z = ((points + 1) * 8).long().clamp(0, 15).unbind(1)
    assert occupancy[x, y, z].float().mean() > 0.999  # rounding may put a point next door


def test_a_full_grid_is_filled_from_end_to_end() -> None:
    """Intervals without a gap, as many as fit: they add up to the chord, but for a step."""
    generator = torch.Generator().manual_seed(4)
    origins, directions = _rays(100, generator, 1.0)
    with running("c++"):
        full = torch.ones(8, 8, 8, dtype=torch.uint8)
        samples = ray_march(origins, directions, full, CUBE, 0.0, torch.zeros(100), 0.01, 0.0, 9999)
    same_ray = samples.ray_indices[1:] == samples.ray_indices[:-1]
    assert torch.equal(samples.t_starts[1:][same_ray], samples.t_ends[:-1][same_ray])
    inside = (origins.abs() < 1).all(1)
    far = ((directions.sign() - origins) / directions).nan_to_num(9, 9, 9).amin(1)
    length = torch.zeros(100).index_add(0, samples.ray_indices, samples.t_ends - samples.t_starts)
    assert inside.sum() > 50
    assert ((length - far).abs() < 0.011)[inside].all()


def test_the_first_samples_are_kept() -> None:
    """`max_samples` cuts the far end off."""
    generator = torch.Generator().manual_seed(5)
    origins, directions = _rays(50, generator)
    grid = torch.rand(16, 16, 16, generator=generator) < 0.2
    inputs = (origins, directions, grid, CUBE, 0.0, torch.zeros(50), 0.01, 0.0)
    with running("c++"):
        everything, some = ray_march(*inputs, 9999), ray_march(*inputs, 5)
    assert torch.equal(some.offsets.diff(), everything.offsets.diff().clamp_max(5))
    rank = torch.arange(len(everything)) - everything.offsets[everything.ray_indices.long()]
    assert torch.equal(some.t_starts, everything.t_starts[rank < 5])


@every_way
def test_rays_that_are_no_rays_have_no_samples(way: str) -> None:
    """Without a direction or with NaN in any place: none, and it comes to an end."""
    origins, directions = torch.zeros(8, 3), torch.tensor([[1.0, 0.0, 0.0]]).repeat(8, 1)
    directions[0] = 0
    for axis in range(3):
        origins[1 + axis, axis] = float("nan")
        directions[4 + axis, axis] = float("nan")
    for cone_angle in (0.0, 0.1):
        with running(way) as device:
            full = torch.ones(4, 4, 4, dtype=torch.uint8, device=device)
            inputs = (x.to(device) for x in (origins, directions, full, CUBE))
            jitter = torch.zeros(8, device=device)
            samples = ray_march(
                *inputs, near=0.0, jitter=jitter, step=0.1, cone_angle=cone_angle, max_samples=1000
            )
        assert samples.offsets[:8].tolist() == [0] * 8
        assert len(samples) > 5


def test_the_number_of_threads_does_not_matter() -> None:
    """Samples are equal bit for bit, and in one order."""
    generator = torch.Generator().manual_seed(6)
    origins, directions = _rays(1000, generator)
    occupancy = torch.rand(32, 32, 32, generator=generator) < 0.05
    inputs = (origins, directions, occupancy, CUBE, 0.0, torch.zeros(1000), 0.01, 0.0, 100)
    results = []
    for count in (1, 2, 3):
        with running("c++"), threads(count):
            results.append(ray_march(*inputs))
    _assert_same(results[1], results[0])
    _assert_same(results[2], results[0])


@every_way
def test_no_rays_and_no_samples(way: str) -> None:
    """No rays, and rays through an empty grid."""
    with running(way) as device:
        empty = torch.zeros(4, 4, 4, dtype=torch.uint8, device=device)
        for count in (0, 5):
            o = torch.zeros(count, 3, device=device)
            jitter = torch.zeros(count, device=device)
            samples = ray_march(o, o + 1, empty, CUBE.to(device), 0.0, jitter, 0.1, 0.0, 9)
            assert len(samples) == 0
            assert samples.offsets.tolist() == [0] * (count + 1)


def test_wrong_inputs_are_refused() -> None:
    """A lattice without a step, and a grid that is no cube's."""
    o, d, jitter = torch.zeros(1, 3), torch.ones(1, 3), torch.zeros(1)
    grid = torch.ones(4, 4, 4, dtype=torch.uint8)
    with pytest.raises(UserError, match="step = 0"):
        ray_march(o, d, grid, CUBE, 0.0, jitter, 0.0, 0.0, 9)
    with pytest.raises(UserError, match="ray_march: occupancy"):
        ray_march(o, d, grid.transpose(0, 1), CUBE, 0.0, jitter, 0.1, 0.0, 9)
