"""Compositing against its reference, finite differences, numbers by hand, and optics."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from teacher.errors import UserError
from teacher.ops.composite import Composite, composite, reference
from tests.kernels import assert_agree, every_way, packed, running, slope, threads

COUNTS = (3, 0, 17, 1, 0, 40, 2)
"""Samples of each ray."""
LN2 = math.log(2)


def _inputs(channels: int, counts: tuple[int, ...] = COUNTS, seed: int = 0) -> tuple[Tensor, ...]:
    """Density (from thin to opaque), colour, starts, ends, offsets."""
    generator = torch.Generator().manual_seed(seed)
    starts, ends, offsets = packed(counts, generator)
    density = 200 * torch.rand(len(starts), generator=generator) ** 4
    colour = torch.rand(len(starts), channels, generator=generator)
    return density, colour, starts, ends, offsets


def _cotangents(outputs: Composite) -> list[Tensor]:
    """The gradient of some loss with respect to each output: the same numbers in every type."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(o.shape, generator=generator).to(o) for o in outputs]


def _with_grads(
    op: Callable[..., Composite], *inputs: Tensor, early_stop: float = 1e-4
) -> tuple[Tensor, ...]:
    """The outputs, and the gradients of a random combination of them."""
    density, colour = (x.clone().requires_grad_() for x in inputs[:2])
    outputs = op(density, colour, *inputs[2:], early_stop)
    return *outputs, *torch.autograd.grad(outputs, (density, colour), _cotangents(outputs))


def _rays_of_one(count: int) -> Tensor:
    return torch.arange(count + 1, dtype=torch.int32)


@every_way
def test_two_samples_by_hand(way: str) -> None:
    """Each interval has length 2 and optical thickness ln 2, so it halves the light.

    weights 1/2, 1/4; colour 1/2 * (1, 0) + 1/4 * (0, 1); alpha 3/4; depth 1/2 * 1 + 1/4 * 4.
    For L = alpha: dL/dtau_i = T after everything = 1/4, times length 2 = 1/2, for both samples.
    """
    with running(way) as device:
        density = torch.full((2,), LN2 / 2, device=device, requires_grad=True)
        colour, t = torch.eye(2, device=device), torch.tensor([0.0, 3.0], device=device)
        offsets = torch.tensor([0, 2], dtype=torch.int32, device=device)
        seen = composite(density, colour, t, t + 2, offsets)
        seen.alpha.sum().backward()
    assert_agree(seen.weights.tensor_split(2), torch.tensor([0.5, 0.25]).tensor_split(2))
    assert seen.colour.tolist() == [pytest.approx([0.5, 0.25])]
    assert seen.alpha.tolist() == [pytest.approx(0.75)]
    assert seen.depth.tolist() == [pytest.approx(1.5)]
    assert density.grad is not None
    assert density.grad.tolist() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("channels", [0, 1, 3])
@every_way
def test_kernel_equals_reference(way: str, channels: int) -> None:
    """All outputs, and the gradients of all of them, against the reference in float64."""
    inputs = _inputs(channels)
    expected = _with_grads(reference.composite, *(x.double() for x in inputs[:4]), inputs[4])
    with running(way) as device:
        actual = _with_grads(composite, *(x.to(device) for x in inputs))
    assert_agree(actual, expected)


@pytest.mark.parametrize("output", range(4))
@every_way
def test_each_output_has_its_own_gradient(way: str, output: int) -> None:
    """A loss of one output alone: the kernel gets null for the other three."""
    grads = []
    for op, where in ((composite, running(way)), (reference.composite, running("c++"))):
        with where as device:
            density, colour, starts, ends, offsets = (x.to(device) for x in _inputs(3))
            leaves = density.requires_grad_(), colour.requires_grad_()
            outputs = op(*leaves, starts, ends, offsets)
            loss = (outputs[output] * _cotangents(outputs)[output]).sum()
            grads.append(torch.autograd.grad(loss, leaves, materialize_grads=True))
    assert_agree(*grads)


@every_way
def test_gradients_are_the_references_slopes(way: str) -> None:
    """Along random directions of density and colour, by central differences in float64."""
    inputs = _inputs(3)
    generator = torch.Generator().manual_seed(2)
    change, tint = (torch.randn(x.shape, generator=generator) for x in inputs[:2])
    with running(way) as device:
        *_, of_density, of_colour = _with_grads(
            composite, *(x.to(device) for x in inputs), early_stop=0.0
        )

    def loss(density: Tensor, colour: Tensor) -> Tensor:
        starts, ends, offsets = inputs[2].double(), inputs[3].double(), inputs[4]
        outputs = reference.composite(density.double(), colour.double(), starts, ends, offsets, 0.0)
        terms = zip(outputs, _cotangents(outputs), strict=True)
        return torch.stack([(o * g).sum() for o, g in terms]).sum()

    along = slope(lambda d: loss(d, inputs[1]), inputs[0], change, h=1e-4)
    across = slope(lambda c: loss(inputs[0], c), inputs[1], tint)
    assert (of_density.cpu() * change).sum().item() == pytest.approx(along.item(), rel=1e-4)
    assert (of_colour.cpu() * tint).sum().item() == pytest.approx(across.item(), rel=1e-4)


