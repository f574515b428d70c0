"""The occupancy grid's upkeep against its reference, a loop over cells, and numbers by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from teacher.errors import UserError
from teacher.ops.occupancy import occupancy_threshold, occupancy_update, reference
from tests.kernels import every_way, running, threads


def _inputs(cells: int, samples: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Densities, a fifth of them unseen; cells to raise, many of them several times; values."""
    generator = torch.Generator().manual_seed(seed)
    density = torch.rand(cells, cells, cells, generator=generator)
    density[torch.rand(density.shape, generator=generator) < 0.2] = -1
    indices = torch.randint(max(cells**3 // 2, 1), (samples,), generator=generator)
    return density, indices, 2 * torch.rand(samples, generator=generator) - 0.2


@every_way
def test_eight_cells_by_hand(way: str) -> None:
    """Decay 1/2. Cell 0 decays, 1 and 2 are raised by the largest value found, 3 is unseen.

    Cell 4 keeps half of 4 although 1 was found, 5 is given a negative value, 6 and 7 are empty.
    """
    density = torch.tensor([1.0, 1.0, 0.0, -1.0, 4.0, 1.0, 0.0, 0.0]).view(2, 2, 2)
    indices = torch.tensor([1, 2, 2, 2, 3, 4, 5])
    values = torch.tensor([3.0, 1.0, 2.0, 0.5, 5.0, 1.0, -7.0])
    with running(way) as device:
        density = density.to(device)
        occupancy_update(density, indices.to(device), values.to(device), 0.5)
    assert density.flatten().tolist() == [0.5, 3.0, 2.0, -1.0, 2.0, 0.5, 0.0, 0.0]


@every_way
def test_kernel_equals_reference(way: str) -> None:
    """To the last bit: there is nothing to round differently."""
    density, indices, values = _inputs(6, 500)
    expected = density.clone()
    reference.occupancy_update(expected, indices, values, 0.95)
    with running(way) as device:
        density = density.to(device)
        occupancy_update(density, indices.to(device), values.to(device), 0.95)
    assert torch.equal(density.cpu(), expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(0, 60), st.floats(0, 1, width=32), st.integers(0, 999))
def test_it_is_a_maximum_over_what_was_found(
    cells: int, samples: int, decay: float, seed: int
) -> None:
    """Cell by cell, in any order of the samples: max(decay * old, values), unseen cells aside."""
    density, indices, values = _inputs(cells, samples, seed)
    expected = []
    for cell, old in enumerate(density.flatten()):
        found = values[indices == cell]
        expected.append(old if old < 0 else torch.cat([(old * decay)[None], found]).max())
    with running("c++"):
        for order in (slice(None), torch.arange(samples).flip(0)):
            updated = density.clone()
            occupancy_update(updated, indices[order], values[order], decay)
            assert torch.equal(updated.flatten(), torch.stack(expected))


@every_way
def test_nothing_sampled(way: str) -> None:
    """Every seen cell still decays."""
    density, indices, values = _inputs(4, 0)
    with running(way) as device:
        updated = density.to(device, copy=True)
        occupancy_update(updated, indices.to(device), values.to(device), 0.25)
    assert torch.equal(updated.cpu(), torch.where(density < 0, density, 0.25 * density))


def test_the_number_of_threads_does_not_matter() -> None:
    """Threads that raise one cell at once leave the largest value."""
    inputs = _inputs(20, 200_000)
    results = []
    for count in (1, 2, 3):
        with running("c++"), threads(count):
            density = inputs[0].clone()
            occupancy_update(density, *inputs[1:], 0.9)
            results.append(density)
    assert torch.equal(results[1], results[0])
    assert torch.equal(results[2], results[0])


@pytest.mark.parametrize("index", [-1, 8])
def test_a_cell_outside_the_grid_is_refused(index: int) -> None:
    """Before a kernel writes there."""
    density = torch.zeros(2, 2, 2)
    with pytest.raises(UserError, match=r"0…7"):
        occupancy_update(density, torch.tensor([3, index]), torch.ones(2), 0.9)
    with pytest.raises(UserError, match="occupancy_update: density"):
        occupancy_update(density.permute(2, 1, 0), torch.tensor([3]), torch.ones(1), 0.9)


def test_the_threshold_gives_way_to_the_mean(device: torch.device) -> None:
    """Densities 1, 2, 3 and 6 have mean 3; zero and unseen cells do not count.

    A threshold of 9 leaves what is above the mean, one of 1.5 what is above 1.5.
    """
    density = torch.tensor([1.0, 2.0, 3.0, 6.0, 0.0, -1.0, 0.0, -1.0], device=device).view(2, 2, 2)
    above_mean, above = occupancy_threshold(density, 9.0), occupancy_threshold(density, 1.5)
    assert above_mean.flatten().tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    assert above.flatten().tolist() == [0, 1, 1, 1, 0, 0, 0, 0]
    assert above.dtype == torch.uint8


def test_where_nothing_is_nothing_is_occupied() -> None:
    """Zero and unseen cells have no mean, and are not above it."""
    density = torch.tensor([0.0, -1.0] * 4).view(2, 2, 2)
    assert not occupancy_threshold(density, 0.5).any()


def test_a_half_or_more_is_occupied_only_if_dense() -> None:
    """However low all densities are, some cell stays occupied: not all are above their mean."""
    density = torch.rand(8, 8, 8, generator=torch.Generator().manual_seed(0)) * 1e-6 + 1e-9
    occupied = occupancy_threshold(density, 1.0).sum()
    assert 0 < occupied < 512
