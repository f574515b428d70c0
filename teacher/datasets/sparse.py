"""Sparse points of a reconstruction: which of them to believe, and the box around what they show.

points, tracks --reliable--> points without mistakes --bounds--> box that holds them and the cameras
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
    seen = points[(tracks >= LEAST_TRACK) & points.isfinite().all(-1)]
    if len(seen) < LEAST_POINTS:
        return None
    moved = seen @ T[:3, :3].T + T[:3, 3]
    low, high = _middle(moved)
    reach = FENCE * (high - low)
    near = ((moved >= low - reach) & (moved <= high + reach)).all(-1)
    return moved[near]


def _middle(points: Float[Tensor, "n 3"]) -> Float[Tensor, "2 3"]:
    """Each coordinate's range without its outermost hundredths."""
    ordered = points.sort(0).values
    aside = int(QUANTILE * len(points))
    return torch.stack([ordered[aside], ordered[len(points) - 1 - aside]])


def bounds(
    points: Float[Tensor, "n 3"], cameras: Float[Tensor, "cameras 3"]
) -> Float[Tensor, "2 3"]:
    """The box of what the points show, and of the cameras, in the near frame of `teacher.datasets.normalise`."""
    low, high = _middle(points)
    margin = MARGIN * (high - low).max()
    shown = torch.stack([low - margin, high + margin]).clamp(-FARTHEST, FARTHEST)
    room = 0.05 * cameras.abs().max()
    low, high = cameras.amin(0) - room, cameras.amax(0) + room
    return torch.stack([torch.minimum(shown[0], low), torch.maximum(shown[1], high)])
