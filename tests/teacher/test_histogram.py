"""Histograms along rays against closed forms: inverse CDF, outer measure, widening, spacing."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from teacher.errors import UserError
from teacher.samplers.histogram import annealing, outer_mass, quantiles, resample, widened
from teacher.samplers.spacing import Spacing

UNIT = torch.tensor([[0.0, 1.0]])
HALF = torch.tensor([0.5])


def _row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def _random_histogram(rays: int, bins: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    edges = torch.rand(rays, bins + 1, generator=generator, dtype=torch.float64).sort(1).values
    weights = torch.rand(rays, bins, generator=generator, dtype=torch.float64)
    weights[weights < 0.3] = 0
    return edges, weights / weights.sum(1, keepdim=True)


def test_quantiles_of_two_bins_by_hand() -> None:
    """[0, 1) holds 1, [1, 4) holds 3: a quarter of all lies before 1, five eighths before 2.5."""
    fractions = _row(0.0, 0.125, 0.25, 0.625, 1.0)
    found = quantiles(_row(0, 1, 4), _row(1, 3), fractions)
    assert torch.allclose(found, _row(0, 0.5, 1, 2.5, 4))


def test_quantiles_skip_what_holds_nothing() -> None:
    """A delta: whatever is asked for lies in the one bin that holds something."""
    fractions = torch.linspace(0, 0.999, 50)[None].double()
    found = quantiles(_row(0, 1, 1.01, 2), _row(0, 1, 0), fractions)
    assert torch.allclose(found, 1 + 0.01 * fractions)


@pytest.mark.parametrize("seed", range(5))
def test_quantiles_invert_the_running_integral(seed: int) -> None:
    edges, weights = _random_histogram(4, 7, seed)
    fractions = torch.rand(4, 30, dtype=torch.float64).sort(1).values
    found = quantiles(edges, weights, fractions)
    part = (found[:, :, None] - edges[:, None, :-1]) / (edges[:, 1:] - edges[:, :-1])[:, None]
    integral = (part.clamp(0, 1) * weights[:, None]).sum(-1)
    assert torch.allclose(integral, fractions, atol=1e-9)


def test_resampling_an_even_histogram_is_even() -> None:
    """Without jitter n equal intervals; with it all move by the same part of one, within the ends."""
    even = torch.linspace(0, 1, 9)[None]
    one = torch.ones(1, 1)
    assert torch.allclose(resample(UNIT, one, 8, HALF), even)
    assert torch.allclose(resample(even, torch.full((1, 8), 0.125), 8, HALF), even, atol=1e-6)
    moved = resample(UNIT, one, 8, torch.tensor([0.75]))
    assert torch.allclose(moved, (even + 0.25 / 8).clamp_max(1))


def test_resampling_a_delta_stays_within_it() -> None:
    edges = resample(_row(0, 0.4, 0.5, 1), _row(0, 2, 0), 10, HALF.double())
    assert torch.allclose(edges, torch.linspace(0.4, 0.5, 11)[None].double())


@pytest.mark.parametrize("jitter", [0.0, 0.3, 0.999])
def test_resampled_edges_increase_and_stay_in_the_histogram(jitter: float) -> None:
    edges, weights = _random_histogram(50, 12, 3)
    found = resample(edges, weights, 20, torch.full((50,), jitter, dtype=torch.float64))
    assert (found[:, 1:] >= found[:, :-1]).all()
    assert (found[:, 0] >= edges[:, 0]).all()
    assert (found[:, -1] <= edges[:, -1]).all()


def test_jitter_samples_the_histogram_without_bias() -> None:
    """Averaged over jitter, the share of points in a bin is the bin's share of the weight."""
    jitter = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    fractions = (torch.arange(3) + jitter[:, None]) / 3
    points = quantiles(
        _row(0, 1, 3, 4).expand(1000, 4), _row(0.2, 0.1, 0.7).expand(1000, 3), fractions
    )
    shares = torch.histogram(points.flatten(), torch.tensor([0.0, 1, 3, 4]).double()).hist / 3000
    assert torch.allclose(shares, torch.tensor([0.2, 0.1, 0.7]).double(), atol=1e-3)


def test_outer_mass_by_hand() -> None:
    """Bins [0, 1), [1, 2), [2, 4) hold 1, 2, 4: what intervals overlap counts whole, what they touch does not."""
    edges, weights = _row(0, 1, 2, 4), _row(1, 2, 4)
    of = _row(0, 0.5, 1, 1.5, 3, 4, 5, 6)
    assert outer_mass(edges, weights, of).tolist() == [[1, 1, 2, 6, 4, 0, 0]]


