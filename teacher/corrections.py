"""Corrections of the training cameras, learned with the field: given poses are never quite right.

Every training picture has its own correction; held-out pictures keep the pose they were given, up to the similarity
that the training cameras have moved by together.

    frames, rays --forward--> corrected rays (training; differentiable in the corrections)
    training camera --corrected--> Camera    held-out camera --aligned--> Camera
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from teacher.cameras import Camera, apply_similarity
from teacher.optimiser import Group
from teacher.rays import Rays
from teacher.rigid import aligning_similarity, differences, gauge_directions, moved, rotate


@dataclass(frozen=True)
class CorrectionsConfig:
    """Camera corrections; the rates are nerfacto's (Tancik et al. 2023): 1e-3 to 1e-4 beside a field's 1e-2."""

    rate: float = 0.0
    """Learning rate, as a multiple of the field's (0.1 is usual); 0: cameras are as given."""
    final: float = 0.1
    """Fraction of its peak that this rate has at the end of training."""
    start: int = 500
    """Training step of the first correction: by then there is a coarse scene to be right or wrong about."""
    decay: float = 0.0
    """L2 towards the given poses: half of it times the sum of all squares (radians, norm units) joins the loss."""

    def build(self, cameras: Sequence[Camera]) -> "GivenCameras":
        """What moves the training cameras `cameras` (norm frame), by nothing at first."""
        return LearnedCameras(self, cameras) if self.rate else GivenCameras()


class GivenCameras(nn.Module):
    """No correction, and what any correction answers."""

    exact = True
    """Whether the given poses are taken at their word: what a picture leaves no room for can then be given up."""

    def groups(self) -> dict[str, Group]:
        """How the optimiser treats each parameter."""
        return {}

    def update(self, step: int) -> None:
        """Get ready for training step `step`."""
        return

    def forward(self, rays: Rays, frames: Int[Tensor, " rays"]) -> Rays:
        """Rays of training frames (their numbers), as the corrected cameras cast them."""
        return rays

    def corrected(self, camera: Camera, frame: int) -> Camera:
        """The camera of a training frame, corrected; its lens, intrinsics and size stay."""
        return camera

    def aligned(self, camera: Camera) -> Camera:
        """A camera that was given along with the training cameras, moved as these have moved together."""
        return camera

    def summary(self, names: Sequence[str]) -> dict[str, Any]:
        """What corrections.json says of the training frames `names`; empty: there is nothing to say."""
        return {}


class LearnedCameras(GivenCameras):
    """A rotation and a translation for each training camera, SO(3) × R³ as in nerfacto's camera optimiser.

    They are about the camera's centre along the axes of the norm frame (see `teacher.rigid`), not along the camera's
    own: rays are moved without a look at their camera, and what all cameras can do together without changing any
    picture, the gauge, is a linear space of the vectors. That space is projected out wherever vectors are used, so
    that the corrections are the smallest of all that show the same pictures (to first order): no drift, and the
    given held-out poses stay valid. Photogrammetry calls these inner constraints
    (Triggs et al. 2000, "Bundle Adjustment: A Modern Synthesis", section 9).
    """

    exact = False
    gauge: Float[Tensor, "coordinates directions"]

    def __init__(self, config: CorrectionsConfig, cameras: Sequence[Camera]) -> None:
        super().__init__()
        self.config, self.cameras = config, tuple(cameras)
        self.tangents = nn.Parameter(torch.zeros(len(cameras), 6))
        centres = torch.stack([camera.position for camera in cameras]).float()
        self.register_buffer("gauge", gauge_directions(centres), persistent=False)

    def groups(self) -> dict[str, Group]:
        """One group with a schedule of its own."""
        c = self.config
        return {"tangents": Group(rate=c.rate, final=c.final, start=c.start, pull=c.decay)}

    def update(self, step: int) -> None:
        """Before the first correction, rays need no gradients."""
        self.tangents.requires_grad_(step >= self.config.start)

    def motions(self) -> Float[Tensor, "frames 6"]:
        """(rotation vector, translation) of each training camera: radians and norm units, norm frame."""
        flat = self.tangents.flatten()
        return (flat - self.gauge @ (flat @ self.gauge)).reshape(-1, 6)

    def forward(self, rays: Rays, frames: Int[Tensor, " rays"]) -> Rays:
        """Rays moved with their cameras; differentiable with respect to the vectors."""
        if not self.tangents.requires_grad:
            return rays
        w, v = self.motions()[frames].split(3, -1)
        return Rays(rays.origins + v, rotate(w, rays.directions))

    def corrected(self, camera: Camera, frame: int) -> Camera:
        """The camera of training frame `frame`, corrected."""
        return moved(camera, self.motions()[frame].cpu())

    def aligned(self, camera: Camera) -> Camera:
        """`camera` moved by the similarity that takes the given training cameras onto the corrected ones."""
        return apply_similarity(aligning_similarity(self.cameras, self._moved()), camera)

    def summary(self, names: Sequence[str]) -> dict[str, Any]:
        """Size of each frame's correction, with mean, median and maximum over the frames."""
        angles, distances = differences(self.cameras, self._moved())
        sizes = {"rotation_degrees": angles, "translation_norm_units": distances}
        rows = zip(names, self.motions().tolist(), *sizes.values(), strict=True)
        return {
            **{size: _statistics(values) for size, values in sizes.items()},
            "frames": {
                name: {**dict(zip(sizes, map(float, values), strict=True)), "motion": motion}
                for name, motion, *values in rows
            },
        }

    def _moved(self) -> list[Camera]:
        motions = self.motions().cpu()
        return [moved(camera, motion) for camera, motion in zip(self.cameras, motions, strict=True)]


def _statistics(values: Tensor) -> dict[str, float]:
    return {
        "mean": float(values.mean()),
        "median": float(values.median()),
        "max": float(values.max()),
    }
