"""Training pixels: every usable pixel of every training picture in memory as uint8, drawn at random as rays.

All pictures lie behind one another in one [pixels, 4] tensor on the device that trains, so they may differ in size;
masked pixels are left out. Only the pixels of a batch ever become floating-point numbers. A batch is a pure function of
the generator handed in, which is what makes a resumed run equal an uninterrupted one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
    """All training pixels of `frames` on `device`; raises UserError if masks leave none."""

    def __init__(self, frames: Sequence[Frame], device: torch.device | str = "cpu") -> None:
        cameras = Cameras.stack([frame.camera for frame in frames])
        first = torch.nn.functional.pad(cameras.size.prod(1).cumsum(0), (1, 0))
        self.cameras, self._first = cameras.to(device), first.to(device)
        self.pixels: UInt8[Tensor, "pixels 4"] = torch.empty(
            int(first[-1]), 4, dtype=torch.uint8, device=device
        )
        for frame, start, end in zip(frames, first[:-1], first[1:], strict=True):
            self.pixels[start:end] = torch.from_numpy(frame.picture.rgba()).view(-1, 4).to(device)
        usable = _usable_pixels(frames, first)
        self.usable = None if usable is None else usable.to(device)
        if len(self) == 0:
            raise UserError(
                "the masks",
                "every pixel of every training picture masked out",
                "white where a pixel is to be used",
                "check the masks' polarity (white = keep)",
            )

    def __len__(self) -> int:
        return len(self.pixels) if self.usable is None else len(self.usable)

    def draw(self, count: int, generator: torch.Generator) -> RayBatch:
        """`count` pixels, uniform over all pictures, with replacement; the generator is of the pool's device."""
        flat = torch.randint(len(self), (count,), generator=generator, device=self.pixels.device)
        flat = flat if self.usable is None else self.usable[flat]
        camera = torch.searchsorted(self._first, flat, right=True) - 1
        within = flat - self._first[camera]
        width = self.cameras.size[camera, 0]
        uv = torch.stack([within % width, within // width], -1) + 0.5
        return RayBatch(self.cameras.rays(camera, uv), camera, premultiply(self.pixels[flat]))


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
