"""The contract between teacher and student: a `View`, and anything that can render one.

A view is a camera and what it sees: premultiplied sRGB RGBA and depth. Depth is the distance along the *unit* ray at
which the light comes from, in norm units (the expected distance given that the ray hits something); it is 0 where alpha
is 0. A trained NeRF, the analytic demo scene and a folder of stored shards are all `ViewRenderer`s.
"""

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera


@dataclass(frozen=True)
class View:
    """One rendered picture; see the module's docstring for units."""

    camera: Camera
    rgba: Float[Tensor, "height width 4"]
    depth: Float[Tensor, "height width"]


class ViewRenderer(Protocol):
    """Renders the scene from any pinhole camera in the norm frame, at the camera's own size."""

    def render(self, camera: Camera) -> View:
        """The view from `camera`."""
        ...
