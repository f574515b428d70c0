"""Connected pieces of a grid of density: the object is one, what floats in the air are others."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import max_pool3d


def grown(cells: Bool[Tensor, "x y z"], by: int) -> Bool[Tensor, "x y z"]:
    """`cells` and all that are at most `by` away, corners included."""
    return max_pool3d(cells[None].float(), 2 * by + 1, 1, by)[0] > 0


def labelled(cells: Bool[Tensor, "x y z"]) -> Int[Tensor, "x y z"]:
    """A positive number for each piece, the same for cells that touch (corners count); 0 elsewhere."""
    numbers = torch.arange(1, cells.numel() + 1).reshape(cells.shape).double() * cells
    while True:
        spread = max_pool3d(numbers[None], 3, 1, 1)[0] * cells
        if torch.equal(spread, numbers):
            return numbers.long()
        numbers = spread


def heaviest(cells: Bool[Tensor, "x y z"], weight: Float[Tensor, "x y z"]) -> Bool[Tensor, "x y z"]:
    """The piece that holds the most `weight`; no cells where there is no piece."""
    numbers = labelled(cells)
    totals = weight.new_zeros(cells.numel() + 1)
    totals.index_add_(0, numbers.flatten(), weight.flatten())
    totals[0] = -1
    return cells & (numbers == totals.argmax())
