"""What a data set is once it is loaded: posed, lazily read pictures in one normalised frame.

    folder --datasets/*.py--> RawScene (data set's own frame) --datasets/normalise.py--> Scene ("norm" frame)

In the norm frame the scene's box `aabb` fits into [-1, 1]^3, its longest side is 2, +z is still up. Everything
downstream (teacher, pseudo-data, student, page) works in it; `T_norm_world` leads back to the data set's frame.
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
    """Frames by split ("train", "test", perhaps "val"), in the normalised frame; see the module's docstring."""

    name: str
    splits: dict[str, tuple[Frame, ...]]
    T_norm_world: Float[Tensor, "4 4"]
    aabb: Float[Tensor, "2 3"]
    """Lower and upper corner of the box that holds everything the teacher models, in the norm frame."""
    has_alpha: bool
    """Whether pictures separate the object from the background; then any background may be put behind it."""
    warnings: tuple[str, ...] = field(default=())

    def cameras(self, split: str = "train") -> list[Camera]:
        """The cameras of one split, in the norm frame."""
        return [frame.camera for frame in self.splits[split]]


def composite_over(
    rgba: Float[Tensor, "*batch 4"], background: Float[Tensor, "3"] | float
) -> Float[Tensor, "*batch 3"]:
    """Put premultiplied `rgba` over an opaque background (in sRGB space, as browsers and PNG viewers do)."""
    return rgba[..., :3] + (1 - rgba[..., 3:]) * background


def premultiply(rgba: UInt8[np.ndarray, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """8-bit straight alpha to floating-point premultiplied alpha in [0, 1]."""
    values = torch.from_numpy(rgba).float() / 255
    return torch.cat([values[..., :3] * values[..., 3:], values[..., 3:]], -1)
