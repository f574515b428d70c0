"""The density grid behind an occupancy grid in plain torch: the ops' definition and fallback."""

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor


@torch.no_grad()
def occupancy_update(
    density: Float[Tensor, "cells cells cells"],
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
    density: Float[Tensor, "cells cells cells"], threshold: float
) -> UInt8[Tensor, "cells cells cells"]:
    """As `teacher.ops.occupancy_threshold`."""
    # In float64: else the order of summation, and so the number of threads, could move a cell.
    total = density.clamp_min(0).sum(dtype=torch.float64)
    mean = total / (density > 0).sum().clamp_min(1)
    return (density > mean.clamp_max(threshold).to(density.dtype)).to(torch.uint8)
