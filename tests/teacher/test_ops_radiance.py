"""The fused field on the CPU against its reference, finite differences, and a field worked by hand."""

import itertools
import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from teacher.errors import UserError
from teacher.ops.hash_encode import HashGrid
from teacher.ops.radiance import (
    FieldWeights,
    Radiance,
    cpu,
    point_density,
    radiance,
    reference,
)
from tests.kernels import assert_agree, discrepancy, running, slope, threads

GRID = HashGrid(levels=4, features=4, log2_size=9, base=4, finest=40)
SHAPES = {
    "as presets have it": (GRID, 64, 1, 2, 0),
    "codes, deeper": (GRID, 64, 2, 3, 5),
    "narrow, one layer each": (HashGrid(levels=3, features=2, log2_size=9, finest=40), 24, 1, 1, 0),
}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
every_way = pytest.mark.parametrize("way", ["c++", "reference"])


def _weights(
    grid: HashGrid, width: int, density_layers: int, colour_layers: int, codes: int
) -> FieldWeights:
    generator = torch.Generator().manual_seed(0)

    def network(inputs: int, hidden: int, outputs: int) -> tuple[Tensor, ...]:
        sizes = itertools.pairwise([inputs, *[width] * hidden, outputs])
        return tuple(torch.randn(b, a, generator=generator) * (2 / a) ** 0.5 for a, b in sizes)

    table = torch.randn(grid.entries, grid.features, generator=generator)
    density_net = network(grid.width, density_layers, 16)
    return FieldWeights(grid, table, density_net, network(31 + codes, colour_layers, 3))


