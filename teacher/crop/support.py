"""What an object stands on: the level plane that most points lie on, with next to nothing below it (RANSAC).

    points --three at random--> plane, if level --points within TOLERANCE--> the best --least squares--> Support

Fischler & Bolles 1981, "Random sample consensus". Lengths are in units of the cameras' distance from the object.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

TOLERANCE = 0.01  # a point this near to a plane lies on it
STEEPEST = math.radians(15)  # reconstructions are upright to a few degrees
LEAST_SHARE = 0.15  # of all points; fewer on a plane are no table
MOST_BELOW = 0.1  # as many, of all points, may be below it: one cannot see through a table
_TRIES = 400
_POINTS = 20_000


@dataclass(frozen=True)
class Support:
    """The plane z = height + slope . (x, y)."""

    slope: Float[Tensor, "2"]
    height: float
    spread: float
    """Robust standard deviation of the points on it."""
    share: float
    """Part of all points that lie on it."""

    def above(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """How high points are above it, straight up."""
        return points[..., 2] - points[..., :2] @ self.slope - self.height


def find_support(points: Float[Tensor, "n 3"], generator: torch.Generator) -> Support | None:
    """The plane that carries what `points` show; None where no level plane stands out."""
    if len(points) < 3:
        return None
    if len(points) > _POINTS:
        points = points[torch.randperm(len(points), generator=generator)[:_POINTS]]
    triples = torch.randint(len(points), (_TRIES, 3), generator=generator)
    planes = _through(points[triples])
    level = planes[:, :2].norm(dim=-1) < math.tan(STEEPEST)
    offsets = [points[:, 2] - points[:, :2] @ p[:2] - p[2] for p in planes[level]]
    counts = [int((offset.abs() < TOLERANCE).sum()) for offset in offsets]
    carrying = [
        count if float((offset < -2 * TOLERANCE).float().mean()) <= MOST_BELOW else 0
        for count, offset in zip(counts, offsets, strict=True)
    ]
    if max(carrying, default=0) < LEAST_SHARE * len(points):
        return None
    best = offsets[max(range(len(carrying)), key=carrying.__getitem__)]
    return _fitted(points, best.abs() < TOLERANCE)


def _through(corners: Float[Tensor, "tries 3 3"]) -> Float[Tensor, "planes 3"]:
    """(slope x, slope y, height) of the planes through three points each, but for upright ones."""
    rows = torch.cat([corners[..., :2], torch.ones_like(corners[..., :1])], -1)
    flat = torch.linalg.det(rows).abs() > 1e-6
    return torch.linalg.solve(rows[flat], corners[flat][..., 2])


def _fitted(points: Float[Tensor, "n 3"], on: Tensor) -> Support:
    """Least squares through the points that are `on` the plane."""
    chosen = points[on].double()
    rows = torch.cat([chosen[:, :2], torch.ones_like(chosen[:, :1])], -1)
    plane = torch.linalg.lstsq(rows, chosen[:, 2:]).solution[:, 0]
    rest = (chosen[:, 2] - rows @ plane).abs()
    share = float(on.double().mean())
    return Support(plane[:2].float(), float(plane[2]), 1.4826 * float(rest.median()), share)
