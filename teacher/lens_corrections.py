"""Corrections of lenses, learned with the field: focal length, principal point and radial distortion.

Pictures share a lens where their intrinsics are the same fractions of their size, as those of one video are; held-out
pictures find theirs in the same way.

    rays of training frames --forward--> rays through the corrected lenses, from where they were
    camera, of any split --applied--> Camera with the corrected intrinsics
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from teacher.cameras import Camera, Cameras
from teacher.lenses import LENS_MODELS, LENSES
from teacher.rays import Rays

NUMBERS = ("focal", "aspect", "centre_x", "centre_y", "k1")


def lens_name(camera: Camera) -> str:
    """What pictures through one lens have in common, whatever they were shrunk to.

    >>> lens_name(Camera(torch.eye(4), 50.0, 60.0, 20.0, 30.0, 40, 60))
    'fx 1.25 fy 1 cx 0.5 cy 0.5'
    """
    names = zip(("fx", "fy", "cx", "cy"), camera.fractions, strict=True)
    return " ".join(f"{name} {value:.6g}" for name, value in names)  # of a resized one too


class GivenLenses(nn.Module):
    """No correction, and what any correction answers."""

    names: tuple[str, ...] = ()
    """Of the lenses that are corrected, row by row."""

    def rest(self, resting: bool) -> None:
        """Whether the numbers stay as they are for now."""
        return

    def forward(self, rays: Rays, frames: Int[Tensor, " rays"]) -> Rays:
        """Rays of training frames (their numbers) through the corrected lenses."""
        return rays

    def applied(self, camera: Camera) -> Camera:
        """`camera` with its lens corrected, if it has one of the training pictures' lenses."""
        return camera

    def summary(self) -> dict[str, Any]:
        """What corrections.json says of lenses; empty: there is nothing to say."""
        return {}


class LearnedLenses(GivenLenses):
    """Five numbers for each lens.

    fx and fy grow by exp(focal + aspect) and exp(focal - aspect), the principal point moves by so many (given) focal
    lengths, k1 is added to the lens's own. A pinhole has no k1 and gets none: the photograph may be one that distortion
    was taken out of. A longer focal length and a larger or nearer scene show almost the same: only perspective, depth
    within the picture, tells them apart. Where there is little of it (a relief, a telephoto lens), given intrinsics are
    the better ones.
    """

    intrinsics: Float[Tensor, "frames 4"]
    distortion: Float[Tensor, "frames 8"]
    T_world_camera: Float[Tensor, "frames 4 4"]
    size: Int[Tensor, "frames 2"]
    lens_of: Int[Tensor, " frames"]
    kind_of: Int[Tensor, " frames"]

    def __init__(self, cameras: Sequence[Camera]) -> None:
        super().__init__()
        names = [lens_name(camera) for camera in cameras]
        self.names = tuple(dict.fromkeys(names))
        self.numbers = nn.Parameter(torch.zeros(len(self.names), len(NUMBERS)))
        stack = Cameras.stack(cameras)
        self.kinds = stack.lens
        kept = {
            "T_world_camera": stack.T_world_camera,
            "intrinsics": stack.intrinsics,
            "distortion": stack.distortion,
            "size": stack.size,
            "lens_of": torch.tensor([self.names.index(name) for name in names]),
            "kind_of": torch.tensor([LENSES.index(kind) for kind in self.kinds]),
        }
        for name, tensor in kept.items():
            self.register_buffer(name, tensor, persistent=False)

    def rest(self, resting: bool) -> None:
        """Resting numbers need no gradients, and rays are left as they are."""
        self.numbers.requires_grad_(not resting)

    def forward(self, rays: Rays, frames: Int[Tensor, " rays"]) -> Rays:
        """Each ray's pixel, and from there back through the corrected lens; differentiable in the numbers."""
        if not self.numbers.requires_grad:
            return rays
        R, focal, centre = (
            self.T_world_camera[:, :3, :3][frames],
            *self.intrinsics[frames].split(2, -1),
        )
        local = (R.mT @ rays.directions[:, :, None])[:, :, 0]
        pixels = self._image_points(local, frames) * focal + centre
        numbers = self.numbers[self.lens_of]
        corrected = Cameras(
            self.T_world_camera,
            _intrinsics(self.intrinsics, numbers),
            self.size,
            self.kinds,
            _distortion(self.distortion, numbers),
        )
        return corrected.rays(frames, pixels)

    def _image_points(
        self, local: Float[Tensor, "rays 3"], frames: Int[Tensor, " rays"]
    ) -> Float[Tensor, "rays 2"]:
        """On the image plane, in focal lengths; where lenses are mixed, each model looks at all rays."""
        k, present = self.distortion[frames], sorted(set(self.kinds))
        xy = LENS_MODELS[present[0]].image_point(local, k)
        for kind in present[1:]:
            mine = self.kind_of[frames] == LENSES.index(kind)
            xy = torch.where(mine[:, None], LENS_MODELS[kind].image_point(local, k), xy)
        return xy

    def applied(self, camera: Camera) -> Camera:
        """`camera` with its lens corrected; without k1 where it has no distortion."""
        name = lens_name(camera)
        if name not in self.names:
            return camera
        numbers = self.numbers.detach().cpu()[self.names.index(name)][None]
        given = Cameras.stack([camera])
        fx, fy, cx, cy = _intrinsics(given.intrinsics, numbers)[0].tolist()
        moved = replace(camera, fx=fx, fy=fy, cx=cx, cy=cy)
        if camera.lens == "pinhole":
            return moved
        distortion = _distortion(given.distortion, numbers)[0].tolist()
        return replace(moved, distortion=tuple(distortion))

    def summary(self) -> dict[str, Any]:
        """The numbers of each lens, by its name."""
        rows = zip(self.names, self.numbers.tolist(), strict=True)
        return {name: dict(zip(NUMBERS, row, strict=True)) for name, row in rows}


def _intrinsics(given: Float[Tensor, "n 4"], numbers: Float[Tensor, "n 5"]) -> Float[Tensor, "n 4"]:
    focal, aspect, centre = numbers[:, :1], numbers[:, 1:2], numbers[:, 2:4]
    grown = given[:, :2] * torch.cat([focal + aspect, focal - aspect], -1).exp()
    return torch.cat([grown, given[:, 2:] + centre * given[:, :2]], -1)


def _distortion(given: Float[Tensor, "n 8"], numbers: Float[Tensor, "n 5"]) -> Float[Tensor, "n 8"]:
    return torch.cat([given[:, :1] + numbers[:, 4:], given[:, 1:]], -1)
