"""What sparse points of a reconstruction say of a grid's cells before the first step.

    points, cameras --nearest that each camera shows--> cells before a lens that are free, for good
    points --cells around them--> where to look first

A capture's teacher can lose itself in fog: density close before the lenses explains each picture by itself, and nothing
tells it otherwise once the surfaces behind are dark. Of two runs on fox one was lost so (12.5 dB after 500 steps);
with the cells before the lenses given up it reached 16.9, with the first steps spent near the points too 21.4
(docs/data.md).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import max_pool3d

from teacher.cameras import Camera, project
from teacher.samplers.visibility import COARSE, cell_centres, refine
from teacher.scene import Frame

NEAREST = 0.02  # quantile of the distances of the points in a picture: fewer are mistakes
SAFE = 0.5  # of it: things without corners may stand before the nearest point
LEAST = 20  # points in a picture that say how near its nearest are
AROUND = 2  # coarse cells about a point that may hold its surface


def cells_near(
    points: Float[Tensor, "n 3"], resolution: int, cascades: int = 1
) -> Bool[Tensor, "cascades x y z"]:
    """Cells within AROUND coarse ones of a point; cascade c is the cube [-2^c, 2^c]^3."""
    coarse = min(resolution, COARSE)
    near = torch.zeros(cascades, coarse, coarse, coarse)
    for c in range(cascades):
        cells = ((points / 2**c + 1) * (coarse / 2)).floor().long()
        x, y, z = cells[((cells >= 0) & (cells < coarse)).all(-1)].T
        near[c, x, y, z] = 1
    grown = max_pool3d(near, 2 * AROUND + 1, 1, AROUND) > 0
    return torch.stack([refine(cells, resolution) for cells in grown])


def free_cells(
    frames: Sequence[Frame], points: Float[Tensor, "n 3"], resolution: int, cascades: int = 1
) -> Bool[Tensor, "cascades x y z"]:
    """Cells in some camera's view and wholly nearer to it than SAFE times the nearest points it shows."""
    coarse = min(resolution, COARSE)
    centres, radius = cell_centres(coarse), 3**0.5 / coarse
    free = torch.zeros(cascades, len(centres), dtype=torch.bool)
    for frame in frames:
        near = SAFE * _nearest(frame.camera, points)
        for c in range(cascades):
            places = 2**c * centres
            distance = (places - frame.camera.position).norm(dim=-1)
            close = torch.nonzero(distance + 2**c * radius < near)[:, 0]
            free[c, close[_shown(frame.camera, places[close])]] = True
    shape = (cascades, coarse, coarse, coarse)
    # a cell that is not free must stay whole at any resolution
    return torch.stack([~refine(~cells, resolution) for cells in free.reshape(shape)])


def _nearest(camera: Camera, points: Float[Tensor, "n 3"]) -> float:
    """Distance of the nearest points in the picture; 0 where too few are in it to tell."""
    distance = (points[_shown(camera, points)] - camera.position).norm(dim=-1)
    return float(distance.quantile(NEAREST)) if len(distance) >= LEAST else 0.0


def _shown(camera: Camera, points: Float[Tensor, "n 3"]) -> Bool[Tensor, " n"]:
    """Whether the picture shows the points, were nothing in between."""
    pixels, depth = project(camera, points)
    size = pixels.new_tensor([camera.width, camera.height])
    return (depth > 0) & ((pixels >= 0) & (pixels < size)).all(-1)
