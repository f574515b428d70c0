"""Which density is the surface: Otsu's threshold between nothing and something.

    density --over a stretch of `STRETCH` of the box--> opacity in [0, 1] --Otsu--> opacity --> level

Otsu 1979, "A Threshold Selection Method from Gray-Level Histograms": the value that splits a histogram with the least
variance within both parts. It is taken of opacities, since densities have no end on either side: of their logarithms
it finds the split between two kinds of nothing in a capture whose air is mist. docs/mesh.md has the figures.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.errors import UserError
from teacher.mesh.region import Lattice
from teacher.mesh.solid import Density

STRETCH = 0.04
"""Of the box's longest side: how thick a thing is that should be seen to be there."""
_ASKED, _BINS, _LEAST = 64, 256, 1e-3


def choose_level(density: Density, box: Float[Tensor, "2 3"]) -> float:
    """The level for `density` inside `box`, from its values at nodes of a coarse lattice.

    Raises:
        UserError: there is nothing in the box.
    """
    lattice = Lattice.over(box, _ASKED)
    values = torch.cat([density(lattice.layer(i)) for i in range(lattice.nodes[0])])
    values = values[values > 0]
    if not len(values):
        raise UserError(
            "the teacher's density",
            "nothing in the box that is looked at",
            "something to make a surface of",
            "give another --box, or train longer",
        )
    stretch = STRETCH * float((box[1] - box[0]).max())
    opacity = float(otsu(1 - torch.exp(-stretch * values)))
    return -math.log1p(-min(max(opacity, _LEAST), 1 - _LEAST)) / stretch


def otsu(values: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """The threshold that splits `values` with the least variance within the two parts."""
    low, high = values.min(), values.max()
    if low == high:
        return low
    counts = torch.histc(values, _BINS, float(low), float(high)).double()
    centres = low + (high - low) * (torch.arange(_BINS) + 0.5) / _BINS
    below = counts.cumsum(0) / counts.sum()
    sums = (counts * centres).cumsum(0) / counts.sum()
    between = (sums[-1] * below - sums).square() / (below * (1 - below)).clamp_min(1e-12)
    best = between[:-1] > between[:-1].max() * (1 - 1e-9)
    return centres[:-1][best].mean()  # the middle, where an empty gap leaves it open
