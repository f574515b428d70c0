"""Corrections of the training cameras, learned with the field: given poses are never quite right.

Every training picture has its own correction; held-out pictures keep the pose they were given.
"""

from jaxtyping import Int
from torch import Tensor, nn

from teacher.optimiser import Group
from teacher.rays import Rays


class GivenCameras(nn.Module):
    """No correction."""

    def groups(self) -> dict[str, Group]:
        """Nothing is learned."""
        return {}

    def forward(self, rays: Rays, frames: Int[Tensor, " rays"]) -> Rays:
        """The rays as they are."""
        return rays
