"""The schedule, the running average, and what a resumed optimiser must remember."""

import copy

import pytest
import torch

from teacher.fields.hash_grid import HashGridConfig
from teacher.ops.hash_encode import HashGrid
from teacher.optimiser import FieldOptimiser, OptimiserConfig

TINY = HashGridConfig(HashGrid(levels=2, log2_size=6, base=4, finest=8), width=8)


def test_rate_warms_up_linearly_and_ends_at_its_fraction() -> None:
    config = OptimiserConfig(learning_rate=1.0, final=0.01, warmup=10)
    assert config.rate(4, 110) == pytest.approx(0.5)
    assert config.rate(10, 110) == pytest.approx(1.0)
    assert config.rate(60, 110) == pytest.approx((1 + 0.01) / 2)
    assert config.rate(110, 110) == pytest.approx(0.01)


def _give_gradients(field: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in field.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def test_average_is_the_exponential_one() -> None:
    """After one update with decay d^n the average is d^n old + (1 - d^n) new."""
    field = TINY.build()
    optimiser = FieldOptimiser(field, field.groups(), OptimiserConfig(average=0.9, average_every=2))
    before = {name: p.detach().clone() for name, p in field.named_parameters()}
    for step in range(2):
        _give_gradients(field, step)
        optimiser.step(step, 10)
    for name, parameter in field.named_parameters():
        expected = 0.81 * before[name] + 0.19 * parameter
        torch.testing.assert_close(optimiser.averaged()[name], expected.detach())


def test_a_reloaded_optimiser_goes_on_bit_for_bit() -> None:
    field = TINY.build()
    optimiser = FieldOptimiser(field, field.groups(), OptimiserConfig())
    for step in range(3):
        _give_gradients(field, step)
        optimiser.step(step, 10)
    twin = copy.deepcopy(field)
    other = FieldOptimiser(twin, twin.groups(), OptimiserConfig())
    other.load({name: tensor.clone() for name, tensor in optimiser.state().items()})
    for f, o in ((field, optimiser), (twin, other)):
        _give_gradients(f, 99)
        o.step(3, 10)
    for a, b in zip(field.parameters(), twin.parameters(), strict=True):
        assert torch.equal(a, b)
