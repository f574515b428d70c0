"""The contract between teacher and student: a `View`, and anything that can render one.

A view is a camera and what it sees: premultiplied sRGB RGBA and depth. Depth is the distance along
the *unit* ray at which the light comes from, in norm units (the expected distance given that the
ray hits something); it is 0 where alpha is 0. A trained NeRF, the analytic demo scene and a folder
of stored shards are all `ViewRenderer`s.

Kept in memory or on disk, a view is packed to 6 bytes a pixel: uint8 RGBA and float16 depth.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float16, UInt8
from torch import Tensor

from teacher.cameras import Camera
from teacher.errors import UserError

_MAX_DEPTH = torch.finfo(torch.float16).max


@dataclass(frozen=True)
class View:
    """One rendered picture; see the module's docstring for units."""

    camera: Camera
    rgba: Float[Tensor, "height width 4"]
    depth: Float[Tensor, "height width"]


@runtime_checkable
class ViewRenderer(Protocol):
    """Renders the scene from any pinhole camera in the norm frame, at the camera's own size."""

    def render(self, camera: Camera) -> View:
        """The view from `camera`."""
        ...


@dataclass(frozen=True)
class PackedView:
    """A view at 6 bytes a pixel: colours within 1/510, depth within 1/2048 of itself."""

    camera: Camera
    rgba: UInt8[Tensor, "height width 4"]
    """Premultiplied, like the view's."""
    depth: Float16[Tensor, "height width"]

    @staticmethod
    def pack(view: View) -> "PackedView":
        """Round `view`; packing what `unpack` returns gives the same bytes again.

        Raises:
            UserError: the view has colours or depths that are not finite.
        """
        if not (view.rgba.isfinite().all() and view.depth.isfinite().all()):
            raise UserError(
                "a view rendered by the teacher",
                "colours or depths that are not finite",
                "finite numbers",
                "the teacher has diverged: train it again, with a lower learning rate",
            )
        rgba = (view.rgba.clamp(0, 1) * 255).round().to(torch.uint8)
        return PackedView(view.camera, rgba, view.depth.clamp(0, _MAX_DEPTH).half())

    def unpack(self) -> View:
        """The view in float32."""
        return View(self.camera, self.rgba.float() / 255, self.depth.float())
