"""A source of views that costs nothing: a patterned ball in closed form."""

import math
from dataclasses import dataclass

import pytest
import torch

from teacher.cameras import Camera, look_at
from teacher.pseudo import source as sources
from teacher.pseudo.envelope import fit_envelope
from teacher.pseudo.source import Source
from teacher.pseudo.view import View

RADIUS = 0.8
SIZE = 32


@dataclass
class BallRenderer:
    """A ball at the origin, coloured by position; counts what it renders."""

    rendered: int = 0

    def render(self, camera: Camera) -> View:
        self.rendered += 1
        rays = camera.rays()
        b = (rays.origins * rays.directions).sum(-1)
        inside = b * b - rays.origins.square().sum(-1) + RADIUS**2
        depth = -b - inside.clamp_min(0).sqrt()
        hit = (inside > 0).float()[:, None]
        points = rays.origins + rays.directions * depth[:, None]
        rgb = (0.5 + 0.5 * torch.sin(4 * points)) * hit
        shape = (camera.height, camera.width)
        rgba = torch.cat([rgb, hit], -1).reshape(*shape, 4)
        return View(camera, rgba, (depth * hit[:, 0]).reshape(shape))


def orbit(count: int, size: int = SIZE) -> list[Camera]:
    """Cameras all round the ball, at three heights."""
    cameras = []
    for k in range(count):
        azimuth, elevation = math.tau * k / count, 0.2 + 0.3 * (k % 3)
        level = math.cos(elevation)
        side = (level * math.cos(azimuth), level * math.sin(azimuth), math.sin(elevation))
        pose = look_at(3.0 * torch.tensor(side), torch.zeros(3))
        cameras.append(Camera(pose, 1.4 * size, 1.4 * size, size / 2, size / 2, size, size))
    return cameras


@pytest.fixture
def ball() -> Source:
    """The ball as a source of 32 x 32 views."""
    cameras = orbit(8)
    box = torch.tensor([[-RADIUS] * 3, [RADIUS] * 3])
    return Source("ball", BallRenderer(), fit_envelope(cameras), box, tuple(cameras), "ball-1")


@pytest.fixture
def open_ball(ball: Source, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path under which `open_source` finds the ball."""
    monkeypatch.setitem(sources.OPENERS, "ball", lambda path: ball if path == "ball" else None)
    order = {"ball": sources.OPENERS["ball"], **sources.OPENERS}
    monkeypatch.setattr(sources, "OPENERS", order)
    return "ball"
