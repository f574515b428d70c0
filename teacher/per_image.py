"""What differs between training pictures of one scene: codes, such as for the hour of the day, and exposure.

    codes --colour network--> samples' colours --composite--> premultiplied RGBA --exposed--> as this picture shows it

Codes are NeRF in the Wild's (Martin-Brualla et al. 2021), section 4.1: the colour network reads a vector that is
learned for each picture; density does not, so that what is where stays common to all. A picture that was not trained on
gets the mean of all, or the zero that all began with.

Gains are what a camera's automatic exposure and white balance do, and nothing else: pixels are multiplied by one
number, or one for each channel. sRGB is nearly a power of light, so a factor of the light is a factor there too, its
2.2th root: a stop is 1.37. Logarithms are less their mean over the training pictures: everybody else sees the scene in
their mean exposure, and what all could have in common stays the scene's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from teacher.optimiser import Group
from teacher.pseudo.view import View


@dataclass(frozen=True)
class PerImageConfig:
    """Appearance codes and exposure."""

    size: int = 0
    """Numbers per picture; 0: pictures are taken to show the same scene in the same light."""
    rate: float = 0.1
    """Learning rate, as a multiple of the field's."""
    decay: float = 0.0
    """L2: half of it times the sum of all squares joins the loss."""
    neutral: Literal["mean", "zero"] = "mean"
    """Code of a picture that was not trained on."""
    gains: Literal[0, 1, 3] = 0
    """Log gains per picture: 1 for exposure, 3 for white balance too; 0: all were exposed alike."""
    gain_rate: float = 0.1
    """Their learning rate, as a multiple of the field's."""
    gain_decay: float = 0.0
    """L2 of theirs."""

    def build(self, frames: int) -> "PerImage":
        """Codes and gains of `frames` pictures, zero at first."""
        return PerImage(self, frames)


class PerImage(nn.Module):
    """See the module's docstring."""

    def __init__(self, config: PerImageConfig, frames: int) -> None:
        super().__init__()
        self.config = config
        self.codes = nn.Parameter(torch.zeros(frames, config.size))
        if config.gains:  # of what was trained without, checkpoints know nothing
            self.gains = nn.Parameter(torch.zeros(frames, config.gains))

    def groups(self) -> dict[str, Group]:
        """Slower groups."""
        c = self.config
        groups = {"codes": Group(rate=c.rate, pull=c.decay)}
        return groups | {"gains": Group(rate=c.gain_rate, pull=c.gain_decay)} if c.gains else groups

    def rows(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Whose the rows of parameters are, by parameter, for the training frames `names`."""
        return dict.fromkeys(self.groups(), tuple(names))

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

    def log_gains(self) -> Float[Tensor, "frames channels"]:
        """Of each training picture; their mean is zero."""
        return self.gains - self.gains.mean(0)

    def exposed(
        self, rgba: Float[Tensor, "rays 4"], frames: Int[Tensor, " rays"]
    ) -> Float[Tensor, "rays 4"]:
        """What the scene shows (premultiplied), as the pictures of these rays do; differentiable."""
        return amplified(rgba, self.log_gains()[frames]) if self.config.gains else rgba

    def exposed_view(self, view: View, frame: int) -> View:
        """A view of the scene in the exposure of the training picture number `frame`."""
        if not self.config.gains:
            return view
        return replace(view, rgba=amplified(view.rgba, self.log_gains()[frame].detach().cpu()))


def amplified(
    rgba: Float[Tensor, "*pixels 4"], log_gain: Float[Tensor, "*#pixels channels"]
) -> Float[Tensor, "*pixels 4"]:
    """Premultiplied colours times exp(log_gain), cut off at white.

    Gradients pass as if they were not cut off: one that is too bright for its picture has to become darker, and white
    that would be brighter is right as it is.
    """
    rgb, alpha = (rgba[..., :3] * log_gain.exp()), rgba[..., 3:]
    cut = torch.minimum(rgb, alpha)
    return torch.cat([rgb + (cut - rgb).detach(), alpha], -1)


def as_exposed(
    image: Float[Tensor, "*pixels 3"], truth: Float[Tensor, "*pixels 3"]
) -> Float[Tensor, "*pixels 3"]:
    """`image` with the gain of each channel that brings it closest to `truth`; nobody knows a held-out picture's."""
    flat, like = image.reshape(-1, 3), truth.reshape(-1, 3)
    gain = (flat * like).sum(0) / flat.square().sum(0).clamp_min(1e-6)
    return (image * gain).clamp(0, 1)
