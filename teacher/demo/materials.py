"""What the things of the still life are made of: reflectance at the surface, and colour beneath it.

A material mirrors by Schlick's Fresnel term and scatters diffusely what enters it; its `albedo`, a
function of position and normal in the thing's own frame, is the linear colour of the diffuse part.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.demo.textures import Texture, wood

Albedo = Callable[[Float[Tensor, "3 n"], Float[Tensor, "3 n"]], Float[Tensor, "3 n"]]


@dataclass(frozen=True)
class Material:
    """A smooth or slightly rough surface over a diffuse body."""

    f0: tuple[float, float, float]
    """Reflectance at normal incidence, linear."""
    roughness: float
    albedo: Albedo | None
    """None for metals, which have no diffuse part."""


@dataclass(frozen=True)
class Plain:
    """One colour everywhere."""

    colour: tuple[float, float, float]

    def __call__(self, p: Float[Tensor, "3 n"], n: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
        """See `Albedo`."""
        return torch.tensor(self.colour)[:, None].expand_as(p)


@dataclass(frozen=True)
class InlaidWood:
    """A wooden board with chips let into its top face only: its rim shows plain wood."""

    inlay: Texture
    """Premultiplied linear RGBA."""
    half: float
    """Half the side of the square that the inlay covers."""

    def __call__(self, p: Float[Tensor, "3 n"], n: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
        """See `Albedo`."""
        rgba = self.inlay.sample(0.5 + 0.5 * p[0] / self.half, 0.5 + 0.5 * p[1] / self.half)
        rgba = rgba * (n[2] > 0.5)
        return rgba[:3] + (1 - rgba[3]) * wood(p)


# (right, up) on each face of a box seen from outside, an axis being (index, sign). right x up is
# the outward normal, or labels would be mirrored. Order: -x, +x, -y, +y, -z, +z.
FACE_AXES = (
    ((1, -1), (2, 1)),
    ((1, 1), (2, 1)),
    ((0, 1), (2, 1)),
    ((0, -1), (2, 1)),
    ((0, -1), (1, 1)),
    ((0, 1), (1, 1)),
)


@dataclass(frozen=True)
class PrintedBox:
    """A box with a label on each face, in the order of `FACE_AXES`."""

    labels: tuple[Texture, ...]
    half: float

    def __call__(self, p: Float[Tensor, "3 n"], n: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
        """See `Albedo`."""
        axis = n.abs().argmax(0)
        face = 2 * axis + (n.gather(0, axis[None])[0] > 0)
        colour = torch.empty_like(p)
        for k, (label, (right, up)) in enumerate(zip(self.labels, FACE_AXES, strict=True)):
            pick = torch.nonzero(face == k).squeeze(1)
            u, v = (sign * p[i, pick] / self.half for i, sign in (right, up))
            colour[:, pick] = label.sample(0.5 + 0.5 * u, 0.5 + 0.5 * v)
        return colour
