"""The occupancy grid's upkeep against its reference, a loop over cells, and numbers by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from teacher.errors import UserError
from teacher.ops.occupancy import (
    morton,
    occupancy_bits,
    occupancy_threshold,
    occupancy_update,
    reference,
)
from tests.kernels import every_way, running, threads


def _inputs(cells: int, samples: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Densities, a fifth of them unseen; cells to raise, many of them several times; values."""
    generator = torch.Generator().manual_seed(seed)
    density = torch.rand(2, cells, cells, cells, generator=generator)
    density[torch.rand(density.shape, generator=generator) < 0.2] = -1
    indices = torch.randint(cells**3, (samples,), generator=generator)
    return density, indices, 2 * torch.rand(samples, generator=generator) - 0.2


@every_way
def test_eight_cells_by_hand(way: str) -> None:
    """Decay 1/2. Cell 0 decays, 1 and 2 are raised by the largest value found, 3 is unseen.

    Cell 4 keeps half of 4 although 1 was found, 5 is given a negative value, 6 and 7 are empty.
    """
    density = torch.tensor([1.0, 1.0, 0.0, -1.0, 4.0, 1.0, 0.0, 0.0]).view(1, 2, 2, 2)
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
    density = torch.zeros(1, 2, 2, 2)
    with pytest.raises(UserError, match=r"0…7"):
        occupancy_update(density, torch.tensor([3, index]), torch.ones(2), 0.9)
    with pytest.raises(UserError, match="occupancy_update: density"):
        occupancy_update(density.permute(0, 3, 2, 1), torch.tensor([3]), torch.ones(1), 0.9)


def test_the_threshold_gives_way_to_the_mean(device: torch.device) -> None:
    """Densities 1, 2, 3 and 6 have mean 3; zero and unseen cells do not count."""
    density = torch.tensor([1.0, 2.0, 3.0, 6.0, 0.0, -1.0, 0.0, -1.0], device=device)
    density = density.view(1, 2, 2, 2)
    assert occupancy_threshold(density, 9.0).item() == 3.0
    assert occupancy_threshold(density, 1.5).item() == 1.5


@every_way
def test_where_nothing_is_nothing_is_occupied(way: str) -> None:
    """Zero and unseen cells have no mean, and are not above it."""
    with running(way) as device:
        density = torch.tensor([0.0, -1.0] * 512, device=device).view(2, 8, 8, 8)
        assert not occupancy_bits(density, occupancy_threshold(density, 0.5)).any()


def test_a_half_or_more_is_occupied_only_if_dense() -> None:
    """However low all densities are, some cell stays occupied: not all are above their mean."""
    density = torch.rand(1, 8, 8, 8, generator=torch.Generator().manual_seed(0)) * 1e-6 + 1e-9
    with running("c++"):
        bits = occupancy_bits(density, occupancy_threshold(density, 1.0))
    assert 0 < morton.unpack(bits, 8).sum() < 512


def test_morton_codes_by_hand() -> None:
    """x has the lowest bit: (1, 0, 0) -> 1, (0, 1, 0) -> 2, (0, 0, 1) -> 4.

    (5, 3, 6) is z y x = 110 011 101: the bits in turn, from the highest, are 101 110 011.
    """
    cells = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 0, 0], [5, 3, 6], [1023] * 3])
    assert morton.encode(cells).tolist() == [1, 2, 4, 8, 0b101110011, 2**30 - 1]


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 1023)] * 3))
def test_decoding_undoes_encoding(cell: tuple[int, int, int]) -> None:
    """And a code grows with each coordinate: it is the order of the corners of nested cubes."""
    code = morton.encode(torch.tensor(cell))
    assert morton.decode(code).tolist() == list(cell)
    assert (code >> 9).item() == morton.encode(torch.tensor(cell) // 8).item()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.sampled_from([8, 16, 32]), st.integers(0, 999))
def test_unpacking_undoes_packing(cascades: int, cells: int, seed: int) -> None:
    """Bit i of a cascade is the cell with Morton code i, and the part that is set stays the same."""
    generator = torch.Generator().manual_seed(seed)
    occupied = torch.rand(cascades, cells, cells, cells, generator=generator) < 0.3
    bits = morton.pack(occupied)
    assert torch.equal(morton.unpack(bits, cells), occupied)
    assert morton.cells_of(bits) == cells
    assert morton.occupied_part(bits).item() == pytest.approx(occupied.float().mean().item())
    code = int(torch.randint(cells**3, (), generator=generator))
    cell = morton.decode(torch.tensor(code))
    assert bool(bits[-1, code // 8] >> code % 8 & 1) == bool(occupied[-1, *cell])


@pytest.mark.parametrize(("cascades", "cells"), [(1, 8), (1, 16), (3, 8), (4, 16)])
@every_way
def test_bits_equal_the_reference_s(way: str, cascades: int, cells: int) -> None:
    """Bit for bit, with and without finer cascades."""
    generator = torch.Generator().manual_seed(cells)
    density = torch.rand(cascades, cells, cells, cells, generator=generator)
    threshold = torch.tensor(0.98)
    with running(way) as device:
        bits = occupancy_bits(density.to(device), threshold.to(device))
    assert torch.equal(bits.cpu(), reference.occupancy_bits(density, threshold))
    assert torch.equal(morton.unpack(bits.cpu(), cells)[0], density[0] > threshold)


@every_way
def test_a_coarse_cell_holds_its_finer_ones(way: str) -> None:
    """Cell (1, 6, 7) of 8 over [-1, 1]^3 lies in cell (2, 5, 5) over [-2, 2]^3.

    That one lies in cell (3, 4, 4) over [-4, 4]^3.
    """
    density = torch.zeros(3, 8, 8, 8)
    density[0, 1, 6, 7] = 2.0
    with running(way) as device:
        bits = occupancy_bits(density.to(device), torch.tensor(1.0, device=device))
    occupied = morton.unpack(bits.cpu(), 8)
    assert occupied.nonzero().tolist() == [[0, 1, 6, 7], [1, 2, 5, 5], [2, 3, 4, 4]]


def test_grids_that_cannot_be_packed_are_refused() -> None:
    """Sides that are no power of two, too short or too long, and a box instead of a cube."""
    for cells in (4, 12, 2048):
        with pytest.raises(UserError, match=f"{cells} cells along a side"):
            morton.check_cells(cells)
    with pytest.raises(UserError, match="12 cells"):
        occupancy_bits(torch.zeros(1, 12, 12, 12), torch.tensor(1.0))
    with pytest.raises(UserError, match="occupancy_bits: density"):
        occupancy_bits(torch.zeros(1, 8, 8, 8).transpose(1, 2), torch.tensor(1.0))