def _inputs(n: int, codes: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    directions = torch.nn.functional.normalize(torch.randn(n, 3, generator=generator), dim=1)
    return (
        torch.rand(n, 3, generator=generator),
        directions,
        torch.randn(n, codes, generator=generator),
    )


def _smooth(inputs: Sequence[Tensor], weights: FieldWeights) -> list[Tensor]:
    """The inputs at which the field is smooth: not where rounding decides on which side of a kink one is."""
    points, directions, codes = (x.double() for x in inputs)
    weights = _cast(weights, torch.float64)
    keep = torch.ones(len(points), dtype=torch.bool)
    for level in weights.grid.layout:
        position = points * level.scale + 0.5
        keep &= ((position - position.round()).abs() > 1e-4).all(1)
    x = reference.hash_encode(points, weights.table, weights.grid)
    for index, net in enumerate(weights[2:4]):
        for matrix in net[:-1]:
            x = x @ matrix.T
            keep &= (x.abs() > 1e-5).all(1)
            x = x.relu()
        raw = x @ net[-1].T
        if index == 0:
            harmonics = reference.spherical_harmonics(directions)
            x = torch.cat([raw[:, 1:], harmonics, codes], 1)
    return [x[keep] for x in inputs]


def _leaves(weights: FieldWeights) -> list[Tensor]:
    return [weights.table, *weights.density_net, *weights.colour_net]


def _cast(weights: FieldWeights, dtype: torch.dtype, grad: bool = False) -> FieldWeights:
    def leaf(x: Tensor) -> Tensor:
        return x.detach().to(dtype, copy=True).requires_grad_(grad)

    density_net, colour_net = (tuple(map(leaf, net)) for net in weights[2:4])
    return FieldWeights(weights.grid, leaf(weights.table), density_net, colour_net, weights.mixed)


def _with_grads(
    op: Callable[..., Radiance], weights: FieldWeights, inputs: Sequence[Tensor]
) -> list[Tensor]:
    """Density, colour, and the gradients of a random sum of them by all inputs and weights."""
    weights = _cast(weights, inputs[0].dtype, grad=True)
    inputs = [x.clone().requires_grad_() for x in inputs]
    generator = torch.Generator().manual_seed(2)
    density, colour = op(*inputs, weights)
    wanted = [torch.randn(y.shape, generator=generator).to(y.dtype) for y in (density, colour)]
    leaves = [x for x in (*inputs, *_leaves(weights)) if x.numel()]
    return [density, colour, *torch.autograd.grad((density, colour), leaves, wanted)]


@every_shape
@pytest.mark.parametrize("n", [1, 33, 1200])
def test_values_and_gradients_are_the_references(
    shape: tuple[HashGrid, int, int, int, int], n: int
) -> None:
    """Within float32's rounding of what plain torch finds in float64, for whole and broken tiles."""
    weights = _weights(*shape)
    inputs = _smooth(_inputs(n, shape[-1]), weights)
    assert len(inputs[0]) > 0.9 * n
    with running("c++"):
        found = _with_grads(radiance, weights, inputs)
        density = point_density(inputs[0], weights)
    expected = _with_grads(reference.radiance, weights, [x.double() for x in inputs])
    assert_agree(found, expected)
    assert torch.equal(density, found[0])


def test_mixed_precision_is_off_by_the_rounding_of_bfloat16() -> None:
    """Eight bits of mantissa, rounded once per layer: values to 2^-7 of the largest, gradients to 2^-5 in the mean.

    Where the processor has no bfloat16 the results are float32's.
    """
    weights = _weights(GRID, 64, 1, 2, 0)
    inputs = _smooth(_inputs(1200, 0), weights)
    with running("c++"):
        exact = _with_grads(radiance, weights, inputs)
        mixed = _with_grads(radiance, weights._replace(mixed=True), inputs)
        density = point_density(inputs[0], weights._replace(mixed=True))
    assert torch.equal(density, mixed[0])
    logs = [x[0].detach().log() for x in (mixed, exact)]
    torch.testing.assert_close(*logs, atol=2**-7 * float(logs[1].abs().max()), rtol=0)
    torch.testing.assert_close(mixed[1], exact[1], atol=2**-6, rtol=0)
    for a, b in zip(mixed[2:], exact[2:], strict=True):
        assert float((a - b).norm() / b.norm()) < 2**-3
        assert float((a * b).sum() / (a.norm() * b.norm())) > 1 - 2**-6


@every_way
def test_no_points_have_no_radiance_but_zero_gradients(way: str) -> None:
    with running(way):
        found = _with_grads(radiance, _weights(GRID, 64, 1, 2, 0), _inputs(0, 0))
    assert [len(x) for x in found[:2]] == [0, 0]
    assert all(not gradient.any() for gradient in found[2:])


@every_way
def test_a_field_worked_by_hand(way: str) -> None:
    """One level, all features 1: hidden units pass them on, raw 0 is their sum, red reads the harmonic of y."""
    grid = HashGrid(levels=1, features=2, log2_size=9, base=4, finest=4)
    raw, colour = torch.zeros(16, 8), torch.zeros(8, 31)
    raw[0] = 1.0
    colour[0, 15 + 1] = 2.0  # the first harmonic of degree 1, 0.4886 y
    last = torch.zeros(3, 8)
    last[0, 0], last[1, 0] = 1.0, -1.0
    hidden = torch.zeros(8, 2)
    hidden[0, 0], hidden[1, 1], hidden[2, 0] = 0.5, 0.25, -3.0  # the last is cut off by the ReLU
    weights = FieldWeights(grid, torch.ones(grid.entries, 2), (hidden, raw), (colour, last))
    directions = torch.tensor([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])
    with running(way):
        density, rgb = radiance(torch.rand(2, 3), directions, torch.zeros(2, 0), weights)
    logit = 2 * 0.4886025119029199
    lit = [1 / (1 + math.exp(-x)) for x in (logit, -logit, 0.0)]
    torch.testing.assert_close(density, torch.full((2,), math.exp(0.75 - 1)))
    torch.testing.assert_close(rgb, torch.tensor([lit, [0.5, 0.5, 0.5]]))


@every_way
def test_gradients_are_slopes(way: str) -> None:
    """Against central differences of the reference in float64, along random directions."""
    weights, inputs = _weights(GRID, 24, 1, 1, 3), _inputs(40, 3)
    with running(way):
        _, _, *gradients = _with_grads(radiance, weights, inputs)
    generator = torch.Generator().manual_seed(2)
    wanted = torch.randn(40, generator=generator), torch.randn(40, 3, generator=generator)
    exact = _cast(weights, torch.float64)
    double = [x.double() for x in inputs]

    def loss(index: int, value: Tensor) -> Tensor:
        given = [*double, *_leaves(exact)]
        given[index] = value
        matrices = given[4:]
        changed = FieldWeights(GRID, given[3], tuple(matrices[:2]), tuple(matrices[2:]))
        points, directions, codes = given[:3]
        found = reference.radiance(points, directions, codes, changed)
        return sum(((y * w).sum() for y, w in zip(found, wanted, strict=True)), torch.zeros(()))

    for index, gradient in enumerate(gradients):
        at = [*double, *_leaves(exact)][index]
        direction = torch.randn(at.shape, generator=generator)
        if index == 0:
            direction *= 1e-3  # steps smaller than cells: the encoding has kinks at their faces
        expected = slope(lambda x, i=index: loss(i, x), at, direction)
        assert discrepancy((gradient * direction).sum(), expected) < 2e-3, index


def test_the_number_of_threads_does_not_matter() -> None:
    weights, inputs = _weights(GRID, 64, 1, 2, 0), _inputs(3000, 0)
    found = []
    for count in (1, 3):
        with running("c++"), threads(count):
            found.append(_with_grads(radiance, weights, inputs))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@every_way
def test_points_that_are_nowhere_are_clamped(way: str) -> None:
    """Outside the cube as on its faces; NaN as the corner at the origin."""
    weights = _weights(GRID, 64, 1, 2, 0)
    points = torch.tensor([[2.0, 0.5, -math.inf], [math.nan, 0.5, 0.5]])
    clamped = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.5, 0.5]])
    with running(way):
        assert torch.equal(point_density(points, weights), point_density(clamped, weights))


