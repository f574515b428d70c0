"""Packed values as one padded row per ray, for the references: ray i owns values `offsets[i]:offsets[i + 1]`."""

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
    values: Float[Tensor, "samples *channels"], mask: Bool[Tensor, "rays longest"]
) -> Float[Tensor, "rays longest *channels"]:
    """Lay packed `values` out in the rows of `mask`, zero elsewhere; `padded[mask]` packs them again."""
    return values.new_zeros(*mask.shape, *values.shape[1:]).masked_scatter(
        mask.view(*mask.shape, *(1 for _ in values.shape[1:])), values
    )
