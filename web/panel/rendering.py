"""A free camera through the models of runs, and films along paths; everything here needs torch.

    Orbit, like --orbit_camera--> Camera --render--> Shot for each model
    cameras of a path ------------------film-------> frames for each model --write_film--> mp4

Pictures are straight-alpha PNG files in memory, as the panes take them.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from export.compare.contenders import Contenders
from export.compare.views import compare_view
from teacher.cameras import Camera
from teacher.images import straight_alpha, to_bytes, write_mp4
from teacher.paths.shapes import posed
from teacher.pseudo.envelope import Envelope
from web.panel.panes import Orbit
from web.panel.pictures import to_png

_FILM_HEIGHT = 360
"""Smaller films are enlarged by a whole number: H.264 halves the resolution of colour."""


@dataclass(frozen=True)
class Shot:
    """What one model makes of one camera."""

    rgba: UInt8[np.ndarray, "height width 4"]
    milliseconds: float

    @property
    def png(self) -> bytes:
        """The picture as a file."""
        return to_png(self.rgba)


def starting_orbit(contenders: Contenders) -> Orbit:
    """Where the free camera begins: the run's flattering view."""
    return Orbit(*contenders.envelope.standing(contenders.like))


def orbit_camera(orbit: Orbit, contenders: Contenders, side: int) -> Camera:
    """The camera of `orbit`, looking at the pivot or about it; its larger side has `side` pixels."""
    pose = contenders.envelope.pose(orbit.azimuth, orbit.elevation, orbit.radius)
    return posed(sized(contenders.like, side), pose)


def sized(camera: Camera, side: int) -> Camera:
    """`camera` without its lens, with `side` pixels along its larger side."""
    scale = side / max(camera.width, camera.height)
    width, height = (max(1, round(scale * length)) for length in (camera.width, camera.height))
    return camera.undistorted().resized(width, height)


def is_outside(envelope: Envelope, camera: Camera) -> bool:
    """Whether no student was trained for `camera`."""
    return not envelope.contains(camera)


@torch.no_grad()
def render(contenders: Contenders, models: Sequence[str], camera: Camera) -> dict[str, Shot]:
    """What each of `models` makes of `camera`, and how long it took."""
    chosen = {model: contenders.renderers[model] for model in models}
    seen = compare_view(replace(contenders, renderers=chosen), camera, scores=False)
    return {
        model: Shot(to_bytes(straight_alpha(view.rgba.cpu())), seen.milliseconds[model])
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