def test_huge_densities_are_finite_and_so_are_their_gradients() -> None:
    """exp stops at e^15, and its gradient is that of e^15 beyond."""
    weights = _weights(GRID, 24, 1, 1, 0)
    weights.density_net[1].mul_(1e4)
    with running("c++"):
        density, _, *gradients = _with_grads(radiance, weights, _inputs(50, 0))
    assert float(density.detach().max()) == pytest.approx(math.exp(15), rel=1e-5)
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_shapes_that_the_kernels_do_not_fit_run_as_the_reference() -> None:
    """Two widths in one field: slower, but right."""
    weights = _weights(GRID, 24, 1, 1, 0)
    weights = weights._replace(colour_net=(torch.ones(8, 31), torch.ones(3, 8)))
    assert not cpu.fits(weights)
    inputs = _inputs(5, 0)
    with running("c++"):
        assert_agree(radiance(*inputs, weights), reference.radiance(*inputs, weights))


@pytest.mark.parametrize("wrong", ["points", "table", "matrix", "outputs"])
def test_what_does_not_fit_is_named(wrong: str) -> None:
    weights, (points, directions, codes) = _weights(GRID, 24, 1, 1, 0), _inputs(5, 0)
    match wrong:
        case "points":
            points = points.double()
        case "table":
            weights = weights._replace(table=weights.table[:-1])
        case "matrix":
            weights = weights._replace(density_net=(torch.ones(24, 3), torch.ones(16, 24)))
        case "outputs":
            weights = weights._replace(colour_net=(torch.ones(24, 31), torch.ones(4, 24)))
    with pytest.raises(UserError, match=f"radiance: .*{wrong}"):
        radiance(points, directions, codes, weights)
