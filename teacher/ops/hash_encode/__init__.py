"""Multiresolution hash encoding: points to the features of a hierarchy of hashed grids."""

import functools
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from teacher.ops import launch
from teacher.ops.build import Kernels
from teacher.ops.checks import expect
from teacher.ops.hash_encode import reference
from teacher.ops.hash_encode.grid import HashGrid, Level

__all__ = ["HashGrid", "Level", "hash_encode"]

_SPAN = 1024
"""Points that a CPU's thread takes at a time."""


def hash_encode(
    points: Float[Tensor, "n dims"], table: Float[Tensor, "entries features"], grid: HashGrid
) -> Float[Tensor, "n width"]:
    """Encode points by a multiresolution hash grid (Müller 2022, section 3).

    Differentiable with respect to `points` and `table`, once only. On a CPU the result does not
    depend on the number of threads, nor do the gradients.

    Args:
        points: coordinates in [0, 1], and clamped to it, [n, grid.dims].
        table: the features of all levels, [grid.entries, grid.features].
        grid: the grid's shape.

    Returns:
        Level l's features in columns `l * grid.features` and on, coarsest first, [n, grid.width].

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernel reads.

    >>> grid = HashGrid(dims=3, levels=2, features=2, log2_size=10, base=4, finest=16)
    >>> hash_encode(torch.rand(5, 3), torch.ones(grid.entries, 2), grid).shape
    torch.Size([5, 4])
    """
    expect("hash_encode: points", points, ("n", grid.dims), points.device)
    expect("hash_encode: table", table, (grid.entries, grid.features), points.device)
    if launch.backend(points.device) == "reference":
        return reference.hash_encode(points, table, grid)
    encoded = _HashEncode.apply(points, table, grid)
    assert isinstance(encoded, Tensor)
    return encoded


class _HashEncode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        points, table, grid = inputs
        encoded = points.new_empty(len(points), grid.width)
        _run("hash_forward", grid, grid.levels, _SPAN, points, table, encoded)
        ctx.save_for_backward(points, table)
        ctx.grid = grid
        return encoded

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the decorator hides names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        points, table = ctx.saved_tensors
        grad = grads[0].contiguous()
        for_points, for_table = ctx.needs_input_grad[:2]
        return (
            points_gradient(ctx.grid, points, table, grad) if for_points else None,
            table_gradient(ctx.grid, points, table, grad) if for_table else None,
            None,
        )


def points_gradient(grid: HashGrid, points: Tensor, table: Tensor, grad: Tensor) -> Tensor:
    """The gradient with respect to points, from `grad` with respect to their encoding."""
    result = torch.zeros_like(points)
    _run("hash_backward_points", grid, 1, _SPAN, points, table, grad, result)
    return result


def table_gradient(grid: HashGrid, points: Tensor, table: Tensor, grad: Tensor) -> Tensor:
    """The gradient with respect to the table, from `grad` with respect to the encoding of points."""
    clears = len(points) > 0 and launch.backend(points.device) == "c++"
    result = torch.empty_like(table) if clears else torch.zeros_like(table)
    _run("hash_backward_table", grid, grid.levels, len(points), points, grad, result)
    return result


def _run(
    entry: str, grid: HashGrid, levels: int, span: int, points: Tensor, *tensors: Tensor
) -> None:
    """Run `entry` on spans of `span` points (on a GPU, of one), on each of `levels` levels."""
    n, device = len(points), points.device
    span = 1 if launch.backend(device) == "cuda" else max(span, 1)
    kernels = Kernels("hash_encode", (("DIMS", grid.dims), ("FEATURES", grid.features)))
    layout = layout_tensor(grid, device)
    items = levels * -(-n // span)
    launch.run(kernels, entry, device, items, span, n, grid.levels, layout, points, *tensors)


@functools.cache
def layout_tensor(grid: HashGrid, device: torch.device) -> Tensor:
    """The levels as the kernel's `struct Level`."""
    scales = torch.tensor([level.scale for level in grid.layout]).view(torch.int32)
    rest = torch.tensor([level[1:] for level in grid.layout], dtype=torch.int32)
    return torch.cat([scales[:, None], rest], 1).to(device)
