"""What every student is: pose and intrinsics in, RGBA and depth out, in one forward pass.

    T_norm_camera, intrinsics -> rays of a coarse grid -> clipped to the scene's box -> encoding
                              -> network -> picture

All of it is inside `forward`, so Python, the panel and the browser run one graph and nobody
re-implements rays.

Half-pixel convention: a grid of h x w rays looks through the centres (u + 0.5) / w, (v + 0.5) / h.
The ray of a coarse cell is therefore the centre of its block of `upsampling` x `upsampling` pixels,
and every upsampling stage keeps it so.
"""

from abc import ABC, abstractmethod
from copy import deepcopy
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LightFieldOutput(NamedTuple):
    """One picture per batch entry."""

    rgba: Float[Tensor, "batch 4 height width"]
    """Premultiplied sRGB and alpha in [0, 1]."""
    depth: Float[Tensor, "batch 1 height width"]
    """Distance along the unit ray, in norm units."""
    guess: Float[Tensor, "batch 1 height width"] | None = None
    """Depth as guessed on the way, by students that correct a guess; taught like depth."""


class LightField(nn.Module, ABC):
    """A student network for one scene.

    Args:
        upsampling: output pixels per ray of the coarse grid, along each side.
        aabb: the scene's box in the norm frame; it becomes a buffer.
    """

    aabb: Float[Tensor, "2 3"]
    """The scene's box in the norm frame (a buffer)."""

    def __init__(self, upsampling: int, aabb: Float[Tensor, "2 3"]) -> None:
        super().__init__()
        self.upsampling = upsampling
        self.register_buffer("aabb", aabb.detach().clone().float())

    @abstractmethod
    def forward(
        self,
        T_norm_camera: Float[Tensor, "batch 4 4"],
        intrinsics: Float[Tensor, "batch 4"],
        size: tuple[int, int],
    ) -> LightFieldOutput:
        """The pictures of `size` = (height, width), multiples of `upsampling`; intrinsics are
        fractions.

        A crop of a picture is the camera with intrinsics of the crop (`crop_intrinsics`): the
        network is fully convolutional, so only what mixes neighbouring rays differs, within a ray
        of the crop's border.
        """

    def coarse_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the ray grid behind a picture of `size`."""
        height, width = size
        assert height % self.upsampling == 0 and width % self.upsampling == 0, (
            f"{height}x{width} is not a multiple of {self.upsampling}"
        )
        return height // self.upsampling, width // self.upsampling

    def at_half_size(self) -> "LightField | None":
        """The student for pictures of half the width and height, with the same weights and rays.

        None where that would hardly cost less, because most of the work is done ray by ray. Half as
        many rays along each side are no way out: a student knows what lies between its rays at the
        distance between them that it was trained with (5 dB worse, docs/decisions.md).
        """
        return None

    def for_export(self) -> "LightField":
        """A copy in evaluation mode, made only of operations that a browser's WebGPU provider has.

        Every part that has an `exported()` form (feature planes: gathers in place of GridSample) is
        replaced by it; what the copy computes is the same.
        """
        copy = deepcopy(self).eval()
        _export_parts(copy)
        return copy


def _export_parts(module: nn.Module) -> None:
    for name, child in module.named_children():
        exported = getattr(child, "exported", None)
        if exported is None:
            _export_parts(child)
        else:
            setattr(module, name, exported())


def grid_rays(
    T_norm_camera: Float[Tensor, "batch 4 4"],
    intrinsics: Float[Tensor, "batch 4"],
    size: tuple[int, int],
) -> tuple[Float[Tensor, "batch 3 height width"], Float[Tensor, "batch 3 height width"]]:
    """Origins and unit directions through the pixel centres of a grid of `size` = (height, width).

    Intrinsics are fractions of the picture's width and height, so the same camera serves every
    grid.
    """
    local = camera_rays(intrinsics, size)
    R, t = T_norm_camera[:, :3, :3], T_norm_camera[:, :3, 3]
    directions = (R @ local.flatten(2)).unflatten(2, size)
    directions = directions / directions.square().sum(1, keepdim=True).sqrt()
    return t[:, :, None, None].expand_as(directions), directions


def camera_rays(
    intrinsics: Float[Tensor, "batch 4"], size: tuple[int, int]
) -> Float[Tensor, "batch 3 height width"]:
    """Directions through the pixel centres in the camera's own frame, scaled to z = -1."""
    height, width = size
    v = (torch.arange(height, device=intrinsics.device, dtype=torch.float32) + 0.5) / height
    u = (torch.arange(width, device=intrinsics.device, dtype=torch.float32) + 0.5) / width
    fx, fy, cx, cy = (value[:, None, None] for value in intrinsics.unbind(-1))
    x = ((u[None, None, :] - cx) / fx).expand(-1, height, -1)
    y = ((v[None, :, None] - cy) / fy).expand(-1, -1, width)
    return torch.stack([x, -y, -torch.ones_like(x)], 1)


def crop_intrinsics(
    intrinsics: Float[Tensor, "batch 4"],
    size: tuple[int, int],
    corner: tuple[int, int],
    crop: tuple[int, int],
) -> Float[Tensor, "batch 4"]:
    """Intrinsics (fractions) of a crop of a picture, which is a camera of its own.

    Args:
        intrinsics: fx/width, fy/height, cx/width, cy/height of the whole picture.
        size: (height, width) of the whole picture, in pixels.
        corner: (row, column) of the crop's first pixel; it may be negative, and the crop may reach
            past the picture.
        crop: (height, width) of the crop, in pixels.
    """
    (height, width), (top, left), (crop_height, crop_width) = size, corner, crop
    whole = intrinsics.new_tensor([width, height, width, height])
    part = intrinsics.new_tensor([crop_width, crop_height, crop_width, crop_height])
    return (intrinsics * whole - intrinsics.new_tensor([0, 0, left, top])) / part
