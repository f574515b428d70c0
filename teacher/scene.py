"""What a data set is once it is loaded: posed, lazily read pictures in one normalised frame.

    folder --datasets/*.py--> RawScene (data set's own frame) --datasets/normalise.py--> Scene

In the normalised frame ("norm") the scene's box `aabb` is centred in [-1, 1]^3, its longest side is
2 and +z is still up. Everything downstream (teacher, pseudo-data, student, page) works in it;
`T_norm_world` leads back to the data set's own frame.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from teacher.cameras import Camera
from teacher.pictures import Picture


@dataclass(frozen=True)
class Frame:
    """One photograph: a name that stays the same across runs, its picture and its camera."""

    name: str
    picture: Picture
    camera: Camera


@dataclass(frozen=True)
class Scene:
    """Frames by split, in the normalised frame; see the module's docstring."""

    name: str
    splits: dict[str, tuple[Frame, ...]]
    """By name: "train" and "test" always, "val" where the data set has it and "test" as well."""
    T_norm_world: Float[Tensor, "4 4"]
    aabb: Float[Tensor, "2 3"]
    """Lower and upper corner of the box around everything that is modelled, in the norm frame."""
    has_alpha: bool
    """Whether pictures separate the object from what is behind, so that any background will do."""
    warnings: tuple[str, ...] = ()
    """What is odd about the data set but can be worked with, one sentence each."""
    T_world_source: Float[Tensor, "4 4"] = field(default_factory=lambda: torch.eye(4))
    """From the frame of the reconstruction to the data set's ("world"), where that is on record."""
    points: Float[Tensor, "n 3"] | None = None
    """Sparse points of the reconstruction in the norm frame, mistakes removed; None where there are none."""

    def cameras(self, split: str = "train") -> list[Camera]:
        """The cameras of one split, in the norm frame."""
        return [frame.camera for frame in self.splits[split]]


def composite_over(
    rgba: Float[Tensor, "*batch 4"], background: Tensor | float
) -> Float[Tensor, "*batch 3"]:
    """Put premultiplied `rgba` over an opaque background, in sRGB space as PNG viewers do."""
    return rgba[..., :3] + (1 - rgba[..., 3:]) * background


def premultiply(
    rgba: UInt8[np.ndarray, "*batch 4"] | UInt8[Tensor, "*batch 4"],
) -> Float[Tensor, "*batch 4"]:
    """8-bit straight alpha to floating-point premultiplied alpha in [0, 1]."""
    values = torch.as_tensor(rgba).float() / 255
    return torch.cat([values[..., :3] * values[..., 3:], values[..., 3:]], -1)
