"""The distortion of packed rays' weights in plain torch: the op's definition and fallback.

Letters, per sample i of a ray: w = weight, m = (t_start + t_end) / 2, W = sum of the w before i,
M = sum of the w * m before i.
"""

from jaxtyping import Float, Int
from torch import Tensor

from teacher.ops.packed import pad, row_mask


def distortion(
    weights: Float[Tensor, " samples"],
    t_starts: Float[Tensor, " samples"],
    t_ends: Float[Tensor, " samples"],
    offsets: Int[Tensor, " rays_plus_one"],
) -> Float[Tensor, " rays"]:
    """As `teacher.ops.distortion`, for any device and floating type."""
    mask = row_mask(offsets)
    w = pad(weights, mask)
    # Only differences of m count: measured from each ray's first sample they keep their digits.
    starts, ends = pad(t_starts, mask), pad(t_ends, mask)
    m = 0.5 * ((starts - starts[:, :1]) + (ends - ends[:, :1]))
    W, M = w.cumsum(1) - w, (w * m).cumsum(1) - w * m
    return (2 * w * (m * W - M) + w.square() * (ends - starts) / 3).sum(1)
