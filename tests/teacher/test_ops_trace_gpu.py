"""Tracing on tensor cores, thread by thread, against its definition and against media in closed form.

The definition is that of reference.py with activations rounded where the kernels round them, and weights that
float16 has. What is left is the order of float32 sums, which now and then rounds an activation the other way:
U = 2^-11 of it. Logarithms of density are off by no more than that times a weight, and colours by less.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from teacher.encodings.directional import spherical_harmonics
from teacher.errors import UserError
from teacher.ops import build
from teacher.ops.hash_encode import HashGrid
from teacher.ops.hash_encode import reference as encoding
from teacher.ops.launch import Blocks
from teacher.ops.occupancy import occupancy_bits
from teacher.ops.radiance import FieldWeights, Radiance
from teacher.ops.radiance.cuda import backward_bytes, field_bytes
from teacher.ops.ray_march.reference import offsets, ray_march
from teacher.ops.resources import resources
from teacher.ops.trace import Space, Traced, Visible, cuda, reference, trace, visible_samples
from teacher.rays import Samples
from tests.emulator import order_of
from tests.kernels import WARP_WAYS, WAYS, running

U = 2.0**-11
CUBE = torch.tensor([[-1.0] * 3, [1.0] * 3])
GRIDS = {
    4: HashGrid(levels=4, features=4, log2_size=10, base=4, finest=32),
    2: HashGrid(levels=8, features=2, log2_size=10, base=4, finest=32),
}
every_warp_way = pytest.mark.parametrize("way", WARP_WAYS)


def _half(x: Tensor) -> Tensor:
    return x.half().float()


def _weights(codes: int = 0, thickness: float = 3.0, features: int = 4) -> FieldWeights:
    """A field of soft clouds: some rays go through, some end within a few samples."""
    generator, grid = torch.Generator().manual_seed(3), GRIDS[features]

    def network(*sizes: int) -> tuple[Tensor, ...]:
        pairs = itertools.pairwise(sizes)
        return tuple(torch.randn(b, a, generator=generator) * (2 / a) ** 0.5 for a, b in pairs)

    table = torch.randn(grid.entries, grid.features, generator=generator)
    density_net, colour_net = network(16, 32, 16), network(31 + codes, 32, 32, 3)
    density_net[1][0] *= thickness
    density_net, colour_net = (tuple(map(_half, net)) for net in (density_net, colour_net))
    return FieldWeights(grid, _half(table), density_net, colour_net)


def _space(cascades: int = 1, cone_angle: float = 0.0, step: float = 0.03) -> Space:
    """A third of the cells are occupied."""
    generator = torch.Generator().manual_seed(4)
    density = torch.rand(cascades, 16, 16, 16, generator=generator)
    bits = occupancy_bits(density, torch.tensor(0.67))
    return Space(bits, CUBE * 2.0 ** (cascades - 1), 0.1, step, cone_angle, 256)


def _rays(count: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    origins = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1) * 2.5
    aims = 1.4 * torch.rand(count, 3, generator=generator) - 0.7
    directions = torch.nn.functional.normalize(aims - origins, dim=1)
    return origins, directions, torch.rand(count, generator=generator)


def _codes(rays: int, codes: int) -> Tensor:
    return _half(torch.randn(rays, codes, generator=torch.Generator().manual_seed(6)))


def _on(device: torch.device, *arguments: Any) -> tuple[Any, ...]:
    """Tensors, and those in tuples, moved to `device`."""

    def move(x: Any) -> Any:
        if isinstance(x, tuple):
            parts = map(move, x)
            return type(x)(*parts) if hasattr(x, "_fields") else tuple(parts)
        return x.to(device) if isinstance(x, Tensor) else x

    return tuple(map(move, arguments))


def _network(x: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    for matrix in matrices[:-1]:
        x = _half(torch.relu(x @ matrix.T))
    return x @ matrices[-1].T


def _rounded_raw(points: Tensor, weights: FieldWeights) -> Tensor:
    encoded = encoding.hash_encode(points, weights.table, weights.grid)
    return _network(_half(encoded), weights.density_net)


def _rounded_density(points: Tensor, weights: FieldWeights) -> Tensor:
    return (_rounded_raw(points, weights)[:, 0] - 1).clamp_max(15).exp()


def _rounded_radiance(
    points: Tensor, directions: Tensor, codes: Tensor, weights: FieldWeights
) -> Radiance:
    raw = _rounded_raw(points, weights)
    inputs = _half(torch.cat([raw[:, 1:], spherical_harmonics(directions), codes], 1))
    colour = torch.sigmoid(_network(inputs, weights.colour_net))
    return Radiance((raw[:, 0] - 1).clamp_max(15).exp(), colour)


@contextmanager
def _rounding() -> Iterator[None]:
    """The reference inside the block rounds as the kernels do."""
    with (
        patch.object(reference, "point_density", _rounded_density),
        patch.object(reference, "radiance", _rounded_radiance),
    ):
        yield


def _traced(*arguments: Any, **options: float) -> Traced:
    with _rounding():
        return reference.trace(*arguments, **options)


def _expected(*arguments: Any, **options: Any) -> Visible:
    with _rounding():
        return reference.visible_samples(*arguments, **options)


def _looked(rays: tuple[Tensor, Tensor, Tensor], space: Space, weights: FieldWeights) -> int:
    """Samples that light reaches."""
    with _rounding():
        _, weight, _ = reference._weigh(*rays, space, weights, early_stop=1e-4)
    return int((weight > 0).sum())


def _assert_same(actual: Samples, expected: Samples) -> None:
    """Bit for bit, but for one ray in fifty, which may have a sample whose weight is on the threshold."""
    same = (actual.offsets.diff() == expected.offsets.diff()).cpu()
    assert (~same).sum() <= len(same) // 50
    for name in ("ray_indices", "t_starts", "t_ends"):
        ours, theirs = (
            getattr(s, name).cpu()[same[s.ray_indices.long().cpu()]] for s in (actual, expected)
        )
        assert torch.equal(ours, theirs), name


@every_warp_way
@pytest.mark.parametrize(("features", "codes"), [(4, 0), (2, 3)])
@pytest.mark.parametrize(("cascades", "cone_angle"), [(1, 0.0), (2, 0.0), (2, 0.02)])
def test_what_rays_see_is_the_references(
    way: str, features: int, codes: int, cascades: int, cone_angle: float
) -> None:
    """Colour, alpha, depth, and how many samples it took; through clouds and what is nearly opaque."""
    origins, directions, jitter = _rays(70)
    space = _space(cascades, cone_angle)
    for thickness in (0.5, 12.0):
        weights = _weights(codes, thickness, features)
        arguments = (origins, directions, _codes(70, codes), jitter, space, weights)
        with running(way) as device:
            found = trace(*_on(device, *arguments))
        expected = _traced(*arguments)
        assert expected.rgba[:, 3].max() > 0.3
        torch.testing.assert_close(found.rgba.cpu(), expected.rgba, atol=U, rtol=0)
        torch.testing.assert_close(found.depth.cpu(), expected.depth, atol=4 * U, rtol=0)
        looked = _looked((origins, directions, jitter), space, weights)
        assert abs(int(found.looked) - looked) <= 0.002 * looked


@every_warp_way
def test_early_stop_and_cull_are_the_references(way: str) -> None:
    """Faint samples are left out, and rays end early, as the reference has it."""
    origins, directions, jitter = _rays(100)
    arguments = (origins, directions, _codes(100, 3), jitter, _space(), _weights(3, 3.0, 2))
    whole = _traced(*arguments)
    for options in ({"early_stop": 0.2}, {"cull": 0.02}):
        with running(way) as device:
            found = trace(*_on(device, *arguments), **options)
        expected = _traced(*arguments, **options)
        assert (expected.rgba[:, 3] < whole.rgba[:, 3] - 0.01).sum() > 10
        # One ray in fifty may have a sample on a threshold.
        error = (found.rgba.cpu() - expected.rgba).abs().amax(1)
        assert (error > U).sum() <= 2


@every_warp_way
@pytest.mark.parametrize("count", [1, 33, 100])
@pytest.mark.parametrize(("cascades", "cone_angle"), [(1, 0.0), (2, 0.0), (2, 0.02)])
def test_visible_samples_are_the_references(
    way: str, count: int, cascades: int, cone_angle: float
) -> None:
    rays, space, weights = _rays(count), _space(cascades, cone_angle), _weights()
    with running(way) as device:
        found = visible_samples(*_on(device, *rays, space, weights))
    expected = _expected(*rays, space, weights)
    assert found.samples.offsets.dtype == torch.int32
    assert found.samples.complete is None
    _assert_same(found.samples, expected.samples)
    looked = _looked(rays, space, weights)
    assert abs(int(found.looked) - looked) <= 0.002 * looked


@every_warp_way
def test_thin_air_is_visible_throughout(way: str) -> None:
    """All samples of the march, hundreds on a ray: more bits than a word has."""
    origins, directions, jitter = _rays(20)
    space, weights = _space(step=0.01), _homogeneous(-4.0)
    with running(way) as device:
        arguments = _on(device, origins, directions, jitter, space, weights)
        found = visible_samples(*arguments, cull=0.0).samples
    march = (space.bits, space.aabb, space.near, jitter, space.step, space.cone_angle)
    everything = ray_march(origins, directions, *march, space.max_samples)
    assert everything.offsets.diff().max() > 96
    assert torch.equal(found.offsets.cpu(), everything.offsets)
    _assert_same(found, everything)


@pytest.mark.parametrize("way", [*WAYS[:1], "reference", *WARP_WAYS])
def test_a_capacity_gives_the_first_rays_all_they_have(way: str) -> None:
    """Of the same samples: those of the rays that fit, and then zeros; nothing else of the others."""
    space = _space()
    with running(way) as device:
        arguments = _on(device, *_rays(70), space, _weights())
        everything = visible_samples(*arguments).samples
        total = len(everything)
        for capacity in (0, 100, total // 2, total - 1, total, total + 50):
            found = visible_samples(*arguments, capacity=capacity).samples
            bounds, complete = offsets(everything.offsets.diff(), capacity)
            used = int(bounds[-1])
            assert len(found) == capacity
            assert torch.equal(found.offsets, bounds)
            assert found.complete is not None and complete is not None
            assert torch.equal(found.complete, complete)
            for name in ("ray_indices", "t_starts", "t_ends"):
                values = getattr(found, name)
                assert torch.equal(values[:used], getattr(everything, name)[:used])
                assert not values[used:].any()
        assert bool(found.complete.all())


def test_a_negative_capacity_is_refused() -> None:
    with pytest.raises(UserError, match="visible_samples: capacity"):
        visible_samples(*_rays(1), _space(), _weights(), capacity=-1)


class _NeverWaiting(TorchDispatchMode):
    """Refuses what makes torch wait for a GPU."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        waiting = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal")
        assert func.overloadpacket.__name__ not in waiting, func
        return func(*args, **(kwargs or {}))


