"""Visual hull: the box around everything that no picture shows to be transparent (Laurentini 1994).

    alpha --max-pool--> covered pixels --distance to the nearest--> Silhouette
    cube --cells--> project into every silhouette --carve--> box --finer cells--> ... --> box

Conservative throughout: a cell is carved only where the ball around it projects wholly onto empty
pixels, and only if more than a few views say so (`FORGIVEN`). Cells that most views do not have
in the picture are no evidence of an object and go too (`MUST_SEE`).
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from teacher.cameras import Camera, Cameras, project
from teacher.scene import Frame

VIEWS = 100  # at most so many are looked at, evenly spread
PASSES = (32, 32, 64)  # cells per side; each pass looks into the box that the last one left
PIXELS = 160  # longest side of a silhouette
REACH = 40  # longest distance to a covered pixel that is measured, in such pixels
COVERED = 8  # alpha, of 255, from which a pixel counts as covered: below it is matting noise
FORGIVEN = 0.02  # share of views that may contradict the others, for mistakes in mattes
MUST_SEE = 0.5  # share of views that must have a point in the picture


@dataclass(frozen=True)
class Silhouette:
    """What one camera sees covered, at reduced size."""

    camera: Camera
    """The camera of the reduced picture."""
    distance: UInt8[Tensor, "height width"]
    """Pixels to the nearest covered one (the larger of |du| and |dv|, at most `REACH`)."""
    cos_field: float
    """Cosine of the largest angle from the axis that the picture shows."""


def visual_hull(frames: Sequence[Frame], half: float) -> Float[Tensor, "2 3"] | None:
    """The hull's box inside the cube [-half, half]^3; None if nothing is left of it.

    Raises:
        UserError: a picture cannot be read.
    """
    chosen = frames[:: math.ceil(len(frames) / VIEWS)]
    with ThreadPoolExecutor() as pool:  # Pillow decodes without holding the interpreter's lock
        silhouettes = list(pool.map(silhouette, chosen))
    box: Tensor | None = torch.tensor([[-half] * 3, [half] * 3])
    for cells in PASSES:
        box = None if box is None else _carve(silhouettes, box, cells)
    return box


def silhouette(frame: Frame) -> Silhouette:
    """The silhouette of a picture; a reduced pixel is covered where any pixel in it is."""
    alpha = frame.picture.alpha()
    height, width = alpha.shape
    side = math.ceil(max(height, width) / PIXELS)
    covered = _largest_per_block(alpha, side) >= COVERED
    full = frame.camera.resized(width, height)
    camera = replace(
        full,
        fx=full.fx / side,
        fy=full.fy / side,
        cx=full.cx / side,
        cy=full.cy / side,
        width=covered.shape[1],
        height=covered.shape[0],
    )
    return Silhouette(camera, torch.from_numpy(_distance(covered)), _cos_field(camera))


def _largest_per_block(
    values: UInt8[np.ndarray, "full_height full_width"], side: int
) -> np.ndarray:
    """The maximum of each block of side x side pixels; blocks at the far edges may be smaller."""
    rows = np.maximum.reduceat(values, np.arange(0, values.shape[0], side), 0)
    return np.maximum.reduceat(rows, np.arange(0, values.shape[1], side), 1)


def _distance(covered: Bool[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """Chessboard distance to the nearest covered pixel, by shrinking the empty region."""
    empty = ~covered
    distance = np.zeros(covered.shape, np.uint8)
    for _ in range(REACH):
        distance += empty
        for axis in (0, 1):
            line = np.moveaxis(empty, axis, 0)
            shrunk = line.copy()
            shrunk[1:] &= line[:-1]
            shrunk[:-1] &= line[1:]
            empty = np.moveaxis(shrunk, 0, axis)
    return distance


def _cos_field(camera: Camera) -> float:
    corners = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]]) * torch.tensor(
        [camera.width, camera.height]
    )
    rays = Cameras.stack([camera]).rays(torch.zeros(4, dtype=torch.long), corners.float())
    return float((rays.directions @ camera.forward).min())


def _carve(
    silhouettes: Sequence[Silhouette], box: Float[Tensor, "2 3"], cells: int
) -> Float[Tensor, "2 3"] | None:
    """The box, one cell larger all round, of the cells of `box` that survive all silhouettes."""
    cell = (box[1] - box[0]) / cells
    axes = [box[0, i] + (torch.arange(cells) + 0.5) * cell[i] for i in range(3)]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    contradicted = torch.zeros(len(points), dtype=torch.int16)
    unseen = torch.zeros_like(contradicted)
    for view in silhouettes:
        seen, empty = look_up(view, points, 0.5 * float(cell.norm()))
        contradicted += empty
        unseen += ~seen
        kept = contradicted <= FORGIVEN * len(silhouettes)
        kept &= unseen <= (1 - MUST_SEE) * len(silhouettes)
        points, contradicted, unseen = points[kept], contradicted[kept], unseen[kept]
    return torch.stack([points.amin(0) - cell, points.amax(0) + cell]) if len(points) else None


def look_up(
    view: Silhouette, points: Float[Tensor, "n 3"], radius: float
) -> tuple[Bool[Tensor, " n"], Bool[Tensor, " n"]]:
    """Which points the picture shows, and around which of them a ball of `radius` looks empty."""
    uv, depth = project(view.camera, points)
    height, width = view.distance.shape
    range_ = (points - view.camera.position).norm(dim=-1)
    seen = (uv >= 0).all(-1) & (uv[:, 0] < width) & (uv[:, 1] < height)
    seen &= depth >= view.cos_field * range_  # elsewhere a distorting lens may fold points back in
    u, v = torch.where(seen[:, None], uv, 0.0).long().unbind(-1)
    reach = radius * view.camera.fx / depth.clamp_min(1e-9)
    return seen, seen & (view.distance[v, u] > reach + 1)
