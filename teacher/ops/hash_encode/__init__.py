"""Multiresolution hash encoding: points to the interpolated features of a hierarchy of hashed grids."""

import functools
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from teacher.ops.build import Kernels
from teacher.ops.checks import expect
from teacher.ops.hash_encode import reference
from teacher.ops.hash_encode.grid import HashGrid, Level
from teacher.ops.launch import backend, launch

__all__ = ["HashGrid", "Level", "hash_encode"]

_CPU_BLOCK = 262144


def hash_encode(
    points: Float[Tensor, "n dims"], table: Float[Tensor, "entries features"], grid: HashGrid
) -> Float[Tensor, "n width"]:
    """Encode points by a multiresolution hash grid (Müller 2022, "Instant neural graphics primitives", section 3).

    Differentiable with respect to `points` and `table`, once only. On a CPU the gradients do not depend on the number
    of threads.

    Args:
        points: coordinates in [0, 1], [n, grid.dims]; clamped to it.
        table: the features of all levels, [grid.entries, grid.features].
        grid: the grid's shape.

    Returns:
        Level l's features in columns `l * grid.features` and on, coarsest level first, [n, grid.width].

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernel reads.

    >>> grid = HashGrid(dims=3, levels=2, features=2, log2_size=10, base=4, finest=16)
    >>> hash_encode(torch.rand(5, 3), torch.ones(grid.entries, 2), grid).shape
    torch.Size([5, 4])
    """
    expect("hash_encode: points", points, ("n", grid.dims), points.device)
    expect("hash_encode: table", table, (grid.entries, grid.features), points.device)
    if backend(points.device) == "reference":
        return reference.hash_encode(points, table, grid)
    encoded = _HashEncode.apply(points, table, grid)
    assert isinstance(encoded, Tensor)
    return encoded


@functools.cache
def _layout_tensor(grid: HashGrid, device: torch.device) -> Tensor:
    """The levels as the kernel's `struct Level`."""
    scales = torch.tensor([level.scale for level in grid.layout], dtype=torch.float32).view(torch.int32)
    rest = torch.tensor([level[1:] for level in grid.layout], dtype=torch.int32)
    return torch.cat([scales[:, None], rest], 1).to(device)


def _launch(entry: str, items: int, grid: HashGrid, points: Tensor, *arguments: Tensor) -> None:
    kernels = Kernels("hash_encode", (("DIMS", grid.dims), ("FEATURES", grid.features)))
    layout = _layout_tensor(grid, points.device)
    launch(kernels, entry, points.device, items, len(points), grid.levels, layout, points, *arguments)


def _blocks(grid: HashGrid, points: Tensor) -> int:
    """Items of the kernels that write to points: (level, point) pairs on a GPU, blocks of points on a CPU."""
    return grid.levels * len(points) if points.is_cuda else -(-len(points) // _CPU_BLOCK)


class _HashEncode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, *inputs: Any) -> Tensor:
        points, table, grid = inputs
        encoded = points.new_empty(len(points), grid.width)
        _launch("hash_forward", _blocks(grid, points), grid, points, table, encoded)
        ctx.save_for_backward(points, table)
        ctx.grid = grid
        return encoded

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        points, table = ctx.saved_tensors
        grid, grad = ctx.grid, grads[0].contiguous()
        points_grad = table_grad = None
        if ctx.needs_input_grad[0]:
            points_grad = torch.zeros_like(points)
            _launch("hash_backward_points", _blocks(grid, points), grid, points, table, grad, points_grad)
        if ctx.needs_input_grad[1]:
            table_grad = torch.zeros_like(table)
            items = grid.levels * (len(points) if points.is_cuda else 1)
            _launch("hash_backward_table", items, grid, points, grad, table_grad)
        return points_grad, table_grad, None