def test_nothing_waits_for_the_gpu() -> None:
    """Neither a picture nor a search with a capacity reads a number that the GPU has."""
    origins, directions, jitter = _rays(40)
    space, weights = _space(), _weights()
    with running("emulated"), _NeverWaiting():
        trace(origins, directions, _codes(40, 0), jitter, space, weights)
        visible_samples(origins, directions, jitter, space, weights, capacity=100)
    with running("emulated"), _NeverWaiting(), pytest.raises(AssertionError, match="scalar"):
        visible_samples(origins, directions, jitter, space, weights)


def _homogeneous(log_density: float) -> FieldWeights:
    """Density exp(log_density) everywhere, colour 1/2."""
    raw = torch.zeros(16, 32)
    raw[0, 0] = log_density + 1
    hidden = torch.zeros(32, 16)
    hidden[0, 0] = 1.0
    grid = GRIDS[4]
    ones = torch.ones(grid.entries, grid.features)
    colour = torch.zeros(32, 31), torch.zeros(32, 32), torch.zeros(3, 32)
    return FieldWeights(grid, ones, (hidden, raw), colour)


def _full() -> Tensor:
    return torch.full((1, 64), 255, dtype=torch.uint8)


@every_warp_way
def test_a_homogeneous_cube_obeys_beer_lambert(way: str) -> None:
    """alpha = 1 - exp(-density * length), colour half of it, depth the expected free path."""
    density, length = math.exp(0.5), 2.0
    space = Space(_full(), CUBE, 0.0, 0.004, 0.0, 1000)
    ray = torch.tensor([[-3.0, 0.1, 0.2]]), torch.tensor([[1.0, 0.0, 0.0]])
    with running(way) as device:
        arguments = (*ray, torch.zeros(1, 0), torch.zeros(1), space, _homogeneous(0.5))
        seen = trace(*_on(device, *arguments), early_stop=0.0, cull=0.0)
    gone = math.exp(-density * length)
    alpha = 1 - gone
    path = 2 * alpha + 1 / density - (length + 1 / density) * gone
    torch.testing.assert_close(seen.rgba[0].cpu(), torch.tensor([alpha / 2] * 3 + [alpha]))
    assert float(seen.depth) == pytest.approx(path, abs=1e-5)
    assert int(seen.looked) == 500


