"""Marching against its reference, which lays out whole lattices, and against geometry by hand."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from teacher.errors import UserError
from teacher.ops.occupancy.morton import pack
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
    return [x.cpu() for x in vars(samples).values() if x is not None]


def _random_grid(
    cascades: int, cells: int, filled: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A grid's bits, and the box of its largest cascade."""
    occupied = torch.rand(cascades, cells, cells, cells, generator=generator) < filled
    return pack(occupied), CUBE * 2.0 ** (cascades - 1)


def _assert_same(actual: Samples, expected: Samples) -> None:
    assert (actual.complete is None) == (expected.complete is None)
    for a, b in zip(_tensors(actual), _tensors(expected), strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


@every_way
def test_a_slab_by_hand(way: str) -> None:
    """A ray along x from -2 enters the cube at t = 1; cells of 1/4, of which 0 <= x < 1/2 is full.

    Intervals of 1/4 begin at t = 1 + (k + 1/2) / 4. Middles in the slab, t from 2 to 2.5, have
    k = 3 (2.0) and k = 4 (2.25); that of k = 5 (2.5) is in the next cell. A second ray misses.
    """
    occupied = torch.zeros(1, 8, 8, 8, dtype=torch.bool)
    occupied[0, 4:6] = True
    origins = torch.tensor([[-2.0, 0.1, 0.1], [-2.0, 5.0, 0.1]])
    directions = torch.tensor([[1.0, 0.0, 0.0]]).repeat(2, 1)
    inputs = (origins, directions, pack(occupied), CUBE)
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
    """Intervals grow with t: dt = clamp(t / 4, 1/8, a cell's diagonal of sqrt(3) / 4), from t = 1.

    dt = 0.25, 0.3125, 0.390625, and then sqrt(3) / 4 instead of 0.488 twice; the next one's
    middle, 3.03, is outside.
    """
    with running(way) as device:
        full = torch.full((1, 64), 255, dtype=torch.uint8, device=device)
        o, d = torch.tensor([[[-2.0, 0.1, 0.1]], [[1.0, 0.0, 0.0]]], device=device)
        jitter = torch.zeros(1, device=device)
        samples = ray_march(o, d, full, CUBE.to(device), 0.0, jitter, 0.125, 0.25, 9)
    diagonal = 3**0.5 / 4
    edges = [1.0, 1.25, 1.5625, 1.953125, 1.953125 + diagonal, 1.953125 + 2 * diagonal]
    assert samples.t_starts.tolist() == pytest.approx(edges[:-1])
    assert samples.t_ends.tolist() == pytest.approx(edges[1:])


@every_way
def test_a_cell_alone_is_found(way: str) -> None:
    """Wherever it is in its block and in the grid: a diagonal through its centre is sampled."""
    cells = 16
    places = torch.cartesian_prod(*[torch.arange(cells)] * 3)[:: 7 if way == "c++" else 97]
    with running(way) as device:
        jitter = torch.zeros(1, device=device)
        d = torch.full((1, 3), 3**-0.5, device=device)
        for place in places:
            grid = torch.zeros(1, cells, cells, cells, dtype=torch.bool)
            grid[0, *place] = True
            o = (((place + 0.5) * 2 / cells - 1)[None].to(device) - 2 * d).contiguous()
            samples = ray_march(
                o, d, pack(grid).to(device), CUBE.to(device), 0.0, jitter, 0.02, 0.0, 1000
            )
            # The cell's diagonal is sqrt(3) / 8 = 0.217 long.
            assert 0.17 < (samples.t_ends - samples.t_starts).sum() < 0.26


@pytest.mark.parametrize(("cascades", "capacity"), [(1, None), (1, 200), (3, None), (3, 200)])
@pytest.mark.parametrize("cone_angle", [0.0, 0.02])
@every_way
def test_kernel_equals_reference_to_the_last_bit(
    way: str, cone_angle: float, cascades: int, capacity: int | None
) -> None:
    """Although one skips what is empty and the other looks everywhere."""
    generator = torch.Generator().manual_seed(0)
    occupancy, cube = _random_grid(cascades, 16, 0.03, generator)
    origins, directions = _rays(60, generator, 2.5 * float(cube.max()))
    aabb = cube * torch.tensor([[0.9, 1.0, 0.7], [1.0, 0.8, 0.9]])
    near, jitter = 2 * torch.rand(60, generator=generator), torch.rand(60, generator=generator)
    inputs = (origins, directions, occupancy, aabb, near, jitter)
    with running(way) as device:
        actual = ray_march(
            *(x.to(device) for x in inputs),
            step=0.01,
            cone_angle=cone_angle,
            max_samples=30,
            capacity=capacity,
        )
    expected = reference.ray_march(*inputs, 0.01, cone_angle, 30, capacity)
    assert expected.offsets[-1] > 50
    _assert_same(actual, expected)


@settings(max_examples=100, deadline=None)
@given(
    cascades=st.integers(1, 4),
    cells=st.sampled_from([8, 16, 32, 64]),
    filled=st.sampled_from([0.0, 0.001, 0.05, 0.5, 1.0]),
    step=st.floats(0.004, 0.3),
    cone_angle=st.sampled_from([0.0, 1 / 256, 0.1]),
    distance=st.sampled_from([0.5, 2.5, 10.0]),
    most=st.sampled_from([0, 1, 10, 10_000]),
    capacity=st.sampled_from([None, None, 0, 100, 1000]),
    seed=st.integers(0, 10**6),
)
def test_no_sample_is_lost_or_invented(
    cascades: int,
    cells: int,
    filled: float,
    step: float,
    cone_angle: float,
    distance: float,
    most: int,
    capacity: int | None,
    seed: int,
) -> None:
    """Whatever the grid, the lattice and the rays: bit for bit the reference's samples."""
    generator = torch.Generator().manual_seed(seed)
    occupancy, cube = _random_grid(cascades, cells, filled, generator)
    origins, directions = _rays(64, generator, distance)
    corners = float(cube.max()) * (2 * torch.rand(2, 3, generator=generator) - 1)
    aabb = torch.stack([corners.amin(0), corners.amax(0)])
    jitter = torch.rand(64, generator=generator)
    inputs = (origins, directions, occupancy, aabb, 0.02, jitter, step, cone_angle, most, capacity)
    with running("c++"):
        _assert_same(ray_march(*inputs), reference.ray_march(*inputs))


@every_way
def test_cascades_by_hand(way: str) -> None:
    """A ray along x through two full cascades and an empty one between: |x| < 1, 2 and 4.

    Off the axis by 1/2 in y and z, from x = -5: it enters at t = 1. Steps of 1/4 without jitter
    have their middles at x = -4 + (k + 1/2) / 4: 8 in -4 < x < -2, 4 in -2 < x < -1, 8 in
    |x| < 1, and the same again.
    """
    occupied = torch.ones(3, 8, 8, 8, dtype=torch.bool)
    occupied[1] = False
    with running(way) as device:
        o, d = torch.tensor([[[-5.0, 0.5, 0.5]], [[1.0, 0.0, 0.0]]], device=device)
        bits, jitter = pack(occupied).to(device), torch.zeros(1, device=device)
        samples = ray_march(o, d, bits, 4 * CUBE.to(device), 0.0, jitter, 0.25, 0.0, 99)
    starts = torch.arange(32) / 4 + 1
    x = starts + 0.125 - 5
    assert samples.t_starts.tolist() == starts[(x.abs() < 1) | (x.abs() > 2)].tolist()


@every_way
@pytest.mark.parametrize(("step", "cascade"), [(0.125, 0), (0.25, 0), (0.3, 1), (0.5, 1), (0.7, 2)])
def test_long_intervals_belong_to_coarse_cells(way: str, step: float, cascade: int) -> None:
    """Of 8 cells over [-2^c, 2^c], with sides of 2^c / 4: the finest whose sides are not shorter.

    Only cascade c is full, and it alone gives samples to a ray inside the smallest cube.
    """
    aabb = 0.9 * CUBE
    for full in range(3):
        occupied = torch.zeros(3, 8, 8, 8, dtype=torch.bool)
        occupied[full] = True
        with running(way) as device:
            o, d = torch.tensor([[[-0.9, 0.1, 0.1]], [[1.0, 0.0, 0.0]]], device=device)
            bits, jitter = pack(occupied).to(device), torch.zeros(1, device=device)
            samples = ray_march(o, d, bits, aabb.to(device), 0.0, jitter, step, 0.0, 99)
        assert (len(samples) > 0) == (full == cascade)


@every_way
def test_no_jump_goes_past_a_change_of_cascade(way: str) -> None:
    """Through emptiness, in a cone whose intervals outgrow the small cells half-way through a block.

    Cells of 1/16 in an empty cube, of 1/8 in a full one: intervals of t / 16 from t = 1 on are samples.
    """
    occupied = torch.zeros(2, 32, 32, 32, dtype=torch.bool)
    occupied[1] = True
    with running(way) as device:
        o, d = torch.tensor([[[-0.9, 0.1, 0.1]], [[1.0, 0.0, 0.0]]], device=device)
        bits, jitter = pack(occupied).to(device), torch.zeros(1, device=device)
        samples = ray_march(o, d, bits, 0.9 * CUBE.to(device), 0.0, jitter, 0.01, 1 / 16, 99)
    edges = [0.0]
    while edges[-1] < 1.8:
        edges.append(edges[-1] + max(edges[-1] / 16, 0.01))
    inside = [a for a, b in itertools.pairwise(edges) if a > 1 and (a + b) / 2 < 1.8]
    assert len(inside) > 8
    assert samples.t_starts.tolist() == pytest.approx(inside)


@every_way
@pytest.mark.parametrize(
    ("capacity", "counts", "complete"),
    [
        (6, [3, 0, 0, 0], [True, False, True, False]),
        (7, [3, 4, 0, 0], [True, True, True, False]),
        (8, [3, 4, 0, 1], [True] * 4),
        (20, [3, 4, 0, 1], [True] * 4),
    ],
)
def test_rays_that_do_not_fit_get_nothing(
    way: str, capacity: int, counts: list[int], complete: list[bool]
) -> None:
    """Rays along x with 3, 4, no and 1 samples: the first that is too much, and all after it.

    Steps of 1/2 have their middles at -0.5, 0, 0.5; at -0.75, -0.25, 0.25, 0.75; and at 0.75. A
    ray without samples is complete, and what is unused is zero.
    """
    x = torch.tensor([-0.75, -1.0, 2.0, 0.5])
    origins = torch.stack([x, torch.zeros(4), torch.zeros(4)], 1)
    directions, full = torch.eye(3)[:1].repeat(4, 1), torch.full((1, 64), 255, dtype=torch.uint8)
    inputs = (origins, directions, full, CUBE, torch.zeros(4), torch.zeros(4))
    with running(way) as device:
        samples = ray_march(
            *(x.to(device) for x in inputs),
            step=0.5,
            cone_angle=0.0,
            max_samples=99,
            capacity=capacity,
        )
    index, starts, ends, offsets, fits = _tensors(samples)
    assert fits.tolist() == complete
    assert offsets.diff().tolist() == counts
    assert len(index) == len(starts) == len(ends) == capacity
    used = sum(counts)
    assert torch.equal(ends[:used] - starts[:used], torch.full((used,), 0.5))
    assert index[:used].bincount(minlength=4).tolist() == counts
    for unused in (index[used:], starts[used:], ends[used:]):
        assert not unused.any()


@pytest.mark.parametrize("capacity", [0, 1, 500, 5000])
def test_a_capacity_changes_nothing_else(capacity: int) -> None:
    """The samples that fit are the first of those without a limit, ray by ray."""
    generator = torch.Generator().manual_seed(8)
    occupancy, cube = _random_grid(2, 16, 0.1, generator)
    origins, directions = _rays(80, generator)
    inputs = (origins, directions, occupancy, cube, 0.0, torch.zeros(80), 0.02, 0.0, 1000)
    with running("c++"):
        everything, some = ray_march(*inputs), ray_march(*inputs, capacity)
    counts, complete = everything.offsets.diff(), some.complete
    assert complete is not None and len(everything) > 1000
    assert torch.equal(some.offsets.diff(), torch.where(complete, counts, 0))
    used = int(some.offsets[-1])
    assert used <= capacity
    assert used + counts[~complete][:1].sum() > capacity or complete.all()
    assert torch.equal(some.t_starts[:used], everything.t_starts[:used])
    assert torch.equal(some.ray_indices[:used], everything.ray_indices[:used])


@every_way
def test_samples_are_in_order_in_the_box_and_in_occupied_cells(way: str) -> None:
    """What `Samples` promises, and what occupancy means, checked from the samples alone."""
    generator = torch.Generator().manual_seed(3)
    origins, directions = _rays(60, generator)
    occupied = torch.rand(1, 16, 16, 16, generator=generator) < 0.3
    aabb = torch.tensor([[-0.5, -1.0, -0.7], [1.0, 0.25, 0.9]])
    inputs = (origins, directions, pack(occupied), aabb, torch.full((60,), 1.0), torch.zeros(60))
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
    assert occupied[0, x, y, z].float().mean() > 0.999  # rounding may put a point next door


def test_a_full_grid_is_filled_from_end_to_end() -> None:
    """Intervals without a gap, as many as fit: they add up to the chord, but for a step."""
    generator = torch.Generator().manual_seed(4)
    origins, directions = _rays(100, generator, 1.0)
    with running("c++"):
        full = torch.full((1, 64), 255, dtype=torch.uint8)
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
    grid, cube = _random_grid(1, 16, 0.2, generator)
    inputs = (origins, directions, grid, cube, 0.0, torch.zeros(50), 0.01, 0.0)
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
            full = torch.full((1, 64), 255, dtype=torch.uint8, device=device)
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
    occupancy, cube = _random_grid(1, 32, 0.05, generator)
    inputs = (origins, directions, occupancy, cube, 0.0, torch.zeros(1000), 0.01, 0.0, 100)
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
        empty = torch.zeros(1, 64, dtype=torch.uint8, device=device)
        for count in (0, 5):
            o = torch.zeros(count, 3, device=device)
            jitter = torch.zeros(count, device=device)
            samples = ray_march(o, o + 1, empty, CUBE.to(device), 0.0, jitter, 0.1, 0.0, 9)
            assert len(samples) == 0
            assert samples.offsets.tolist() == [0] * (count + 1)


@every_way
def test_a_camera_too_far_away_for_floats_sees_nothing(way: str) -> None:
    """At 10^6 floats are 1/16 apart: steps of 1/100 cannot be told apart, steps of a cone can."""
    with running(way) as device:
        full = torch.full((1, 64), 255, dtype=torch.uint8, device=device)
        o, d = torch.tensor([[[-1e6, 0.1, 0.1]], [[1.0, 0.0, 0.0]]], device=device)
        inputs = (o, d, full, CUBE.to(device), 0.0, torch.zeros(1, device=device), 0.01)
        assert len(ray_march(*inputs, 0.0, 999)) == 0
        assert len(ray_march(*inputs, 1e-9, 999)) == 0
        assert 4 <= len(ray_march(*inputs, 1e-3, 999)) <= 8


@every_way
def test_a_lattice_too_fine_for_floats_has_no_samples(way: str) -> None:
    """Steps of 10^-8 from behind the camera on: near its zero floats are fine enough, at -2 not."""
    with running(way) as device:
        full = torch.full((1, 64), 255, dtype=torch.uint8, device=device)
        o, d = torch.tensor([[[0.999, 0.1, 0.1]], [[1.0, 0.0, 0.0]]], device=device)
        jitter = torch.zeros(1, device=device)
        samples = ray_march(o, d, full, CUBE.to(device), -3.0, jitter, 1e-8, 0.0, 99)
    assert len(samples) == 0


def test_wrong_inputs_are_refused() -> None:
    """A lattice without a step, a capacity below zero, and a grid whose side is no power of two."""
    o, d, jitter = torch.zeros(1, 3), torch.ones(1, 3), torch.zeros(1)
    bits = torch.ones(1, 64, dtype=torch.uint8)
    with pytest.raises(UserError, match="step = 0"):
        ray_march(o, d, bits, CUBE, 0.0, jitter, 0.0, 0.0, 9)
    with pytest.raises(UserError, match="ray_march: capacity"):
        ray_march(o, d, bits, CUBE, 0.0, jitter, 0.1, 0.0, 9, -1)
    with pytest.raises(UserError, match="power of two"):
        ray_march(o, d, torch.ones(1, 8, dtype=torch.uint8), CUBE, 0.0, jitter, 0.1, 0.0, 9)
    with pytest.raises(UserError, match="ray_march: occupancy"):
        ray_march(o, d, bits.repeat(1, 2)[:, ::2], CUBE, 0.0, jitter, 0.1, 0.0, 9)
