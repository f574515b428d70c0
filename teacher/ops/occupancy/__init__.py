"""The occupancy grid's upkeep: a moving maximum of densities, and one bit where it is high."""

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from teacher.errors import UserError
from teacher.ops import launch
from teacher.ops.build import Kernels
from teacher.ops.checks import expect
from teacher.ops.occupancy import reference
from teacher.ops.occupancy.morton import check_cells

__all__ = ["occupancy_bits", "occupancy_threshold", "occupancy_update"]

_KERNELS = Kernels("occupancy")


@torch.no_grad()
def occupancy_update(
    density: Float[Tensor, "cascades cells cells cells"],
    indices: Int[Tensor, " samples"],
    values: Float[Tensor, " samples"],
    decay: float,
) -> None:
    """Decay every cell's density, then raise the sampled ones, in place (Müller 2022, app. E.2).

    A cell becomes max(decay * old, the values found in it), or decay * old where none was. A
    negative density marks a cell that no camera sees: it stays as it is.

    Args:
        density: estimates per unit length, [cascades, cells, cells, cells].
        indices: the sampled cells in the flattened grid; int64, repetitions allowed.
        values: the density found there; what is not positive counts as zero.
        decay: in [0, 1].

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernel reads, or an
            index is outside the grid (looked at on a CPU only: a GPU would have to be waited for).

    >>> density = torch.tensor([1.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0]).view(1, 2, 2, 2)
    >>> found = torch.tensor([3.0, 1.0, 2.0, 5.0])
    >>> occupancy_update(density, torch.tensor([1, 2, 2, 3]), found, 0.5)
    >>> density.flatten()[:4]
    tensor([ 0.5000,  3.0000,  2.0000, -1.0000])
    """
    device, samples = density.device, indices.shape[0]
    expect("occupancy_update: density", density, ("cascades", *density.shape[1:2] * 3), device)
    expect("occupancy_update: indices", indices, (samples,), device, (torch.int64,))
    expect("occupancy_update: values", values, (samples,), device)
    _check_range(indices, density.numel())
    if launch.backend(device) == "reference":
        return reference.occupancy_update(density, indices, values, decay)
    launch.run(_KERNELS, "occupancy_decay", device, density.numel(), density, float(decay))
    launch.run(_KERNELS, "occupancy_raise", device, samples, density, indices, values)


def _check_range(indices: Int[Tensor, " samples"], cells: int) -> None:
    if indices.device.type != "cpu" or not len(indices):
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
    density: Float[Tensor, "cascades cells cells cells"], threshold: float
) -> Float[Tensor, ""]:
    """The density above which cells are occupied: `threshold` or the mean, whichever is less.

    The mean is taken over cells of positive density. It counts early in training, when densities
    are low everywhere: the upper ones still get samples. Plain torch on every device, since it
    only reads the grid once; the result stays on the device.

    Args:
        density: estimates per unit length, [cascades, cells, cells, cells].
        threshold: in the same unit.

    >>> density = torch.tensor([-1.0, 0.0, 1.0, 2.0, 3.0, 0.0, 0.0, 0.0]).view(1, 2, 2, 2)
    >>> occupancy_threshold(density, 9.0), occupancy_threshold(density, 1.5)
    (tensor(2.), tensor(1.5000))
    """
    return reference.occupancy_threshold(density, threshold)


@torch.no_grad()
def occupancy_bits(
    density: Float[Tensor, "cascades cells cells cells"], threshold: Float[Tensor, ""] | float
) -> UInt8[Tensor, "cascades bytes"]:
    """One bit per cell, in Morton order (see morton.py): set where the density is above `threshold`.

    Cascade c covers [-2^c, 2^c]^3. A cell of a coarser cascade is also occupied if one of the
    eight finer ones in its place is, so that no change of cascade loses what a ray was in.

    Args:
        density: estimates per unit length, [cascades, cells, cells, cells], indexed x, y, z;
            `cells` is a power of two from 8 to 1024.
        threshold: one number; where it is a tensor, on the same device, which is not waited for.

    Returns:
        What `ray_march` reads, [cascades, cells^3 / 8].

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernel reads.

    >>> density = torch.zeros(1, 8, 8, 8)
    >>> density[0, 1, 0, 0] = density[0, 0, 0, 3] = 9.0  # codes 1 and 4 + 32, bit 4 of byte 4
    >>> occupancy_bits(density, 5.0)[0, :5]
    tensor([ 2,  0,  0,  0, 16], dtype=torch.uint8)
    """
    device, cascades, cells = density.device, density.shape[0], density.shape[1]
    if not isinstance(threshold, Tensor):
        threshold = density.new_full((), threshold)
    expect("occupancy_bits: density", density, ("cascades", cells, cells, cells), device)
    expect("occupancy_bits: threshold", threshold, (), device)
    check_cells(cells)
    if launch.backend(device) == "reference":
        return reference.occupancy_bits(density, threshold)
    bits = torch.empty(cascades, cells**3 // 8, dtype=torch.uint8, device=device)
    words, finer = cells**3 // 64, None
    for values, own in zip(density, bits, strict=True):
        launch.run(_KERNELS, "occupancy_bits", device, words, values, threshold, finer, cells, own)
        finer = own
    return bits
