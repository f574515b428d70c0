"""What frames cost: by hand, against published counts, and as the command line prints it."""

import sys

import pytest
import torch

from student import __main__ as cli
from student.budget import FrameBudget, budget_table, count_budget, preset_budget
from student.models.base import LightField
from student.models.blocks import ResidualBlock, ShuffleUpsample
from student.models.mobile_r2l import MobileR2LConfig
from student.presets import PAPER, PRESETS
from teacher.errors import UserError

BOX = torch.tensor([[-1.0, -0.8, -0.5], [1.0, 0.8, 0.5]])
PIXELS = 5 * 6


class Around(LightField):
    """A module around the three channels that `size` and two operations make: 15 numbers a pixel."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__(1, BOX)
        self.module = module

    def forward(self, T_norm_camera, intrinsics, size):
        start = self.aabb.new_ones(1, 3, *size)  # writes 3
        return self.module(start.mul_(2).detach())  # reads 3, writes 3; a view


def _count(module: torch.nn.Module) -> FrameBudget:
    return count_budget(Around(module), (5, 6))


def _numbers(module: torch.nn.Module) -> float:
    """Numbers per pixel that `module` moves, beside those of `Around`."""
    return _count(module).activation_bytes / 4 / PIXELS - 9


def test_one_convolution_by_hand() -> None:
    """2 * in * out * pixels operations; it reads 3 and writes 7 numbers a pixel, weights aside."""
    budget = _count(torch.nn.Conv2d(3, 7, 1))
    assert budget.gflop * 1e9 == 2 * 3 * 7 * PIXELS
    assert budget.parameters == 3 * 7 + 7
    assert budget.activation_bytes == 4 * PIXELS * (9 + 3 + 7)
    assert budget.convolution_bytes == 4 * PIXELS * (3 + 7)


def test_relu_is_free_behind_a_convolution_only() -> None:
    convolution = torch.nn.Conv2d(3, 7, 1)
    assert _numbers(torch.nn.Sequential(convolution, torch.nn.ReLU())) == 3 + 7
    assert _numbers(torch.nn.Sequential(convolution, torch.nn.GELU())) == 3 + 7 + 2 * 7
    assert _numbers(torch.nn.Sequential(torch.nn.ReLU(), convolution)) == 2 * 3 + 3 + 7
    normed = (convolution, torch.nn.BatchNorm2d(7), torch.nn.ReLU())
    assert _numbers(torch.nn.Sequential(*normed)) == 3 + 7


def test_a_residual_block_by_hand() -> None:
    """Two convolutions read and write 3 each, the sum reads twice 3 and writes 3; fused: reads 3."""
    budget = _count(ResidualBlock(3))
    assert budget.activation_bytes == 4 * PIXELS * (9 + 6 + 6 + 9)
    assert budget.convolution_bytes == 4 * PIXELS * (6 + 6 + 3)


def test_pixel_shuffle_moves_its_picture() -> None:
    """The convolution writes 4 * 5 numbers a coarse pixel, and the shuffle moves them once more."""
    assert _numbers(ShuffleUpsample(3, 5, 2)) == 3 + 20 + 20 + 20


def test_gathers_read_their_rows_and_not_the_table() -> None:
    """A cast reads and writes 1, the gather reads a number and a row of 8, and writes 8."""

    class Row(torch.nn.Module):
        def __init__(self, rows: int) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(rows, 8)

        def forward(self, x):
            return self.table(x[:, :1].int())

    assert _numbers(Row(10)) == _numbers(Row(9999)) == 1 + 1 + 1 + 8 + 8


@pytest.mark.parametrize(
    ("config", "size", "gigabytes"),
    [
        (PAPER, (800, 800), 2.63),
        (PAPER, (512, 512), 1.08),
        (MobileR2LConfig(width=128, stages="transposed"), (800, 800), 1.88),
        (
            MobileR2LConfig(
                width=128, blocks=14, channels=(64, 32, 16), stages="transposed", stage_blocks=2
            ),
            (800, 800),
            1.25,
        ),
        (MobileR2LConfig(factors=(2, 2, 3), stages="transposed"), (756, 1008), 1.72),
    ],
)
def test_published_traffic_is_that_of_convolutions(
    config: MobileR2LConfig, size: tuple[int, int], gigabytes: float
) -> None:
    """The counts of the shared notes, section 4, to their last digit."""
    with torch.device("meta"):
        budget = count_budget(config.build(torch.zeros(2, 3)), size)
    found = budget.convolution_bytes - 2 * 4 * size[0] * size[1]
    assert found / 1e9 == pytest.approx(gigabytes, abs=0.005)
    assert budget.activation_bytes > budget.convolution_bytes


def test_counting_computes_nothing_and_depends_on_no_device() -> None:
    model = PRESETS["test"][1].model.build(BOX)
    assert count_budget(model, (64, 64)) == preset_budget("test", (64, 64))
    assert next(model.parameters()).device.type == "cpu"


@pytest.mark.parametrize("name", ["mobile_r2l_small", "light_slab_small"])
def test_what_tiny_is_compared_with_costs_as_much_or_a_little_more(name: str) -> None:
    ratio = preset_budget(name, (128, 128)).gflop / preset_budget("tiny", (128, 128)).gflop
    assert 1 <= ratio <= 1.05


def test_cost_is_proportional_to_pixels() -> None:
    for name in PRESETS:
        small, large = preset_budget(name, (128, 128)), preset_budget(name, (256, 256))
        assert large.gflop == pytest.approx(4 * small.gflop)
        assert large.activation_bytes == pytest.approx(4 * small.activation_bytes, rel=0.01)


def test_a_budget_says_what_it_is_of() -> None:
    budget = FrameBudget((400, 800), 1_500_000, 12.345, 678_000_000, 0)
    expected = (
        "1.50 M parameters (6.0 MB, 3.0 in half precision), 12.35 GFLOP and "
        "678 MB of activations moved per 800x400 frame"
    )
    assert str(budget) == expected


def test_the_table_has_a_row_for_each_preset(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["student", "budget", "--size", "64", "128"])
    cli.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("`")[1] for line in lines[2:]] == list(PRESETS)
    assert all(line.count("|") == 7 for line in lines)
    budget = preset_budget("tiny", (64, 128))
    row = budget_table(["tiny"], [(64, 128)]).splitlines()[2]
    assert row in lines and f"{budget.gflop:.2f}" in row


def test_unknown_presets_and_sizes_are_named() -> None:
    with pytest.raises(UserError, match="tiny"):
        preset_budget("tinny", (64, 64))
    with pytest.raises(UserError, match="multiples of 4"):
        preset_budget("tiny", (64, 65))
