"""Sparse points of a reconstruction: which of them to believe, and a box that holds what they show.

points [, tracks] --reliable, believed--> points without mistakes --widened--> a box that holds them too
"""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

LEAST_TRACK = 3  # pictures that must show a point: two rays nearly always meet somewhere
LEAST_POINTS = 50  # fewer say nothing about the extent of a scene
MARGIN = 0.1  # of the longest side of what the points span: surfaces go on where corners end
FARTHEST = (
    4.0  # mean distances of the cameras; beyond, a box has no cells left for what they look at
)
QUANTILE = 0.01  # of each coordinate, at either end, is set aside when extents are measured
FENCE = 1.0  # a point farther outside than this times the extent is a mistake, not a far wall


def reliable(
    points: Float64[Tensor, "n 3"], tracks: Int64[Tensor, " n"], T: Float64[Tensor, "4 4"]
) -> Float64[Tensor, "m 3"] | None:
    """Points seen often enough and not far off all others, moved by `T`; None where too few are left."""
    return believed(points[tracks >= LEAST_TRACK] @ T[:3, :3].T + T[:3, 3])


def believed(points: Float64[Tensor, "n 3"]) -> Float64[Tensor, "m 3"] | None:
    """Points that are finite and not far off all others; None where too few are left."""
    points = points[points.isfinite().all(-1)]
    if len(points) < LEAST_POINTS:
        return None
    low, high = _middle(points)
    reach = FENCE * (high - low)
    near = ((points >= low - reach) & (points <= high + reach)).all(-1)
    return points[near]


def _middle(points: Float[Tensor, "n 3"]) -> Float[Tensor, "2 3"]:
    """Each coordinate's range without its outermost hundredths."""
    ordered = points.sort(0).values
    aside = int(QUANTILE * len(points))
    return torch.stack([ordered[aside], ordered[len(points) - 1 - aside]])


def widened(box: Float[Tensor, "2 3"], points: Float[Tensor, "n 3"]) -> Float[Tensor, "2 3"]:
    """`box` and what the points show, in the near frame of `teacher.datasets.normalise`.

    Never a smaller box: on fox one that fits what is seen cost 0.4 dB (docs/decisions.md).
    """
    low, high = _middle(points)
    margin = MARGIN * (high - low).max()
    low, high = torch.stack([low - margin, high + margin]).clamp(-FARTHEST, FARTHEST)
    return torch.stack([torch.minimum(box[0], low), torch.maximum(box[1], high)])
