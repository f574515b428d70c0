"""Tracing against its reference, which looks at every sample, and against media in closed form."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from teacher.errors import UserError
from teacher.ops.hash_encode import HashGrid
from teacher.ops.occupancy import occupancy_bits
from teacher.ops.radiance import FieldWeights
from teacher.ops.trace import Space, reference, trace, visible_samples
from teacher.rays import Samples
from tests.kernels import running, threads

CUBE = torch.tensor([[-1.0] * 3, [1.0] * 3])
GRID = HashGrid(levels=4, features=4, log2_size=10, base=4, finest=32)
every_way = pytest.mark.parametrize("way", ["c++", "reference"])


def _weights(codes: int = 0, thickness: float = 3.0) -> FieldWeights:
    """A field of soft clouds: some rays go through, some end within a few samples."""
    generator = torch.Generator().manual_seed(3)

    def network(*sizes: int) -> tuple[Tensor, ...]:
        pairs = itertools.pairwise(sizes)
        return tuple(torch.randn(b, a, generator=generator) * (2 / a) ** 0.5 for a, b in pairs)

    table = torch.randn(GRID.entries, GRID.features, generator=generator)
    density_net, colour_net = network(16, 24, 16), network(31 + codes, 24, 24, 3)
    density_net[1][0] *= thickness
    return FieldWeights(GRID, table, density_net, colour_net)


def _space(cascades: int = 1, cells: int = 16, cone_angle: float = 0.0) -> Space:
    """A third of the cells are occupied."""
    generator = torch.Generator().manual_seed(4)
    density = torch.rand(cascades, cells, cells, cells, generator=generator)
    bits = occupancy_bits((density > 0.67).float(), 0.5)
    return Space(bits, CUBE * 2.0 ** (cascades - 1), 0.1, 0.03, cone_angle, 256)


def _rays(count: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    origins = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1) * 2.5
    aims = 1.4 * torch.rand(count, 3, generator=generator) - 0.7
    directions = torch.nn.functional.normalize(aims - origins, dim=1)
    return origins, directions, torch.rand(count, generator=generator)


def _assert_same(actual: Samples, expected: Samples) -> None:
    """But for one ray in fifty, which may have a sample whose weight is on the threshold."""
    same = actual.offsets.diff() == expected.offsets.diff()
    assert (~same).sum() <= len(same) // 50
    ours, theirs = (s.t_starts[same[s.ray_indices.long()]] for s in (actual, expected))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("count", [1, 127, 300])
@pytest.mark.parametrize("cascades", [1, 3])
@pytest.mark.parametrize("cone_angle", [0.0, 0.02])
def test_visible_samples_are_the_references(count: int, cascades: int, cone_angle: float) -> None:
    """The same samples of the same rays, in order, but for the few whose weight is on the threshold."""
    weights, space = _weights(), _space(cascades, cone_angle=cone_angle)
    with running("c++"):
        found = visible_samples(*_rays(count), space, weights)
    expected = reference.visible_samples(*_rays(count), space, weights)
    assert found.samples.offsets.dtype == torch.int32
    assert int(found.looked) <= int(expected.looked)
    _assert_same(found.samples, expected.samples)
    for r, (a, b) in enumerate(itertools.pairwise(found.samples.offsets.tolist())):
        assert (found.samples.ray_indices[a:b] == r).all()
        assert (found.samples.t_starts[a:b].diff() > 0).all()


@pytest.mark.parametrize("codes", [0, 3])
@pytest.mark.parametrize("cascades", [1, 2])
def test_what_rays_see_is_the_references(codes: int, cascades: int) -> None:
    """Colour, alpha and depth, through clouds and through what is nearly opaque."""
    of_rays = torch.randn(300, codes, generator=torch.Generator().manual_seed(6))
    for thickness in (0.5, 6.0):
        weights, space = _weights(codes, thickness), _space(cascades)
        origins, directions, jitter = _rays(300)
        arguments = (origins, directions, of_rays, jitter, space, weights)
        with running("c++"):
            found = trace(*arguments)
        expected = reference.trace(*arguments)
        torch.testing.assert_close(found.rgba, expected.rgba, atol=5e-4, rtol=0)
        torch.testing.assert_close(found.depth, expected.depth, atol=2e-3, rtol=0)
        assert expected.rgba[:, 3].max() > 0.5
    assert int(found.looked) < 0.9 * int(expected.looked)  # little behind the surface


def _homogeneous(log_density: float) -> FieldWeights:
    """Density exp(log_density) everywhere, colour 1/2."""
    raw = torch.zeros(16, 8)
    raw[0, 0] = log_density + 1
    hidden = torch.zeros(8, GRID.width)
    hidden[0, 0] = 1.0
    ones = torch.ones(GRID.entries, GRID.features)
    return FieldWeights(GRID, ones, (hidden, raw), (torch.zeros(8, 31), torch.zeros(3, 8)))


@every_way
def test_a_homogeneous_cube_obeys_beer_lambert(way: str) -> None:
    """alpha = 1 - exp(-density * length), colour half of it, depth the expected free path."""
    density, length = 1.7, 2.0
    space = Space(torch.full((1, 64), 255, dtype=torch.uint8), CUBE, 0.0, 0.004, 0.0, 1000)
    origins, directions = torch.tensor([[-3.0, 0.1, 0.2]]), torch.tensor([[1.0, 0.0, 0.0]])
    with running(way):
        seen = trace(
            *(origins, directions, torch.zeros(1, 0), torch.zeros(1), space),
            _homogeneous(math.log(density)),
            early_stop=0.0,
            cull=0.0,
        )
    gone = math.exp(-density * length)
    alpha = 1 - gone
    path = 2 * alpha + 1 / density - (length + 1 / density) * gone
    torch.testing.assert_close(seen.rgba[0], torch.tensor([alpha / 2] * 3 + [alpha]))
    assert float(seen.depth) == pytest.approx(path, abs=1e-5)
    assert int(seen.looked) == 500


@every_way
def test_an_opaque_cube_is_looked_at_no_further_than_its_surface(way: str) -> None:
    """One sample per ray is kept; the kernel looks at no more than one wave of it."""
    space = Space(torch.full((1, 64), 255, dtype=torch.uint8), CUBE, 0.0, 0.01, 0.0, 1000)
    origins, directions, jitter = _rays(200)
    with running(way):
        found = visible_samples(origins, directions, jitter, space, _homogeneous(9.0))
    assert (found.samples.offsets.diff() == 1).all()
    if way == "c++":
        assert int(found.looked) <= 16 * 200


@every_way
def test_rays_that_hit_nothing_see_nothing(way: str) -> None:
    origins = torch.tensor([[0.0, 0.0, 5.0], [0.0, 0.0, 5.0]])
    directions = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    with running(way):
        seen = trace(origins, directions, torch.zeros(2, 0), torch.zeros(2), _space(), _weights())
        found = visible_samples(origins, directions, torch.zeros(2), _space(), _weights())
        nothing = origins[:0]
        none = trace(nothing, nothing, torch.zeros(0, 0), torch.zeros(0), _space(), _weights())
    assert not seen.rgba.any() and not seen.depth.any()
    assert found.samples.offsets.tolist() == [0, 0, 0]
    assert none.rgba.shape == (0, 4)


def test_the_number_of_threads_does_not_matter() -> None:
    weights, space = _weights(), _space()
    found = []
    for count in (1, 3):
        with running("c++"), threads(count):
            found.append(vars(visible_samples(*_rays(500), space, weights).samples))
    assert all(
        torch.equal(found[0][name], found[1][name])
        for name in ("ray_indices", "t_starts", "t_ends", "offsets")
    )


def test_no_ray_has_more_than_its_most_samples() -> None:
    space = _space()._replace(max_samples=5)
    with running("c++"):
        found = visible_samples(*_rays(50), space, _weights(thickness=0.1), 0.0, 0.0)
    assert found.samples.offsets.diff().max() == 5


def test_a_lattice_without_a_step_is_refused() -> None:
    with pytest.raises(UserError, match="trace: the lattice"):
        visible_samples(*_rays(1), _space()._replace(step=0.0), _weights())
