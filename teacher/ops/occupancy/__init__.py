"""The occupancy grid's upkeep: a moving maximum of densities, and the cells where it is high."""

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
    """Decay every cell's density, then raise the sampled ones, in place (Müller 2022, app. E.2).

    A cell becomes max(decay * old, the values found in it), or decay * old where none was. A
    negative density marks a cell that no camera sees: it stays as it is.

    Args:
        density: estimates per unit length, [cells, cells, cells].
        indices: the sampled cells in the flattened grid; int64, repetitions allowed.
        values: the density found there; what is not positive counts as zero.
        decay: in [0, 1].

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernel reads, or an
            index is outside the grid.

    >>> density = torch.tensor([1.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0]).view(2, 2, 2)
    >>> found = torch.tensor([3.0, 1.0, 2.0, 5.0])
    >>> occupancy_update(density, torch.tensor([1, 2, 2, 3]), found, 0.5)
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
    low, high = map(int, indices.aminmax())
    if low < 0 or high >= cells:
        raise UserError(
            "occupancy_update: indices",
            f"{low}…{high}",
            f"0…{cells - 1}",
            "give positions in the flattened grid",
        )


def occupancy_threshold(
    density: Float[Tensor, "cells cells cells"], threshold: float
) -> UInt8[Tensor, "cells cells cells"]:
    """Which cells are occupied: those above `threshold` or above the mean, whichever is less.

    The mean is taken over cells of positive density. It counts early in training, when densities
    are low everywhere: the upper ones still get samples. Plain torch on every device, since it
    only reads the grid once.

    Args:
        density: estimates per unit length, [cells, cells, cells].
        threshold: in the same unit.

    Returns:
        1 where occupied, else 0.

    >>> density = torch.tensor([-1.0, 0.0, 1.0, 2.0, 3.0, 0.0, 0.0, 0.0]).view(2, 2, 2)
    >>> occupancy_threshold(density, 9.0).flatten()  # above the mean of 1, 2 and 3
    tensor([0, 0, 0, 0, 1, 0, 0, 0], dtype=torch.uint8)
    """
    return reference.occupancy_threshold(density, threshold)
