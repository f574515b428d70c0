"""Training pixels: every usable pixel of every training picture in memory as uint8, drawn at random as rays.

All pictures lie behind one another in one [pixels, 4] array, so they may differ in size; masked pixels are left out.
A batch is a pure function of the generator handed in, which is what makes a resumed run equal an uninterrupted one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from teacher.cameras import Cameras
from teacher.errors import UserError
from teacher.rays import Rays
from teacher.scene import Frame, premultiply


@dataclass(frozen=True)
class RayBatch:
    """Rays in the norm frame, the pictures they belong to, and the premultiplied RGBA that their pixels show."""

    rays: Rays
    frames: Int[Tensor, " rays"]
    rgba: Float[Tensor, "rays 4"]


class PixelPool:
    """All training pixels of `frames`; raises UserError if masks leave none."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.cameras = Cameras.stack([frame.camera for frame in frames])
        pictures = [frame.picture.rgba().reshape(-1, 4) for frame in frames]
        counts = torch.tensor([len(picture) for picture in pictures])
        self._first = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
        self.pixels: UInt8[np.ndarray, "pixels 4"] = np.concatenate(pictures)
        self.usable = _usable_pixels(frames, self._first)
        if self.usable is not None and len(self.usable) == 0:
            raise UserError(
                "the masks",
                "every pixel of every training picture masked out",
                "white where a pixel is to be used",
                "check the masks' polarity (white = keep)",
            )

    def __len__(self) -> int:
        return len(self.pixels) if self.usable is None else len(self.usable)

    def draw(self, count: int, generator: torch.Generator) -> RayBatch:
        """`count` pixels, uniform over all pictures, with replacement."""
        flat = torch.randint(len(self), (count,), generator=generator)
        flat = flat if self.usable is None else self.usable[flat]
        camera = torch.searchsorted(self._first, flat, right=True) - 1
        within = flat - self._first[camera]
        width = self.cameras.size[camera, 0]
        uv = torch.stack([within % width, within // width], -1) + 0.5
        rgba = premultiply(self.pixels[flat.numpy()])
        return RayBatch(self.cameras.rays(camera, uv), camera, rgba)


def _usable_pixels(frames: Sequence[Frame], first: Tensor) -> Int[Tensor, " usable"] | None:
    """Flat indices of unmasked pixels, or None where no frame has a mask."""
    masks = [frame.picture.mask() for frame in frames]
    if all(mask is None for mask in masks):
        return None
    keep = torch.ones(int(first[-1]), dtype=torch.bool)
    for mask, start, end in zip(masks, first[:-1], first[1:], strict=True):
        if mask is not None:
            keep[start:end] = torch.from_numpy(mask.reshape(-1))
    return torch.nonzero(keep)[:, 0]
