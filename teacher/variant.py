"""A teacher variant: field × sampler × per-image codes × camera corrections, each chosen by its configuration.

    frames --PerImage--> codes ----------+
    frames, rays --CameraCorrections--> rays --render_rays(field, sampler)--> Rendering

Parts that a variant goes without are there in their neutral form (no codes, cameras as given), so that nothing
downstream asks which variant it holds.
"""

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
        self, rays: Rays, frames: Int[Tensor, " rays"], jitter: Float[Tensor, " rays"]
    ) -> Rendering:
        """Render rays of training pictures, each as its own picture would show it."""
        corrected = self.corrections(rays, frames)
        codes = self.per_image(frames)
        return render_rays(self.field, self.sampler, corrected, codes, jitter, self.config)

    def render_view(self, camera: Camera) -> View:
        """Render a picture of no training frame, with the neutral code."""
        return render_view(self.field, self.sampler, camera, self.per_image.neutral(), self.config)