@pytest.mark.parametrize("seed", range(5))
def test_nothing_finer_has_more_than_the_outer_mass(seed: int) -> None:
    """Mip-NeRF 360's claim: any rearrangement within the bins is bounded; the whole range has the whole mass."""
    edges, weights = _random_histogram(6, 5, seed)
    part = torch.rand(
        6, 5, dtype=torch.float64
    )  # each bin split in two at random, weight and length
    split = edges[:, :-1] + torch.rand(6, 5, dtype=torch.float64) * (edges[:, 1:] - edges[:, :-1])
    finer = torch.cat([edges, split], 1).sort(1).values
    pieces = torch.stack([weights * part, weights * (1 - part)], -1).flatten(1)
    assert (pieces <= outer_mass(edges, weights, finer) + 1e-12).all()
    whole = torch.stack([edges[:, 0], edges[:, -1]], 1)
    assert torch.allclose(outer_mass(edges, weights, whole), weights.sum(1, keepdim=True))


def test_outer_mass_is_differentiable_in_the_weights() -> None:
    edges, weights = _random_histogram(3, 6, 1)
    of, _ = _random_histogram(3, 4, 2)
    weights.requires_grad_()
    assert torch.autograd.gradcheck(lambda w: outer_mass(edges, w, of), weights)


def test_widening_by_hand() -> None:
    """Heights 0, 2, 0, 0 on bins of 1/4: either neighbour gets half; the floor is spread by length."""
    edges, weights = torch.linspace(0, 1, 5)[None].double(), _row(0, 0.5, 0, 0)
    assert torch.allclose(widened(edges, weights, 1.0, 0.0), _row(0.25, 0.5, 0.25, 0))
    assert torch.allclose(widened(edges, weights, 1.0, 0.4), _row(0.35, 0.6, 0.35, 0.1))


def test_widening_does_not_depend_on_how_bins_are_cut() -> None:
    """An even histogram stays as it is, however its bins lie: heights are compared, not weights."""
    edges = _row(0, 0.1, 0.15, 0.9, 1)
    length = edges[:, 1:] - edges[:, :-1]
    assert torch.allclose(widened(edges, length, 1.0, 0.0), length)


def test_annealing_begins_by_believing_nothing() -> None:
    """Power 0 makes all intervals alike, power 1 leaves them; slope 1 goes straight from one to the other."""
    edges, weights = _random_histogram(2, 6, 0)
    power = annealing(0.0, 10.0)
    assert torch.allclose(widened(edges, weights, power, 0.0), torch.ones(2, 6).double())
    assert annealing(1.0, 10.0) == 1
    assert annealing(0.5, 10.0) == pytest.approx(10 / 11)
    assert annealing(0.3, 1.0) == pytest.approx(0.3)


SPACINGS = pytest.mark.parametrize(
    "spacing", [Spacing(), Spacing(0.0, 3.0, 5.0), Spacing(2.0, 60.0, 1.0)], ids=str
)


@SPACINGS
def test_spacing_can_be_undone_and_ends_where_it_should(spacing: Spacing) -> None:
    s = torch.linspace(0, 1, 101, dtype=torch.float64)
    t = spacing.to_t(s)
    assert (t[1:] > t[:-1]).all()
    assert torch.allclose(spacing.to_s(t), s)
    assert float(t[0]) == pytest.approx(spacing.near)
    assert float(t[-1]) == pytest.approx(spacing.far)


def test_spacing_is_even_in_distance_then_in_disparity() -> None:
    spacing = Spacing(0.1, 100.0, 2.0)
    t = spacing.to_t(torch.linspace(0, 1, 40, dtype=torch.float64))
    near, far = t[t <= 2], t[t >= 2]
    assert torch.allclose(near.diff().diff(), torch.zeros(()).double(), atol=1e-12)
    assert torch.allclose((1 / far).diff().diff(), torch.zeros(()).double(), atol=1e-12)
    assert len(near) == math.floor(39 * 1.9 / 3.86) + 1  # g(100) = 2 (2 - 2 / 100) = 3.96


@given(st.floats(0.05, 1000.0))
def test_spacing_keeps_single_precision(t: float) -> None:
    """In float32, which training uses, the way there and back loses no more than a thousandth, out to `far`."""
    spacing = Spacing()
    assert float(spacing.to_t(spacing.to_s(torch.tensor([t])))) == pytest.approx(t, rel=1e-3)


def test_a_spacing_that_float32_cannot_hold_is_refused() -> None:
    with pytest.raises(UserError, match="far 100000"):
        Spacing(far=1e5)


def test_sums_that_repeat_on_a_gpu_are_the_same_sums() -> None:
    """Where torch must be deterministic, no cumsum is called; its result is the same but for rounding."""
    generator = torch.Generator().manual_seed(0)
    edges = torch.rand(50, 33, generator=generator).cumsum(1)
    weights = torch.rand(50, 32, generator=generator)
    fractions = torch.linspace(0.01, 0.99, 17).expand(50, -1).contiguous()
    usual = quantiles(edges, weights, fractions), outer_mass(edges, weights, edges[:, ::4])
    torch.use_deterministic_algorithms(True)
    try:
        repeated = quantiles(edges, weights, fractions), outer_mass(edges, weights, edges[:, ::4])
    finally:
        torch.use_deterministic_algorithms(False)
    for a, b in zip(usual, repeated, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-5)
