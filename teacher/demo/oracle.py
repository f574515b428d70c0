"""The still life as a teacher that makes no mistakes: distillation can be tried and tested without training a NeRF."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera, apply_similarity
from teacher.demo.scene import norm_from_world, still_life
from teacher.demo.things import StillLife
from teacher.demo.tracer import render
from teacher.pseudo.view import View


@dataclass(frozen=True)
class DemoRenderer:
    """Ray-traces the still life for cameras in the norm frame; a `teacher.pseudo.view.ViewRenderer`."""

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
