"""The occupancy grid's upkeep: an exponential moving maximum of densities, and the cells where it is high."""

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from teacher.errors import UserError
from teacher.ops import launch
from teacher.ops.build import Kernels
from teacher.ops.checks import expect
from teacher.ops.occupancy import reference

__all__ = ["occupancy_threshold", "occupancy_update"]

_KERNELS = Kernels("occupancy")


@torch.no_grad()
def occupancy_update(
    density: Float[Tensor, "cells cells cells"],
    indices: Int[Tensor, " samples"],
    values: Float[Tensor, " samples"],
    decay: float,
) -> None:
    """Let every cell's density decay, then raise the sampled ones (instant-ngp, Müller 2022, appendix E.2), in place.

    A cell becomes max(decay * old, its values); without a value, decay * old. A negative density marks a cell that no
    camera sees: it stays as it is.

    Args:
        density: estimates per unit length, [cells, cells, cells].
        indices: cells that were sampled, as positions in the flattened grid; int64, repetitions allowed.
        values: the density found there; what is not positive counts as zero.
        decay: in [0, 1].

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernel reads, or an index is outside.

    >>> density = torch.tensor([1.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0]).view(2, 2, 2)
    >>> occupancy_update(density, torch.tensor([1, 2, 2, 3]), torch.tensor([3.0, 1.0, 2.0, 5.0]), 0.5)
    >>> density.flatten()[:4]
    tensor([ 0.5000,  3.0000,  2.0000, -1.0000])
    """
    device, cells, samples = density.device, density.shape[0], indices.shape[0]
    expect("occupancy_update: density", density, (cells,) * 3, device)
    expect("occupancy_update: indices", indices, (samples,), device, (torch.int64,))
    expect("occupancy_update: values", values, (samples,), device)
    _check_range(indices, density.numel())
    if launch.backend(device) == "reference":
        return reference.occupancy_update(density, indices, values, decay)
    launch.run(_KERNELS, "occupancy_decay", device, density.numel(), density, float(decay))
    launch.run(_KERNELS, "occupancy_raise", device, samples, density, indices, values)


def _check_range(indices: Int[Tensor, " samples"], cells: int) -> None:
    if not len(indices):
        return
    low, high = indices.aminmax()
    if low < 0 or high >= cells:
        raise UserError(
            "occupancy_update: indices",
            f"{int(low)} … {int(high)}",
            f"0 … {cells - 1}",
            "give positions in the flattened grid",
        )


@torch.no_grad()
def occupancy_threshold(
    density: Float[Tensor, "cells cells cells"], threshold: float
) -> UInt8[Tensor, "cells cells cells"]:
    """Which cells are occupied: those above `threshold` or above the mean, whichever is less.

    The mean is taken over the cells with a positive density, so that at the start of training, when all densities are
    low, the upper part of the cells is still looked at. Plain torch on every device: it reads the grid once, every few steps.

    Args:
        density: estimates per unit length, [cells, cells, cells].
        threshold: in the same unit.

    Returns:
        1 where occupied, else 0.

    >>> occupancy_threshold(torch.tensor([-1.0, 0.0, 1.0, 2.0, 3.0, 0.0, 0.0, 0.0]).view(2, 2, 2), 9.0).flatten()
    tensor([0, 0, 0, 0, 1, 0, 0, 0], dtype=torch.uint8)
    """
    return reference.occupancy_threshold(density, threshold)