def test_the_reference_passes_gradcheck() -> None:
    """In float64, with respect to density and colour."""
    density, colour, starts, ends, offsets = _inputs(2, (3, 0, 2))
    density, colour = (x.double().requires_grad_() for x in (density / 10, colour))
    rest = (starts.double(), ends.double(), offsets, 0.0)
    assert torch.autograd.gradcheck(
        lambda d, c: tuple(reference.composite(d, c, *rest)), (density, colour)
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.integers(0, 1000))
def test_alpha_is_beer_lamberts(counts: list[int], seed: int) -> None:
    """Without an early stop, 1 - alpha = exp(-integral of density): the law for the whole ray."""
    density, colour, starts, ends, offsets = _inputs(0, tuple(counts), seed)
    with running("c++"):
        alpha = composite(density, colour, starts, ends, offsets, 0.0).alpha
    ray = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    thickness = torch.zeros(len(counts)).index_add(0, ray, density * (ends - starts))
    assert torch.allclose(alpha, -torch.expm1(-thickness), atol=2e-6)


@every_way
def test_cutting_an_interval_in_two_changes_nothing(way: str) -> None:
    """A homogeneous interval and its two halves have one colour and one alpha."""
    density, colour, starts, ends, _ = _inputs(3)
    middle = 0.5 * (starts + ends)
    halves = [x.repeat_interleave(2, 0) for x in (density, colour)]
    cuts = [torch.stack(pair, 1).flatten() for pair in ((starts, middle), (middle, ends))]
    count = len(density)
    with running(way) as device:
        whole = [x.to(device) for x in (density, colour, starts, ends, _rays_of_one(count))]
        split = [x.to(device) for x in (*halves, *cuts, 2 * _rays_of_one(count))]
        one, two = composite(*whole, early_stop=0.0), composite(*split, early_stop=0.0)
    assert_agree(two[:2], one[:2])


@every_way
def test_a_wall_hides_what_is_behind_it(way: str) -> None:
    """Behind transmittance 1e-4 weights and gradients are exactly zero; before it, as without it.

    exp(-5) = 7e-3 is above 1e-4, exp(-10) = 5e-5 is not: two of four samples are seen.
    """
    with running(way) as device:
        density = torch.full((4,), 5.0, device=device, requires_grad=True)
        colour = torch.ones(4, 1, device=device, requires_grad=True)
        t = torch.arange(4.0, device=device)
        offsets = torch.tensor([0, 4], dtype=torch.int32, device=device)
        seen = composite(density, colour, t, t + 1, offsets)
        open_ended = composite(density, colour, t, t + 1, offsets, 0.0)
        of_density, of_colour = torch.autograd.grad(seen.colour.sum(), (density, colour))
    assert torch.equal(seen.weights[:2], open_ended.weights[:2])
    assert (seen.weights[2:] == 0).all()
    assert (open_ended.weights[2:] > 0).all()
    assert (of_density[2:] == 0).all()
    assert (of_colour[2:] == 0).all()
    assert (of_density[:2] != 0).all()


@every_way
def test_nothing_is_seen_in_a_vacuum_and_one_thing_on_a_wall(way: str) -> None:
    """Zero density: alpha 0. Infinite density: alpha 1, at the middle of its interval."""
    with running(way) as device:
        density = torch.tensor([0.0, 0.0, float("inf"), 1.0], device=device)
        t = torch.arange(4.0, device=device)
        offsets = torch.tensor([0, 2, 4], dtype=torch.int32, device=device)
        seen = composite(density, torch.ones(4, 1, device=device), t, t + 1, offsets)
    assert seen.alpha.tolist() == [0, 1]
    assert seen.depth.tolist() == [0, 2.5]


def test_thin_air_keeps_its_digits() -> None:
    """Optical thickness 1e-6 in one interval: alpha = 1e-6 to seven digits, not 1 - (1 - 1e-6)."""
    t = torch.zeros(1)
    with running("c++"):
        seen = composite(torch.full((1,), 1e-6), torch.zeros(1, 0), t, t + 1, _rays_of_one(1))
    assert seen.alpha.item() == pytest.approx(1e-6, rel=1e-6)


def test_the_number_of_threads_does_not_matter() -> None:
    """Outputs and gradients are equal bit for bit."""
    inputs = _inputs(3, tuple(i % 50 for i in range(400)))
    results = []
    for count in (1, 2, 3):
        with running("c++"), threads(count):
            results.append(_with_grads(composite, *inputs))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("counts", [(), (0, 0, 0)])
@every_way
def test_no_rays_and_no_samples(way: str, counts: tuple[int, ...]) -> None:
    """Rays without samples see nothing, and no rays at all give empty outputs."""
    with running(way) as device:
        inputs = (x.to(device) for x in _inputs(3, counts))
        *outputs, of_density, of_colour = _with_grads(composite, *inputs)
    shapes = [(len(counts), 3), (len(counts),), (len(counts),), (0,)]
    assert [tuple(o.shape) for o in outputs] == shapes
    assert not any(o.any() for o in outputs)
    assert (of_density.shape, of_colour.shape) == ((0,), (0, 3))


def test_wrong_inputs_are_refused() -> None:
    """Offsets that are not int32, and a column of a wider matrix as density."""
    density, colour, starts, ends, offsets = _inputs(3)
    with pytest.raises(UserError, match="composite: offsets"):
        composite(density, colour, starts, ends, offsets.long())
    with pytest.raises(UserError, match="non-contiguous"):
        composite(colour[:, 0], colour, starts, ends, offsets)
