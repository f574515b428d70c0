"""A source of views: whatever a student can be distilled from, opened from one path.

    runs/x/teacher (a trained NeRF) | "demo" (the analytic scene, an oracle) | a store of shards -> Source
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera
from teacher.pseudo.envelope import Envelope
from teacher.pseudo.view import ViewRenderer


@dataclass(frozen=True)
class Source:
    """A renderer together with what a student must know of the scene."""

    name: str
    renderer: ViewRenderer
    envelope: Envelope
    aabb: Float[Tensor, "2 3"]
    """The scene's box in the norm frame."""
    cameras: tuple[Camera, ...]
    """The training cameras, without distortion: they define the picture's size and are part of the pool."""
    fingerprint: str
    """Changes when the views would: keeps stored shards of different teachers apart."""