@every_warp_way
def test_an_opaque_cube_is_looked_at_no_further_than_its_surface(way: str) -> None:
    """One sample per ray is looked at, and kept."""
    space = Space(_full(), CUBE, 0.0, 0.01, 0.0, 1000)
    with running(way) as device:
        found = visible_samples(*_on(device, *_rays(200), space, _homogeneous(9.0)))
    assert (found.samples.offsets.diff() == 1).all()
    assert int(found.looked) == 200


@every_warp_way
def test_rays_that_hit_nothing_see_nothing(way: str) -> None:
    """Those that miss, those that are no rays at all, and no rays."""
    nan = float("nan")
    origins = torch.tensor([[0.0, 0.0, 5.0], [0.0, 0.0, 5.0], [0.0, nan, 0.0], [0.0, 0.0, 0.0]])
    directions = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [nan, 0.0, 0.0]])
    none = torch.zeros(4, 0)
    space, weights = _space(), _weights()
    with running(way) as device:
        arguments = _on(device, origins, directions, none, torch.zeros(4), space, weights)
        seen = trace(*arguments)
        found = visible_samples(*arguments[:2], *arguments[3:])
        nobody = (x[:0] for x in arguments[:4])
        of_nobody = trace(*nobody, *arguments[4:])
    assert not seen.rgba.any() and not seen.depth.any()
    assert found.samples.offsets.tolist() == [0, 0, 0, 0, 0]
    assert int(seen.looked) == int(found.looked) == 0
    assert of_nobody.rgba.shape == (0, 4)


