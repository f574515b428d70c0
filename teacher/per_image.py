"""Codes per training picture: what differs between pictures of one scene, such as exposure or the hour of the day.

NeRF in the Wild (Martin-Brualla et al. 2021), section 4.1: the colour network reads a vector that is learned for each
picture; density does not, so that what is where stays common to all. A picture that was not trained on gets the mean
of all, or the zero that all began with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from teacher.optimiser import Group


@dataclass(frozen=True)
class PerImageConfig:
    """Appearance codes."""

    size: int = 0
    """Numbers per picture; 0: pictures are taken to show the same scene in the same light."""
    rate: float = 0.1
    """Learning rate, as a multiple of the field's."""
    decay: float = 0.0
    """L2: half of it times the sum of all squares joins the loss."""
    neutral: Literal["mean", "zero"] = "mean"
    """Code of a picture that was not trained on."""

    def build(self, frames: int) -> "PerImage":
        """Codes of `frames` pictures, zero at first."""
        return PerImage(self, frames)


class PerImage(nn.Module):
    """See the module's docstring."""

    def __init__(self, config: PerImageConfig, frames: int) -> None:
        super().__init__()
        self.config = config
        self.codes = nn.Parameter(torch.zeros(frames, config.size))

    def groups(self) -> dict[str, Group]:
        """One slower group."""
        return {"codes": Group(rate=self.config.rate, pull=self.config.decay)}

    def rows(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Whose the rows of parameters are, by parameter, for the training frames `names`."""
        return {"codes": tuple(names)}

    def forward(self, frames: Int[Tensor, " rays"]) -> Float[Tensor, "rays codes"]:
        """The code of each ray's picture."""
        return self.codes[frames]

    def of(self, frame: int) -> Float[Tensor, " codes"]:
        """The code of one training picture, without gradients."""
        return self.codes.detach()[frame]

    def neutral(self) -> Float[Tensor, " codes"]:
        """The code of a picture that was not trained on."""
        codes = self.codes.detach()
        return codes.mean(0) if self.config.neutral == "mean" else torch.zeros_like(codes[0])
