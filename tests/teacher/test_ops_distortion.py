"""The distortion against its reference, brute force, finite differences and numbers by hand."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from teacher.errors import UserError
from teacher.ops.distortion import distortion, reference
from tests.kernels import assert_agree, discrepancy, every_way, packed, running, slope, threads

COUNTS = (3, 0, 17, 1, 0, 40, 2)
"""Samples of each ray."""


def _inputs(counts: tuple[int, ...] = COUNTS, seed: int = 0) -> tuple[Tensor, ...]:
    """Weights, starts, ends, offsets."""
    generator = torch.Generator().manual_seed(seed)
    starts, ends, offsets = packed(counts, generator)
    return torch.rand(len(starts), generator=generator), starts, ends, offsets


def _with_grad(op: Callable[..., Tensor], *inputs: Tensor) -> tuple[Tensor, Tensor]:
    weights = inputs[0].clone().requires_grad_()
    spread = op(weights, *inputs[1:])
    grad = torch.linspace(-1, 2, len(spread)).to(spread)
    (of_weights,) = torch.autograd.grad(spread, weights, grad)
    return spread, of_weights


def _brute_force(weights: Tensor, starts: Tensor, ends: Tensor, offsets: Tensor) -> Tensor:
    """Equation 15 as it is written: a double sum for each ray, in float64."""
    weights, starts, ends = weights.double(), starts.double(), ends.double()
    rays = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    spreads = []
    for first, last in rays:
        w, a, b = (x[first:last] for x in (weights, starts, ends))
        m = (a + b) / 2
        between = (w[:, None] * w * (m[:, None] - m).abs()).sum()
        spreads.append(between + (w.square() * (b - a)).sum() / 3)
    return torch.stack(spreads)


@every_way
def test_two_samples_by_hand(way: str) -> None:
    """Intervals [0, 1] and [1, 4] of weights 1/2 and 1/4; middles 1/2 and 5/2.

    Between: 2 * 1/2 * 1/4 * 2 = 1/2. Within: (1/4 * 1 + 1/16 * 3) / 3 = 7/48.
    d/dw_1 = 2 * 1/4 * 2 + 2/3 * 1/2 * 1 = 4/3; d/dw_2 = 2 * 1/2 * 2 + 2/3 * 1/4 * 3 = 5/2.
    """
    with running(way) as device:
        weights = torch.tensor([0.5, 0.25], device=device, requires_grad=True)
        t = torch.tensor([0.0, 1.0, 4.0], device=device)
        offsets = torch.tensor([0, 2], dtype=torch.int32, device=device)
        spread = distortion(weights, t[:-1], t[1:], offsets)
        spread.sum().backward()
    assert spread.item() == pytest.approx(1 / 2 + 7 / 48)
    assert weights.grad is not None
    assert weights.grad.tolist() == pytest.approx([4 / 3, 5 / 2])


@every_way
def test_kernel_equals_reference(way: str) -> None:
    """Forward and backward, against the reference in float64."""
    inputs = _inputs()
    expected = _with_grad(reference.distortion, *(x.double() for x in inputs[:3]), inputs[3])
    with running(way) as device:
        actual = _with_grad(distortion, *(x.to(device) for x in inputs))
    assert_agree(actual, expected)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.integers(0, 1000))
def test_sweeps_equal_the_double_sum(counts: list[int], seed: int) -> None:
    """Linear time gives what the quadratic definition does."""
    inputs = _inputs(tuple(counts), seed)
    with running("c++"):
        assert discrepancy(distortion(*inputs), _brute_force(*inputs)) < 1e-5


@every_way
def test_gradients_are_the_definitions_slopes(way: str) -> None:
    """Along a random direction, by central differences of the double sum."""
    inputs = _inputs()
    change = torch.randn(len(inputs[0]), generator=torch.Generator().manual_seed(1))
    with running(way) as device:
        _, of_weights = _with_grad(distortion, *(x.to(device) for x in inputs))
    grad = torch.linspace(-1, 2, len(COUNTS)).double()
    along = slope(lambda w: (_brute_force(w, *inputs[1:]) * grad).sum(), inputs[0], change)
    assert (of_weights.cpu() * change).sum().item() == pytest.approx(along.item(), rel=1e-5)


def test_the_reference_passes_gradcheck() -> None:
    """In float64."""
    weights, starts, ends, offsets = _inputs((3, 0, 2))
    rest = (starts.double(), ends.double(), offsets)
    weights = weights.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: reference.distortion(w, *rest), weights)


@every_way
def test_it_measures_lengths(way: str) -> None:
    """Moving a ray's samples away changes nothing, stretching them by s multiplies by s."""
    weights, starts, ends, offsets = _inputs()
    with running(way) as device:
        w, a, b, o = (x.to(device) for x in (weights, starts, ends, offsets))
        at_home, stretched = distortion(w, a, b, o), distortion(w, 8 * a, 8 * b, o)
        a, b = ((x * 1024).round() / 1024 for x in (a, b))  # far away, floats are as coarse as that
        near, far = (distortion(w, a + s, b + s, o) for s in (0, 4096))
    assert_agree([stretched, far], [8 * at_home, near])


def test_the_number_of_threads_does_not_matter() -> None:
    """Losses and gradients are equal bit for bit."""
    inputs = _inputs(tuple(i % 50 for i in range(400)))
    results = []
    for count in (1, 2, 3):
        with running("c++"), threads(count):
            results.append(_with_grad(distortion, *inputs))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("counts", [(), (0, 0, 0)])
@every_way
def test_no_rays_and_no_samples(way: str, counts: tuple[int, ...]) -> None:
    """Rays without samples are not spread at all."""
    with running(way) as device:
        spread, of_weights = _with_grad(distortion, *(x.to(device) for x in _inputs(counts)))
    assert spread.tolist() == [0.0] * len(counts)
    assert of_weights.shape == (0,)


def test_wrong_inputs_are_refused() -> None:
    """Weights that are not float32."""
    weights, *rest = _inputs()
    with pytest.raises(UserError, match="distortion: weights"):
        distortion(weights.double(), *rest)
