"""A teacher variant: field × sampler × per-image looks × camera corrections, each chosen by its configuration.

    frames --PerImage--> codes ---------+
    frames, rays --corrections--> rays --render_rays(field, sampler)--> Rendering --PerImage--> exposed Rendering

Parts that a variant goes without are there in their neutral form (no codes, cameras as given), so that nothing
downstream asks which variant it holds.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from teacher.cameras import Camera
from teacher.corrections import GivenCameras
from teacher.fields.base import RadianceField
from teacher.optimiser import Group
from teacher.per_image import PerImage
from teacher.pseudo.view import View
from teacher.rays import Rays
from teacher.render import Rendering, render_rays, render_view
from teacher.samplers.base import RaySampler, RenderConfig
from teacher.scene import Frame


class Variant(nn.Module):
    """See the module's docstring."""

    def __init__(
        self,
        field: RadianceField,
        sampler: RaySampler,
        per_image: PerImage,
        corrections: GivenCameras,
        config: RenderConfig,
    ) -> None:
        super().__init__()
        self.field, self.sampler, self.config = field, sampler, config
        self.per_image, self.corrections = per_image, corrections

    def groups(self) -> dict[str, Group]:
        """How the optimiser treats each parameter, by its name in this module."""
        parts = {
            "field": self.field,
            "sampler": self.sampler,
            "per_image": self.per_image,
            "corrections": self.corrections,
        }
        return {
            f"{part}.{name}": group
            for part, module in parts.items()
            for name, group in module.groups().items()
        }

    def render_batch(
        self,
        rays: Rays,
        frames: Int[Tensor, " rays"],
        jitter: Float[Tensor, " rays"],
        capacity: int | None = None,
    ) -> Rendering:
        """Render rays of training pictures, each as its own picture would show it.

        For `capacity` see `RenderConfig`.
        """
        corrected = self.corrections(rays, frames)
        codes, config = self.per_image(frames), replace(self.config, capacity=capacity)
        seen = render_rays(self.field, self.sampler, corrected, codes, jitter, config)
        return replace(seen, rgba=self.per_image.exposed(seen.rgba, frames))

    def prepare(self, frames: Sequence[Frame], points: Float[Tensor, "n 3"] | None = None) -> None:
        """Learn what the training pictures say before the first step, if their cameras are where they are said to be.

        Silhouettes carve for good: from 1 degree off they cost the demo scene 1.4 dB that corrections could not undo.
        What sparse `points` say is rough enough for any cameras.
        """
        if self.corrections.exact:
            self.sampler.prepare(frames)
        if points is not None:
            self.sampler.begin_near(points, frames)

    def update(self, step: int, generator: torch.Generator, steps: int = 1) -> None:
        """Get ready for training step `step` of `steps`."""
        self.field.update(step, steps)
        self.sampler.update(self.field, step, generator)
        self.corrections.update(step)

    def rows(self, names: Sequence[str]) -> dict[str, list[str]]:
        """What the rows of parameters belong to, by parameter: training frames, which are called `names`, or lenses."""
        parts = {"per_image": self.per_image, "corrections": self.corrections}
        return {
            f"{part}.{name}": list(owners)
            for part, module in parts.items()
            for name, owners in module.rows(names).items()
        }

    def render_view(self, camera: Camera, frame: int | None = None) -> View:
        """Render a picture from `camera` as it is, in the look of training frame `frame`, or else the neutral one."""
        code = self.per_image.neutral() if frame is None else self.per_image.of(frame)
        view = render_view(self.field, self.sampler, camera, code, self.config)
        return view if frame is None else self.per_image.exposed_view(view, frame)

    def render_frame(self, camera: Camera, frame: int) -> View:
        """Render the training frame number `frame`, given with `camera`, as training does: corrected, with its look."""
        return self.render_view(self.corrections.corrected(camera, frame), frame)