@every_warp_way
def test_no_ray_has_more_than_its_most_samples(way: str) -> None:
    space = _space()._replace(max_samples=5)
    with running(way) as device:
        arguments = _on(device, *_rays(50), space, _weights(thickness=0.1))
        found = visible_samples(*arguments, early_stop=0.0, cull=0.0)
    assert found.samples.offsets.diff().max() == 5


def _everything(rays: tuple[Tensor, ...], space: Space) -> list[Tensor]:
    origins, directions, jitter = rays
    weights = _weights(codes=3, features=2)
    seen = trace(origins, directions, _codes(len(origins), 3), jitter, space, weights)
    found = visible_samples(origins, directions, jitter, space, weights)
    s = found.samples
    return [*seen, found.looked, s.ray_indices, s.t_starts, s.t_ends, s.offsets]


def test_who_follows_a_ray_does_not_matter() -> None:
    """One block or two, with their warps in any order, give the same bits."""
    rays, space = _rays(300), _space()
    with running("emulated"):
        expected = _everything(rays, space)
        for blocks, seed in ((1, 1), (2, 7)):
            with patch.object(cuda, "_blocks", _exactly(blocks)), order_of(seed):
                found = _everything(rays, space)
            assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def _exactly(count: int) -> Callable[..., Blocks]:
    return lambda rays, device, shared: Blocks(count, 256, shared)


@every_warp_way
def test_a_ray_sees_the_same_in_any_company(way: str) -> None:
    """Rays in another order, or few of them, get what they got among all."""
    origins, directions, jitter = _rays(100)
    order = torch.randperm(100, generator=torch.Generator().manual_seed(8))
    space, weights, none = _space(), _weights(), torch.zeros(100, 0)
    with running(way) as device:
        everything = _on(device, origins, directions, none, jitter)
        rest = _on(device, space, weights)
        expected = trace(*everything, *rest)
        for some in (order, order[:3]):
            found = trace(*(x[some.to(device)] for x in everything), *rest)
            assert torch.equal(found.rgba.cpu(), expected.rgba.cpu()[some])
            assert torch.equal(found.depth.cpu(), expected.depth.cpu()[some])


@pytest.mark.parametrize("bytes_of", ["_POINTS_BYTES", "_DESK_BYTES"])
def test_shared_memory_is_what_is_needed(bytes_of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for all warps of a block but one, that one writes beyond it."""
    monkeypatch.setattr(cuda, bytes_of, getattr(cuda, bytes_of) * 7 // 8)
    rays, space = _rays(300), _space()
    with running("emulated"), pytest.raises(RuntimeError, match="shared memory"):
        _everything(rays, space)


def test_what_fits_the_backward_pass_fits_here() -> None:
    """`fits` of radiance/cuda.py looks at the shared memory of its backward pass alone."""
    for features in GRIDS:
        weights = _weights(features=features)
        assert backward_bytes(weights) - field_bytes(weights) >= cuda._WARPS * cuda._DESK_BYTES


@pytest.mark.skipif(not build.has_nvrtc(), reason="NVRTC is not installed (extra: nvrtc)")
@pytest.mark.parametrize(("levels", "features"), [(16, 2), (8, 4)])
def test_rays_stay_in_registers(levels: int, features: int) -> None:
    """Nothing is spilled, and two blocks fit a multiprocessor's 65536 registers."""
    grid = HashGrid(levels=levels, features=features)
    net = torch.zeros(64, 32), torch.zeros(16, 64)
    colour = torch.zeros(64, 31), torch.zeros(64, 64), torch.zeros(3, 64)
    weights = FieldWeights(grid, torch.zeros(1, features), net, colour)
    source = cuda._kernels(weights).source()
    for name, taken in resources(build.compile_cubin(source, "sm_90", ("-fmad=false",))).items():
        assert taken.local == 0, name
        assert taken.registers * 32 * cuda._WARPS * cuda._BLOCKS <= 65536, name
