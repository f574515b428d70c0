"""Loss terms against hand-worked values."""

import math

import pytest
import torch

from teacher.losses import LossConfig, colour_loss, opacity_entropy, total_loss
from teacher.metrics import mse_to_psnr
from teacher.rays import Samples
from teacher.render import Rendering
from teacher.samplers.base import Sampling


def _rendering(rgba: torch.Tensor) -> Rendering:
    empty = Samples(
        torch.zeros(0, dtype=torch.int32),
        torch.zeros(0),
        torch.zeros(0),
        torch.zeros(len(rgba) + 1, dtype=torch.int32),
    )
    return Rendering(rgba, torch.zeros(len(rgba)), torch.zeros(0), Sampling(empty, 0))


def test_small_errors_count_as_their_square_and_large_ones_linearly() -> None:
    """Huber with delta 0.1, scaled by two: e^2 below, 0.2 |e| - 0.01 above."""
    zero = torch.zeros(1, 3)
    assert float(colour_loss(zero + 0.05, zero, 0.1)) == pytest.approx(0.0025)
    assert float(colour_loss(zero + 0.5, zero, 0.1)) == pytest.approx(0.2 * 0.5 - 0.01)


def test_opacity_entropy_vanishes_at_both_ends() -> None:
    assert float(opacity_entropy(torch.tensor([0.0, 1.0]))) == pytest.approx(0, abs=2e-5)
    peak = math.exp(-1)  # where -a log a is largest, with the value 1/e
    assert float(opacity_entropy(torch.tensor([peak]))) == pytest.approx(peak)


def test_a_random_background_sees_through_wrong_alpha() -> None:
    """Black and opaque equals black and transparent over black, but over no other background."""
    opaque, transparent = torch.tensor([[0.0, 0, 0, 1]]), torch.tensor([[0.0, 0, 0, 0]])
    plain = LossConfig(distortion=0.0, opacity=0.0)
    on_black, _ = total_loss(_rendering(opaque), transparent, torch.zeros(1, 3), plain)
    on_grey, mse = total_loss(_rendering(opaque), transparent, torch.full((1, 3), 0.5), plain)
    assert float(on_black) == 0
    assert float(on_grey) > 0.05
    assert mse_to_psnr(mse) == pytest.approx(-20 * math.log10(0.5), abs=1e-4)


def test_reported_error_does_not_depend_on_the_loss() -> None:
    """PSNR comes from the squared error, whatever is minimised."""
    rgba, target = torch.rand(5, 4), torch.rand(5, 4)
    white = torch.ones(5, 3)
    _, a = total_loss(_rendering(rgba), target, white, LossConfig(huber=0.01, opacity=1.0))
    _, b = total_loss(_rendering(rgba), target, white, LossConfig(huber=10.0, opacity=0.0))
    assert float(a) == float(b)
