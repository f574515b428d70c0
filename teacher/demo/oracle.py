"""The still life as a teacher that makes no mistakes.

With it, distillation can be tried and tested without training a NeRF first.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera, apply_similarity
from teacher.demo.dataset import TRAIN_OFFSET, VERSION
from teacher.demo.scene import BOUNDS, norm_from_world, orbit_cameras, still_life
from teacher.demo.things import StillLife
from teacher.demo.tracer import render
from teacher.pseudo.envelope import fit_envelope
from teacher.pseudo.source import Source
from teacher.pseudo.view import View


@dataclass(frozen=True)
class DemoRenderer:
    """Ray-traces the still life from cameras in the norm frame; a `ViewRenderer`."""

    T_norm_world: Float[Tensor, "4 4"] = field(default_factory=norm_from_world)
    """From the still life's world to the frame cameras are given in; a similarity."""
    samples_per_side: int = 3
    """Rays per pixel along each side."""
    scene: StillLife = field(default_factory=still_life)

    def render(self, camera: Camera) -> View:
        """What `camera` sees; depth comes back in norm units."""
        rendering = render(
            self.scene, apply_similarity(self._T_world_norm, camera), self.samples_per_side
        )
        return View(camera, rendering.rgba, rendering.depth * self._scale)

    @property
    def _T_world_norm(self) -> Float[Tensor, "4 4"]:
        return torch.linalg.inv(self.T_norm_world.double()).float()

    @property
    def _scale(self) -> float:
        """Norm units per world unit."""
        return float(self.T_norm_world[:3, :3].double().det()) ** (1 / 3)


def demo_source(size: int = 128, train: int = 100) -> Source:
    """The still life as a source of views, with the training cameras of `write_demo_scene`."""
    T = norm_from_world()
    cameras = [apply_similarity(T, camera) for camera in orbit_cameras(train, size, TRAIN_OFFSET)]
    box = torch.tensor(BOUNDS) @ T[:3, :3].T + T[:3, 3]
    renderer = DemoRenderer(T)
    return Source(
        "demo",
        renderer,
        fit_envelope(cameras),
        box,
        tuple(cameras),
        f"demo-{VERSION}-{renderer.samples_per_side}x{renderer.samples_per_side}",
    )
