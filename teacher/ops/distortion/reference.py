"""The distortion of packed rays' weights in plain torch: the definition of the op and its fallback.

Letters, per sample i of a ray: w = weight, m = (t_start + t_end) / 2, W = sum of the w before i, M = sum of the w * m before.
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
    # Differences of m only: measured from each ray's first sample they keep their digits.
    m = pad(0.5 * (t_starts + t_ends), mask)
    m = m - m[:, :1]
    W, M = w.cumsum(1) - w, (w * m).cumsum(1) - w * m
    length = pad(t_ends - t_starts, mask)
    return (2 * w * (m * W - M) + w.square() * length / 3).sum(1)
