"""The density grid behind an occupancy grid in plain torch: the ops' definition and fallback."""

import itertools

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import max_pool3d

from teacher.ops.occupancy.morton import pack


@torch.no_grad()
def occupancy_update(
    density: Float[Tensor, "cascades cells cells cells"],
    indices: Int[Tensor, " samples"],
    values: Float[Tensor, " samples"],
    decay: float,
) -> None:
    """As `teacher.ops.occupancy_update`, for any device and floating type."""
    flat = density.view(-1)
    found = torch.zeros_like(flat)
    found.scatter_reduce_(0, indices, torch.where(values > 0, values, 0), "amax")
    flat.copy_(torch.where(flat < 0, flat, torch.maximum(flat * decay, found)))


@torch.no_grad()
def occupancy_threshold(
    density: Float[Tensor, "cascades cells cells cells"], threshold: float
) -> Float[Tensor, ""]:
    """As `teacher.ops.occupancy_threshold`."""
    # In float64: else the order of summation, and so the number of threads, could move a cell.
    total = density.clamp_min(0).sum(dtype=torch.float64)
    mean = total / (density > 0).sum().clamp_min(1)
    return mean.clamp_max(threshold).to(density.dtype)


@torch.no_grad()
def occupancy_bits(
    density: Float[Tensor, "cascades cells cells cells"], threshold: Float[Tensor, ""] | float
) -> UInt8[Tensor, "cascades bytes"]:
    """As `teacher.ops.occupancy_bits`, for any device and floating type."""
    occupied = density > threshold
    middle = slice(density.shape[1] // 4, 3 * density.shape[1] // 4)
    for finer, coarser in itertools.pairwise(occupied):
        coarser[middle, middle, middle] |= max_pool3d(finer[None].float(), 2)[0] > 0
    return pack(occupied)
