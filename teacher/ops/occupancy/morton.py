"""How an occupancy grid is kept: one bit per cell, in Morton order.

    occupied [cascades, x, y, z] --pack--> bits [cascades, cells^3 / 8] --unpack--> occupied

Cascade c covers the cube [-2^c, 2^c]^3 with the same number of cells. Bit i of byte b of a cascade belongs to the cell
whose Morton code is 8 b + i: the bits of x, y and z interleaved, x lowest (Morton 1966). So every aligned block of
2^k cells along each side is one run of bits: 4 x 4 x 4 cells are 8 bytes, 8 x 8 x 8 cells are a cache line of 64.
"""

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from teacher.errors import UserError

FEWEST, MOST = 8, 1024
"""Cells along a side."""


def encode(cells: Int[Tensor, "*shape 3"]) -> Int[Tensor, "*shape"]:
    """The Morton code of each cell (x, y, z), 0 <= x, y, z < 1024.

    >>> encode(torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 0, 0], [3, 3, 3]]))
    tensor([ 1,  2,  4,  8, 63])
    """
    axes = torch.arange(3, device=cells.device)
    bits = [(cells >> k & 1) << (3 * k + axes) for k in range(10)]
    return torch.stack(bits).sum((0, -1))


def decode(codes: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape 3"]:
    """The cell (x, y, z) of each Morton code; the inverse of `encode`.

    >>> decode(torch.tensor([6, 63]))
    tensor([[0, 1, 1],
            [3, 3, 3]])
    """
    axes = torch.arange(3, device=codes.device)
    bits = [(codes[..., None] >> (3 * k + axes) & 1) << k for k in range(10)]
    return torch.stack(bits).sum(0)


def pack(occupied: Bool[Tensor, "cascades x y z"]) -> UInt8[Tensor, "cascades bytes"]:
    """The bits of a grid; its sides are equal, and a power of two."""
    cascades, cells = occupied.shape[:2]
    flat = occupied.reshape(cascades, *_halves(cells)).permute(_interleaved(cells))
    weights = 2 ** torch.arange(8, device=occupied.device, dtype=torch.uint8)
    return (flat.reshape(cascades, -1, 8) * weights).sum(-1, dtype=torch.uint8)


def unpack(bits: UInt8[Tensor, "cascades bytes"], cells: int) -> Bool[Tensor, "cascades x y z"]:
    """Which cells are occupied; the inverse of `pack`.

    >>> unpack(torch.tensor([[2] + [0] * 63], dtype=torch.uint8), 8).nonzero()
    tensor([[0, 1, 0, 0]])
    """
    order = _interleaved(cells)
    inverse = sorted(range(len(order)), key=lambda axis: order[axis])
    flat = bits[..., None] >> torch.arange(8, device=bits.device, dtype=torch.uint8) & 1
    return flat.bool().reshape(-1, *_halves(cells)).permute(inverse).reshape(-1, *(cells,) * 3)


def occupied_part(bits: UInt8[Tensor, "cascades bytes"]) -> Float[Tensor, ""]:
    """The part of all cells that is occupied, left on the bits' device.

    >>> occupied_part(torch.tensor([[255, 0, 15, 0]], dtype=torch.uint8))
    tensor(0.3750)
    """
    counts = torch.tensor([i.bit_count() for i in range(256)], device=bits.device)
    return counts[bits.long()].sum() / (8 * bits.numel())


def cells_of(bits: UInt8[Tensor, "cascades bytes"]) -> int:
    """Cells along a side of the grid that `bits` hold.

    Raises:
        UserError: it is not a cube's with a power of two of cells along a side.
    """
    count = 8 * bits.shape[1]
    cells = 1 << (count.bit_length() // 3)
    if cells**3 != count:
        raise _not_a_grid("the bits of an occupancy grid", f"{bits.shape[1]} bytes per cascade")
    check_cells(cells)
    return cells


def check_cells(cells: int) -> None:
    """Raise UserError unless a grid may have so many cells along a side."""
    if not FEWEST <= cells <= MOST or cells & (cells - 1):
        raise _not_a_grid("an occupancy grid", f"{cells} cells along a side")


def _not_a_grid(thing: str, given: str) -> UserError:
    sizes = f"a power of two of cells along each side, {FEWEST} to {MOST}"
    return UserError(thing, given, sizes, "choose a resolution of 64, 128 or 256")


def _halves(cells: int) -> tuple[int, ...]:
    """A shape that splits each axis into the bits of its coordinate, highest first."""
    return (2,) * (3 * (cells.bit_length() - 1))


def _interleaved(cells: int) -> tuple[int, ...]:
    """The order of those axes in which the bits of z, y and x take turns, highest first."""
    bits = cells.bit_length() - 1
    return (0, *(1 + axis * bits + k for k in range(bits) for axis in (2, 1, 0)))
