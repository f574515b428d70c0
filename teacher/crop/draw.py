"""crop.png: cameras, points and the crop from above and from the side, and three views of what is left."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera
from teacher.charts import COLOURS, write_chart
from teacher.pseudo.view import ViewRenderer
from teacher.scene import composite_over

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDE = 240  # longest side of a view, in pixels
_POINTS_DRAWN = 20_000


def draw_crop(
    path: Path,
    teacher: ViewRenderer,
    cameras: Sequence[Camera],
    box: Float[Tensor, "2 3"],
    points: tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]],
    T_norm_world: Float[Tensor, "4 4"],
) -> None:
    """Write the picture; axes are in units of the data, which is what the command line takes.

    Args:
        path: .png file.
        teacher: the cropped one.
        cameras: training cameras, in the norm frame.
        box: the crop's, in the norm frame.
        points: places (norm frame) and colours.
        T_norm_world: leads back to the data.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 9), layout="constrained")
    grid = figure.add_gridspec(2, 6, height_ratios=(1.35, 1))
    moved = Moved(T_norm_world)
    for k, (title, a, b) in enumerate((("from above", 0, 1), ("from the side", 0, 2))):
        plot = figure.add_subplot(grid[0, 3 * k : 3 * k + 3])
        _draw_plan(plot, moved, cameras, box, points, (a, b))
        plot.set(title=title, xlabel=f"{'xyz'[a]} (units of the data)", ylabel="xyz"[b])
    for k in range(3):
        plot = figure.add_subplot(grid[1, 2 * k : 2 * k + 2])
        plot.imshow(_shown(teacher, cameras[k * len(cameras) // 3]).numpy())
        plot.set(xticks=(), yticks=())
    write_chart(path, figure)


class Moved:
    """Points of the norm frame in units of the data."""

    def __init__(self, T_norm_world: Float[Tensor, "4 4"]) -> None:
        self._T = T_norm_world.double().inverse()

    def __call__(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """In float64."""
        return points.double() @ self._T[:3, :3].T + self._T[:3, 3]


def _draw_plan(
    plot: "Axes",
    moved: Moved,
    cameras: Sequence[Camera],
    box: Float[Tensor, "2 3"],
    points: tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]],
    axes: tuple[int, int],
) -> None:
    from matplotlib.patches import Rectangle

    at = moved(torch.stack([camera.position.cpu() for camera in cameras]))[:, axes]
    ahead = torch.stack([camera.forward.cpu() for camera in cameras])[:, axes]
    places, (low, high) = moved(points[0]), moved(box)
    middle = 0.5 * (low + high)
    half = 1.15 * max(float((at - middle[[*axes]]).abs().max()), float((high - low).max()))
    near = ((places - middle).abs() < half).all(-1).nonzero()[:, 0]
    near = near[:: max(1, len(near) // _POINTS_DRAWN)]
    shown = places[near][:, axes].numpy()
    plot.scatter(*shown.T, s=1.5, c=points[1][near].clamp(0, 1).numpy(), linewidths=0)
    long = 0.12 * half * ahead
    plot.quiver(
        *(*at.T.numpy(), *long.T.numpy()),
        **{"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.003, "color": COLOURS[0]},
    )
    corner, size = low[[*axes]].tolist(), (high - low)[[*axes]].tolist()
    edge = {"fill": False, "edgecolor": COLOURS[1], "linewidth": 1.8}
    plot.add_patch(Rectangle((corner[0], corner[1]), *size, **edge))
    centre = middle[[*axes]].tolist()
    plot.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half))
    plot.set_aspect("equal")
    plot.grid(color="#dddddd", linewidth=0.6)
    plot.set_axisbelow(True)


def _shown(teacher: ViewRenderer, camera: Camera) -> Float[Tensor, "height width 3"]:
    scale = SIDE / max(camera.width, camera.height)
    size = max(1, round(camera.width * scale)), max(1, round(camera.height * scale))
    view = teacher.render(camera.undistorted().resized(*size))
    return composite_over(view.rgba, 1.0).clamp(0, 1)
