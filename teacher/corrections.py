"""Corrections of the training cameras, learned with the field: given poses are never quite right.

Every training picture has its own correction; held-out pictures keep the pose they were given, up to the similarity
that the training cameras have moved by together. Pictures through one lens share its correction, held-out ones too
(`teacher.lens_corrections`).

    frames, rays --forward--> corrected rays (training; differentiable in the corrections)
    training camera --corrected--> Camera    held-out camera --aligned--> Camera
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from teacher.cameras import Camera, apply_similarity, point_of_interest
from teacher.lens_corrections import GivenLenses, LearnedLenses
from teacher.optimiser import Group
from teacher.rays import Rays
from teacher.rigid import (
    aligning_similarity,
    differences,
    gauge_directions,
    gauge_readings,
    moved,
    orbit_basis,
    rotate,
)


@dataclass(frozen=True)
class CorrectionsConfig:
    """Camera corrections; the rates are nerfacto's (Tancik et al. 2023): 1e-3 to 1e-4 beside a field's 1e-2."""

    rate: float = 0.0
    """Learning rate of poses, as a multiple of the field's (0.1 is usual); 0: poses are as given."""
    final: float = 0.03
    """Fraction of its peak that this rate has at the end of training: what noise leaves in poses goes with it."""
    start: int = 50
    """Training step of the first correction: by then there is a coarse scene to be right or wrong about. Later is
    worse: what a sharp scene has learned from wrong cameras has to be unlearned."""
    decay: float = 0.0
    """L2 towards the given poses: half of it times the sum of all squares (radians) joins the loss."""
    intrinsics: float = 0.0
    """Learning rate of the lenses' focal length, principal point and k1 (`teacher.lens_corrections`), as a multiple of
    the field's; 0: lenses are as given."""

    def build(self, cameras: Sequence[Camera]) -> "GivenCameras":
        """What moves the training cameras `cameras` (norm frame), by nothing at first."""
        return LearnedCameras(self, cameras) if self.rate or self.intrinsics else GivenCameras()


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
        """The camera of a training frame, corrected; its size stays."""
        return camera

    def aligned(self, camera: Camera) -> Camera:
        """A camera that was given along with the training cameras, moved as these have moved together."""
        return camera

    def rows(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Whose the rows of parameters are, by parameter, for the training frames `names`."""
        return {}

    def summary(self, names: Sequence[str]) -> dict[str, Any]:
        """What corrections.json says of the training frames `names`; empty: there is nothing to say."""
        return {}


class LearnedCameras(GivenCameras):
    """A rotation and a translation for each training camera, SO(3) × R³ as in nerfacto's camera optimiser.

    A motion is about the camera's centre along the axes of the norm frame (see `teacher.rigid`): rays are moved without
    a look at their camera, and what all cameras can do together without changing any picture, the gauge, is a linear
    space of the motions. It is projected out wherever motions are used, in such a way that the cameras on average keep
    what they show where it is: no drift, and the field need not follow. Photogrammetry calls these inner constraints
    (Triggs et al. 2000, "Bundle Adjustment: A Modern Synthesis", section 9); the usual ones keep the cameras' mean
    place instead, and a scene that has to move in the field's tables moves slowly.

    What is learned are coordinates of each motion in a basis of its own (`teacher.rigid.orbit_basis`), which pictures
    tell apart.
    """

    exact = False
    basis: Float[Tensor, "frames 6 6"]
    gauge: Float[Tensor, "coordinates directions"]
    readings: Float[Tensor, "directions coordinates"]

    def __init__(self, config: CorrectionsConfig, cameras: Sequence[Camera]) -> None:
        super().__init__()
        self.config, self.cameras = config, tuple(cameras)
        self.coordinates = nn.Parameter(torch.zeros(len(cameras), 6))
        self.lenses = LearnedLenses(cameras) if config.intrinsics else GivenLenses()
        self.target = point_of_interest(cameras)
        centres = torch.stack([camera.position for camera in cameras]).double()
        gauge, readings = gauge_directions(centres), gauge_readings(centres, self.target)
        basis = torch.stack([orbit_basis(camera, self.target) for camera in cameras])
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("gauge", gauge.float(), persistent=False)
        readings = torch.linalg.pinv(readings @ gauge) @ readings
        self.register_buffer("readings", readings.float(), persistent=False)

    def groups(self) -> dict[str, Group]:
        """Groups with a schedule of their own."""
        c = self.config
        poses = Group(rate=c.rate, final=c.final, start=c.start, pull=c.decay)
        groups = {"coordinates": poses}
        if c.intrinsics:
            groups["lenses.numbers"] = replace(poses, rate=c.intrinsics)
        return groups

    def update(self, step: int) -> None:
        """Before the first correction, rays need no gradients."""
        resting = step < self.config.start
        self.coordinates.requires_grad_(self.config.rate > 0 and not resting)
        self.lenses.rest(resting)

    def motions(self) -> Float[Tensor, "frames 6"]:
        """(rotation vector, translation) of each training camera: radians and norm units, norm frame."""
        flat = (self.basis @ self.coordinates[:, :, None]).flatten()
        return (flat - self.gauge @ (self.readings @ flat)).reshape(-1, 6)

    def forward(self, rays: Rays, frames: Int[Tensor, " rays"]) -> Rays:
        """Rays moved with their cameras; differentiable with respect to the vectors."""
        rays = self.lenses(rays, frames)
        if not self.coordinates.requires_grad:
            return rays
        w, v = self.motions()[frames].split(3, -1)
        return Rays(rays.origins + v, rotate(w, rays.directions))

    def corrected(self, camera: Camera, frame: int) -> Camera:
        """The camera of training frame `frame`, corrected."""
        return moved(self.lenses.applied(camera), self.motions()[frame].cpu())

    def aligned(self, camera: Camera) -> Camera:
        """`camera` moved by the similarity that takes the given training cameras onto the corrected ones."""
        T = aligning_similarity(self.cameras, self._moved(), self.target)
        return apply_similarity(T, self.lenses.applied(camera))

    def rows(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Vectors are frames', numbers are lenses'."""
        return {"coordinates": tuple(names), "lenses.numbers": self.lenses.names}

    def summary(self, names: Sequence[str]) -> dict[str, Any]:
        """Size of each frame's correction, with mean, median and maximum over the frames."""
        angles, distances = differences(self.cameras, self._moved())
        sizes = {"rotation_degrees": angles, "translation_norm_units": distances}
        rows = zip(names, self.motions().tolist(), *sizes.values(), strict=True)
        return {
            **{size: _statistics(values) for size, values in sizes.items()},
            **({"lenses": self.lenses.summary()} if self.lenses.names else {}),
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
