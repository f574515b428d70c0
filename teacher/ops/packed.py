"""Packed values as one padded row per ray, for the references.

Ray i owns values `offsets[i]:offsets[i + 1]`; a row is as long as the longest ray.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def row_mask(offsets: Int[Tensor, " rays_plus_one"]) -> Bool[Tensor, "rays longest"]:
    """True where a padded row holds a value; a row's values come first, in their packed order.

    >>> row_mask(torch.tensor([0, 2, 2, 3]))
    tensor([[ True,  True],
            [False, False],
            [ True, False]])
    """
    counts = offsets.diff()
    longest = int(counts.max()) if len(counts) else 0
    return torch.arange(longest, device=offsets.device) < counts[:, None]


def pad(
    values: Float[Tensor, "samples ..."], mask: Bool[Tensor, "rays longest"]
) -> Float[Tensor, "rays longest ..."]:
    """Lay packed values out in the rows of `mask`, zero elsewhere; `padded[mask]` is the inverse.

    >>> pad(torch.tensor([1.0, 2.0, 3.0]), row_mask(torch.tensor([0, 2, 2, 3])))
    tensor([[1., 2.],
            [0., 0.],
            [3., 0.]])
    """
    inner = values.shape[1:]
    rows = values.new_zeros(*mask.shape, *inner)
    return rows.masked_scatter(mask.view(*mask.shape, *(1 for _ in inner)), values)
