"""Which cells of a grid can hold anything: seen by a camera and, where pictures have alpha, inside the visual hull.

A cell is given up only if no camera sees it, or if a picture sees nothing but transparency all round it (Laurentini
1994). Cells count as large as their bounding sphere, so what is left contains the object.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import max_pool3d

from teacher.datasets.hull import look_up, silhouette
from teacher.scene import Frame

COARSE = 64  # cells along a side at which the tests are made; finer grids inherit from it


def seen_cells(
    frames: Sequence[Frame], resolution: int, cascades: int = 1
) -> Bool[Tensor, "cascades x y z"]:
    """Cells that training pictures leave possible; cascade c is the cube [-2^c, 2^c]^3 at `resolution`."""
    coarse = min(resolution, COARSE)
    centres = cell_centres(coarse)
    seen = torch.zeros(cascades, len(centres), dtype=torch.bool)
    empty = torch.zeros_like(seen)
    for frame in frames:
        view = silhouette(frame)
        for c in range(cascades):
            inside, transparent = look_up(view, 2**c * centres, radius=2**c * 3**0.5 / coarse)
            seen[c] |= inside
            empty[c] |= transparent
    possible = (seen & ~empty).reshape(cascades, coarse, coarse, coarse)
    return torch.stack([refine(cells, resolution) for cells in possible])


def cell_centres(cells: int) -> Float[Tensor, "n 3"]:
    """Centres of the cells of a grid over [-1, 1]^3 with so many along a side."""
    axis = (torch.arange(cells) + 0.5) * (2 / cells) - 1
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)


def refine(cells: Bool[Tensor, "x y z"], resolution: int) -> Bool[Tensor, "i j k"]:
    """The grid at a finer resolution; where the two do not divide, one coarse cell is added all round."""
    coarse = cells.shape[0]
    if resolution % coarse:
        cells = max_pool3d(cells[None].float(), 3, 1, 1)[0] > 0
    source = torch.arange(resolution) * coarse // resolution
    return cells[source][:, source][:, :, source]
