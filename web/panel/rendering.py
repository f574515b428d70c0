"""A free camera through the models of runs, and films along paths; everything here needs torch.

    Orbit, like --orbit_camera--> Camera --render--> Shot for each model
    cameras of a path ------------------film-------> frames for each model --write_film--> mp4

Pictures are straight-alpha PNG files in memory, as the panes take them.
"""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from export.compare.contenders import Contenders
from export.compare.views import compare_view
from teacher.cameras import Camera, look_at
from teacher.images import straight_alpha, to_bytes, write_mp4
from teacher.pseudo.envelope import Envelope
from web.panel.panes import Orbit
from web.panel.pictures import to_png

_DEPTH_UNIT = 1e-4  # as in RUN/compare: norm units for one step of a 16-bit PNG
_FILM_HEIGHT = 360
"""Smaller films are enlarged by a whole number: H.264 halves the resolution of colour."""


@dataclass(frozen=True)
class Shot:
    """What one model makes of one camera."""

    rgba: UInt8[np.ndarray, "height width 4"]
    depth: np.ndarray
    """[height, width] 16-bit, 1e-4 norm units, 0 where nothing was hit."""
    milliseconds: float

    @property
    def png(self) -> bytes:
        """The picture as a file."""
        return to_png(self.rgba)


def starting_orbit(contenders: Contenders) -> Orbit:
    """Where the free camera begins: the run's flattering view."""
    offset = contenders.like.position.double() - torch.tensor(contenders.envelope.pivot).double()
    x, y, z = offset.tolist()
    return Orbit(math.atan2(y, x), math.atan2(z, math.hypot(x, y)), math.hypot(x, y, z))


def orbit_camera(orbit: Orbit, contenders: Contenders, side: int) -> Camera:
    """The camera of `orbit`, looking at the pivot; its larger side has `side` pixels."""
    pivot = torch.tensor(contenders.envelope.pivot)
    level = math.cos(orbit.elevation)
    direction = (
        level * math.cos(orbit.azimuth),
        level * math.sin(orbit.azimuth),
        math.sin(orbit.elevation),
    )
    pose = look_at(pivot + orbit.radius * torch.tensor(direction), pivot)
    return sized(contenders.like, side, pose)


def sized(like: Camera, side: int, pose: torch.Tensor | None = None) -> Camera:
    """`like` (at `pose`, if that is given) with `side` pixels along its larger side."""
    scale = side / max(like.width, like.height)
    camera = like.undistorted().resized(
        max(1, round(scale * like.width)), max(1, round(scale * like.height))
    )
    if pose is None:
        return camera
    return Camera(
        pose.float(), camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height
    )


def is_outside(envelope: Envelope, camera: Camera) -> bool:
    """Whether no student was trained for `camera`."""
    return not envelope.contains(camera)


@torch.no_grad()
def render(contenders: Contenders, models: Sequence[str], camera: Camera) -> dict[str, Shot]:
    """What each of `models` makes of `camera`, and how long it took."""
    chosen = {model: contenders.renderers[model] for model in models}
    seen = compare_view(replace(contenders, renderers=chosen), camera, scores=False)
    return {
        model: Shot(
            to_bytes(straight_alpha(view.rgba.cpu())),
            (view.depth.cpu() / _DEPTH_UNIT + 0.5).clamp(0, 65535).numpy().astype(np.uint16),
            seen.milliseconds[model],
        )
        for model, view in seen.views.items()
    }


def film(
    contenders: Contenders,
    model: str,
    cameras: Sequence[Camera],
    progress: Callable[[], None],
) -> list[UInt8[np.ndarray, "height width 4"]]:
    """One picture a camera; `progress` is called after each, and may raise to end it."""
    frames = []
    for camera in cameras:
        frames.append(render(contenders, [model], camera)[model].rgba)
        progress()
    return frames


def write_film(
    films: Sequence[Sequence[UInt8[np.ndarray, "height width 4"]]], background: str, fps: int
) -> bytes:
    """An mp4 of `films`, equally long and large, side by side."""
    value = 255.0 if background == "white" else 0.0
    height = films[0][0].shape[0]
    factor = max(1, -(-_FILM_HEIGHT // height))

    def joined(number: int) -> UInt8[np.ndarray, "h w 3"]:
        row = np.concatenate([frames[number] for frames in films], 1).astype(np.float32)
        alpha = row[..., 3:] / 255
        flat = (row[..., :3] * alpha + value * (1 - alpha) + 0.5).astype(np.uint8)
        return flat.repeat(factor, 0).repeat(factor, 1)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "film.mp4")
        write_mp4(path, (joined(number) for number in range(len(films[0]))), fps)
        return path.read_bytes()
