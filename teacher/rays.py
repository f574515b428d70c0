"""Rays and packed samples: the two structures that every sampler, op and renderer speaks.

Samples of all rays lie behind one another ("packed"); ray i owns `offsets[i]:offsets[i + 1]`.
Distances are along the unit direction, in the units of the frame that the origins are in.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Rays:
    """Half-lines `origins + t * directions`, t >= 0; directions have unit length."""

    origins: Float[Tensor, "rays 3"]
    directions: Float[Tensor, "rays 3"]

    def __len__(self) -> int:
        return self.origins.shape[0]

    def __getitem__(self, index: slice | Tensor) -> "Rays":
        return Rays(self.origins[index], self.directions[index])


@dataclass(frozen=True)
class Samples:
    """Intervals [t_starts, t_ends] along rays, packed ray after ray in increasing t."""

    ray_indices: Int[Tensor, " samples"]
    t_starts: Float[Tensor, " samples"]
    t_ends: Float[Tensor, " samples"]
    offsets: Int[Tensor, " rays_plus_one"]
    complete: Bool[Tensor, " rays"] | None = None
    """Where the arrays have a fixed capacity, and may end in unused places: which rays got all of their samples."""

    def __len__(self) -> int:
        return self.t_starts.shape[0]

    def before_overflow(self) -> Bool[Tensor, " rays"] | None:
        """With a fixed capacity: the rays before the first that did not fit.

        Behind it only rays without samples are complete: a mean over all complete ones would favour emptiness.
        """
        return None if self.complete is None else self.complete.int().cumprod(0).bool()

    def midpoints(self, rays: Rays) -> Float[Tensor, "samples 3"]:
        """Centre of each interval, in the rays' frame."""
        t = 0.5 * (self.t_starts + self.t_ends)
        index = self.ray_indices.long()
        return torch.addcmul(rays.origins[index], rays.directions[index], t[:, None])
