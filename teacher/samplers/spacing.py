"""Where along a ray samples would be even if nothing were known of the scene."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.errors import UserError


@dataclass(frozen=True)
class Spacing:
    """Evenly in distance at first, then evenly in disparity: distance t in norm units to s in [0, 1] and back.

    s is g(t) scaled so that `near` is 0 and `far` is 1, where g(t) = t up to `linear` and linear * (2 - linear / t)
    beyond: mip-NeRF 360's contraction (equation 10) in one dimension, in place of its g(t) = 1 / t (equation 11), which
    would spend most samples right at the camera.
    """

    near: float = 0.05
    """Nothing closer to a camera than this is sampled, in norm units."""
    far: float = 1000.0
    """Nothing farther away either."""
    linear: float = 1.0
    """The distance up to which samples are even in distance, in norm units; half of them, if `far` is far away."""

    def __post_init__(self) -> None:
        if not (0 <= self.near < self.far <= 1e4 * self.linear):
            raise UserError(
                "the spacing of samples along rays",
                f"near {self.near}, far {self.far}, linear {self.linear}",
                "0 <= near < far <= 10000 * linear (float32 has no room for more)",
                "correct them",
            )

    def to_s(self, t: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Normalised distance."""
        begin, end = _bent(self.near, self.linear), _bent(self.far, self.linear)
        beyond = self.linear * (2 - self.linear / t.clamp_min(self.linear))
        return (torch.where(t > self.linear, beyond, t) - begin) / (end - begin)

    def to_t(self, s: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The inverse of `to_s`."""
        begin, end = _bent(self.near, self.linear), _bent(self.far, self.linear)
        bent = begin + s * (end - begin)
        beyond = self.linear / (2 - bent.clamp(self.linear, end) / self.linear)
        return torch.where(bent > self.linear, beyond, bent)


def _bent(t: float, linear: float) -> float:
    return t if t <= linear else linear * (2 - linear / t)
