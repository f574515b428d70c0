"""Which cameras a student is shown, beside the training cameras: an envelope's, and their neighbours.

The page lets a visitor turn about the pivot, come closer (radius first, focal length once the radius
is at its end) and move the point looked at, each anywhere inside the envelope and in any
combination: so that is what is drawn, each range evenly and with a margin, since a network is worst
at the edge of what it has seen. Up is always up there, so nothing drawn rolls.

A capture along a path fills little of its envelope, and most of what its photographs show is seen
from near the path: a share of the views can be drawn there, between two neighbouring training
cameras.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from teacher.cameras import Camera, look_at
from teacher.pseudo.envelope import Envelope, sample_camera, seen_through, widened

NEIGHBOURS = 4
"""A camera's partner is one of this many that are nearest to it."""
NOISE = 0.25
"""Standard deviation of what is added to position and direction, in differences of the partners."""


@dataclass(frozen=True)
class CameraSampler:
    """How cameras are drawn; the defaults draw from the promised envelope alone."""

    margin: float = 0.0
    """How far past the promised envelope cameras are drawn, see `widened`; 0.05 is 5 % and 2.9
    degrees.
    """
    near: float = 0.0
    """Share of the cameras that are drawn between neighbouring training cameras."""

    def draw(
        self,
        envelope: Envelope,
        cameras: Sequence[Camera],
        generator: torch.Generator,
        like: Camera,
    ) -> Camera:
        """One upright pinhole camera in the norm frame.

        Args:
            envelope: the promised set.
            cameras: the training cameras.
            generator: source of randomness, on the CPU.
            like: gives size and pixel aspect ratio, and the envelope's cameras their principal
                point.
        """
        if self.near and float(torch.rand((), generator=generator)) < self.near:
            return near_camera(cameras, generator, like)
        wide = widened(envelope, self.margin) if self.margin else envelope
        return sample_camera(wide, generator, like)


def near_camera(cameras: Sequence[Camera], generator: torch.Generator, like: Camera) -> Camera:
    """A camera between a training camera and a neighbour of its, a little beside their connection.

    Position, optical axis and focal length are interpolated with the same fraction; normal noise is
    added to the first two, `NOISE` times the difference of the two cameras. What the training
    cameras roll is left out.
    """
    one = cameras[int(torch.randint(len(cameras), (), generator=generator))]
    near = neighbours(one, cameras)[1 : NEIGHBOURS + 1] or [one]
    other = near[int(torch.randint(len(near), (), generator=generator))]
    t = float(torch.rand((), generator=generator))
    position, forward = (
        torch.lerp(a, b, t) + NOISE * (b - a).norm() * torch.randn(3, generator=generator)
        for a, b in ((one.position, other.position), (one.forward, other.forward))
    )
    focal = one.fractions[1] + t * (other.fractions[1] - one.fractions[1])
    seen = one.resized(like.width, like.height)
    return seen_through(seen, look_at(position, position + forward), focal)


def neighbours(camera: Camera, cameras: Sequence[Camera]) -> list[Camera]:
    """`cameras`, those first that stand near `camera` and look the same way; it is its own first.

    Distance is that of positions plus that of unit optical axes, the former in units of the
    farthest camera: standing as far away as any counts as much as looking 60 degrees aside.
    """
    positions = torch.stack([c.position for c in cameras]) - camera.position
    axes = torch.stack([c.forward for c in cameras]) - camera.forward
    away = positions.norm(dim=-1)
    distance = away / away.max().clamp_min(1e-9) + axes.norm(dim=-1)
    return [cameras[int(k)] for k in distance.argsort(stable=True)]
