"""The pictures of a report: contact sheet, sharpness over time, cameras from above and from the side.

Everything is in the world that the data set gets (`world.py`): +z up, the point of interest at the origin, the unit
the cameras' median distance from it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from teacher.capture.frames import Frames, Picture
from teacher.charts import COLOURS, Axes, Series, chart, write_chart
from teacher.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Plot

_TILE, _COLUMNS, _CAPTION, _MOST_TILES = 150, 10, 14, 100
_POINTS_DRAWN = 6000


def draw_contact_sheet(
    path: Path, images: Path, frames: Frames, without_camera: frozenset[str] = frozenset()
) -> None:
    """Small copies of the pictures with their sharpness; those without a camera are framed in red."""
    chosen = _spread(frames.pictures, _MOST_TILES)
    rows = -(-len(chosen) // _COLUMNS)
    columns = min(_COLUMNS, len(chosen))
    sheet = Image.new("RGB", (columns * _TILE, rows * (_TILE + _CAPTION)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=10)
    for k, picture in enumerate(chosen):
        x, y = k % _COLUMNS * _TILE, k // _COLUMNS * (_TILE + _CAPTION)
        with Image.open(images / picture.name) as image:
            image.draft("RGB", (_TILE * 2, _TILE * 2))
            small = image.convert("RGB")
            small.thumbnail((_TILE - 6, _TILE - 6))
        place = (x + (_TILE - small.width) // 2, y + (_TILE - small.height) // 2)
        sheet.paste(small, place)
        if picture.name in without_camera:
            corner = (place[0] + small.width, place[1] + small.height)
            pen.rectangle([place, corner], outline=(200, 30, 20), width=3)
        when = "" if picture.seconds is None else f"{picture.seconds:.1f} s  "
        pen.text((x + 4, y + _TILE - 1), f"{when}sharp {picture.sharpness:.2f}", "black", font)
    with replacing(path) as partial:
        sheet.save(partial, "PNG")


def _spread(pictures: Sequence[Picture], most: int) -> list[Picture]:
    places = np.linspace(0, len(pictures) - 1, min(most, len(pictures)))
    return [pictures[k] for k in sorted({round(place) for place in places})]


def draw_sharpness(path: Path, frames: Frames) -> None:
    """Sharpness over time of a video, or over photographs in their order; what is kept is marked."""
    if frames.video:
        seconds, sharp = zip(*frames.curve, strict=True)
        kept = [(p.seconds or 0.0, p.sharpness) for p in frames.pictures]
        x, y = zip(*kept, strict=True)
        series = [Series("all frames", seconds, sharp), Series("kept", x, y, joined=False)]
        axes = Axes("seconds", "sharpness", f"{len(kept)} of {len(seconds)} frames kept")
    else:
        sharp = tuple(picture.sharpness for picture in frames.pictures)
        series = [Series("photographs", tuple(map(float, range(len(sharp)))), sharp, joined=False)]
        axes = Axes("photograph", "sharpness", f"{len(sharp)} photographs")
    write_chart(path, chart(series, axes))


def draw_cameras(
    path: Path,
    poses: Float[np.ndarray, "images 4 4"],
    points: Float[np.ndarray, "n 3"],
    colours: UInt8[np.ndarray, "n 3"],
    dropped: Float[np.ndarray, "m 4 4"],
    joined: bool,
) -> None:
    """Cameras (arrows along their axes) and points, from above and from the side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.4), layout="constrained")
    reach = np.abs(points).max(1, initial=0.0)  # cameras in a room look at what lies beyond them
    shown = min(2.5, float(np.quantile(reach, 0.9)) if len(points) else 1.0)
    half = 1.15 * max(1.0, shown, float(np.abs(poses[:, :3, 3]).max(initial=1.0)))
    near = np.flatnonzero(reach < half)
    near = near[np.linspace(0, len(near) - 1, min(_POINTS_DRAWN, len(near))).astype(int)]
    for k, (title, a, b) in enumerate((("from above", 0, 1), ("from the side", 0, 2))):
        plot = figure.add_subplot(1, 2, k + 1)
        plot.scatter(*points[near][:, (a, b)].T, s=1.5, c=colours[near] / 255.0, linewidths=0)
        _draw_poses(plot, poses, a, b, COLOURS[0], joined)
        if len(dropped):
            _draw_poses(plot, dropped, a, b, COLOURS[1], False)
        plot.plot(0, 0, "+", color="black")
        plot.set(xlim=(-half, half), ylim=(-half, half), aspect="equal")
        plot.set(title=title, xlabel="xyz"[a], ylabel="xyz"[b])
        plot.grid(color="#dddddd", linewidth=0.6)
        plot.set_axisbelow(True)
    write_chart(path, figure)


def _draw_poses(
    plot: "Plot",
    poses: Float[np.ndarray, "images 4 4"],
    a: int,
    b: int,
    colour: str,
    joined: bool,
) -> None:
    at, ahead = poses[:, :3, 3], -poses[:, :3, 2]
    if joined:
        plot.plot(at[:, a], at[:, b], color=colour, linewidth=0.8, alpha=0.5)
    plot.quiver(
        *(at[:, a], at[:, b], 0.15 * ahead[:, a], 0.15 * ahead[:, b]),
        **{"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.003, "color": colour},
    )
    plot.plot(at[:, a], at[:, b], ".", color=colour, markersize=4)
