"""Connected pieces of a grid of density: the object is one, what floats in the air are others."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def grown(cells: Bool[Tensor, "x y z"], by: int) -> Bool[Tensor, "x y z"]:
    """`cells` and all that are at most `by` away, corners included."""
    for _ in range(by):
        cells = _highest_around(cells)
    return cells


def labelled(cells: Bool[Tensor, "x y z"]) -> Int[Tensor, "x y z"]:
    """A positive number for each piece, the same for cells that touch (corners count); 0 elsewhere."""
    numbers = torch.arange(1, cells.numel() + 1, dtype=torch.int32).reshape(cells.shape) * cells
    while True:
        spread = _highest_around(numbers) * cells
        if torch.equal(spread, numbers):
            return numbers.long()
        numbers = spread


def _highest_around(values: Tensor) -> Tensor:
    """The maximum of each cell and its 26 neighbours, along one axis after the other."""
    for axis in range(3):
        before, after = values.movedim(axis, 0), values.clone()
        lines = after.movedim(axis, 0)
        torch.maximum(lines[1:], before[:-1], out=lines[1:])
        torch.maximum(lines[:-1], before[1:], out=lines[:-1])
        values = after
    return values


def heaviest(cells: Bool[Tensor, "x y z"], weight: Float[Tensor, "x y z"]) -> Bool[Tensor, "x y z"]:
    """The piece that holds the most `weight`; no cells where there is no piece."""
    numbers = labelled(cells)
    totals = weight.new_zeros(cells.numel() + 1)
    totals.index_add_(0, numbers.flatten(), weight.flatten())
    totals[0] = -1
    return cells & (numbers == totals.argmax())
