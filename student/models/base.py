"""What every student is: pose and intrinsics in, RGBA and depth out, in one forward pass.

    T_norm_camera, intrinsics -> rays of a coarse grid -> clipped to the scene's box -> encoding -> network -> picture

All of it is inside `forward`, so Python, the panel and the browser run one graph and nobody re-implements rays.
"""

from abc import ABC, abstractmethod
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


class LightField(nn.Module, ABC):
    """A student network for one scene."""

    upsampling: int
    """Output pixels per ray of the coarse grid, along each side."""
    aabb: Float[Tensor, "2 3"]
    """The scene's box in the norm frame (a buffer)."""

    @abstractmethod
    def forward(
        self,
        T_norm_camera: Float[Tensor, "batch 4 4"],
        intrinsics: Float[Tensor, "batch 4"],
        size: tuple[int, int],
    ) -> LightFieldOutput:
        """The pictures of `size` = (height, width), multiples of `upsampling`; intrinsics are fractions.

        A crop of a picture is the camera with intrinsics of the crop: the network is fully convolutional.
        """


def grid_rays(
    T_norm_camera: Float[Tensor, "batch 4 4"],
    intrinsics: Float[Tensor, "batch 4"],
    size: tuple[int, int],
) -> tuple[Float[Tensor, "batch 3 height width"], Float[Tensor, "batch 3 height width"]]:
    """Origins and unit directions through the pixel centres of a grid of `size` = (height, width)."""
    height, width = size
    device = intrinsics.device
    v = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) / height
    u = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) / width
    fx, fy, cx, cy = (value[:, None, None] for value in intrinsics.unbind(-1))
    x = ((u[None, None, :] - cx) / fx).expand(-1, height, -1)
    y = ((v[None, :, None] - cy) / fy).expand(-1, -1, width)
    local = torch.stack([x, -y, -torch.ones_like(x)], 1)
    R, t = T_norm_camera[:, :3, :3], T_norm_camera[:, :3, 3]
    directions = (R @ local.flatten(2)).unflatten(2, (height, width))
    directions = directions / directions.square().sum(1, keepdim=True).sqrt()
    return t[:, :, None, None].expand_as(directions), directions
