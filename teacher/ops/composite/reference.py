"""Emission and absorption along packed rays in plain torch: the op's definition and fallback.

Letters, per sample i of a ray: tau = density * (t_end - t_start), T = exp(-sum of the tau before
i), alpha = 1 - exp(-tau), w = T * alpha, m = (t_start + t_end) / 2.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from teacher.ops.packed import pad, row_mask


class Composite(NamedTuple):
    """What a set of rays sees."""

    colour: Float[Tensor, "rays channels"]
    """Sum of w * colour: premultiplied."""
    alpha: Float[Tensor, " rays"]
    """Sum of w, in [0, 1]."""
    depth: Float[Tensor, " rays"]
    """Sum of w * m, not divided by alpha."""
    weights: Float[Tensor, " samples"]
    """w of each sample, zero behind the early stop."""


def composite(
    density: Float[Tensor, " samples"],
    colour: Float[Tensor, "samples channels"],
    t_starts: Float[Tensor, " samples"],
    t_ends: Float[Tensor, " samples"],
    offsets: Int[Tensor, " rays_plus_one"],
    early_stop: float = 1e-4,
) -> Composite:
    """As `teacher.ops.composite`, for any device and floating type."""
    mask = row_mask(offsets)
    tau = pad(density * (t_ends - t_starts), mask)
    T = torch.exp(-torch.nn.functional.pad(tau, (1, 0)).cumsum(1)[:, :-1])
    w = torch.where(T >= early_stop, T * -torch.expm1(-tau), 0)
    m = pad(0.5 * (t_starts + t_ends), mask)
    seen = (w[..., None] * pad(colour, mask)).sum(1)
    packed = w[mask]
    unused = len(density) - len(packed)  # what is left of a fixed capacity
    weights = torch.nn.functional.pad(packed, (0, unused))
    return Composite(seen, w.sum(1), (w * m).sum(1), weights)
