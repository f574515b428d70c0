"""Which part of a scene is the object: found from the cameras, the points and the density of a trained teacher.

    cameras --point of interest--> where to look, and how far
    sparse points, teacher's surfaces --support.py--> the plane it stands on; all above it counts
    density on a grid there --pieces.py--> the piece nearest to the point of interest
    density on a finer grid around that --> box and cells

Lengths in here are in units of the cameras' distance from the point of interest, which is the origin ("near frame").
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from teacher.cameras import Camera, look_around, point_of_interest
from teacher.crop.pieces import grown, heaviest
from teacher.crop.shape import Crop
from teacher.crop.support import Support, find_support
from teacher.errors import UserError
from teacher.pseudo.view import ViewRenderer

VIEWS, SIDE = 24, 64  # of the teacher, from which its surfaces are taken
REACH = 0.6  # as far out an object is looked for, and no farther than this part of the way to the nearest camera
CELLS = (64, 96)  # along a side: first of all that is in reach, then of what was found there
OPAQUE = 0.3  # alpha of a cell from which it holds something
NEARNESS = 0.3  # pieces count the less the farther out they are, as a Gaussian of this width
LEAST_CUT = (
    0.01  # above the plane it stands on; three times the spread of points on that, if that is more
)
_CHUNK = 1 << 17
Density = Callable[[Tensor], Tensor]
"""Of points [n, 3] of the norm frame, per norm unit."""


@dataclass(frozen=True)
class Place:
    """Where an object is looked for."""

    centre: Float[Tensor, "3"]
    """The point of interest, in the norm frame."""
    distance: float
    """The cameras' median distance from it, in norm units."""
    reach: float
    """As far from it the object may go sideways, in such distances."""

    def near(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """Norm frame to near frame."""
        return (points - self.centre) / self.distance

    def norm(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """Near frame to norm frame."""
        return points * self.distance + self.centre


@dataclass(frozen=True)
class Cuts:
    """What is set by hand, in the norm frame; None is found."""

    z_min: float | None = None
    z_max: float | None = None
    margin: float = 0.02
    """Room around what is found, by the side of the box."""


@dataclass(frozen=True)
class Found:
    """A crop and what it was found from."""

    crop: Crop
    place: Place
    support: Support | None
    """In the near frame; None where there is none, or the lower cut was given."""
    share: float
    """Part of what is opaque within reach, above the support, that belongs to the object."""
    touches: bool
    """Whether it goes on where it was not looked for any more."""


def find_place(cameras: Sequence[Camera]) -> Place:
    """Where `cameras` look, and how far around it is still in front of all of them; UserError if they look around."""
    if look_around(cameras):
        given, expected = "cameras that look around, as in a room", "cameras around a thing"
        raise UserError("the object", given, expected, "give the box by hand, or use the whole")
    centre = point_of_interest(cameras).float()
    away = torch.stack([camera.position for camera in cameras]) - centre
    distance = float(away.norm(dim=-1).median())
    nearest = float(away.norm(dim=-1).min()) / distance
    return Place(centre, distance, REACH * min(1.0, nearest))


def surfaces(
    teacher: ViewRenderer, cameras: Sequence[Camera]
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """Points that the teacher sees from some of `cameras` (norm frame), and their colours."""
    places, colours = [], []
    for camera in cameras[:: max(1, len(cameras) // VIEWS)]:
        scale = SIDE / max(camera.width, camera.height)
        size = max(1, round(camera.width * scale)), max(1, round(camera.height * scale))
        view = teacher.render(camera.undistorted().resized(*size))
        rays, opaque = view.camera.rays(), view.rgba[..., 3].reshape(-1) > 0.9
        seen = rays.origins + rays.directions * view.depth.reshape(-1, 1)
        places.append(seen[opaque])
        colours.append(view.rgba[..., :3].reshape(-1, 3)[opaque])
    return torch.cat(places), torch.cat(colours)


def find_crop(
    density: Density, cameras: Sequence[Camera], points: Float[Tensor, "n 3"], cuts: Cuts
) -> Found:
    """The object that `cameras` look at; `points` lie on surfaces of the scene (norm frame).

    Raises:
        UserError: nothing opaque is where they look, or they look at nothing in common.
    """
    place = find_place(cameras)
    near = place.near(points)
    near = near[(near.abs() <= place.reach).all(-1)]
    generator = torch.Generator().manual_seed(0)
    support = find_support(near, generator) if cuts.z_min is None else None
    box = _search_box(place, cuts)
    alpha = _opaque(density, place, box, support, CELLS[0])
    piece = _looked_at(alpha, _centres(box, CELLS[0]))
    if not piece.any():
        raise _nothing(place)
    share, touches = float(alpha[piece].sum() / alpha.sum()), _touches(piece)
    around = Crop(box, grown(piece, 1))
    closer = _around(box, piece, 1)
    within = around.keeps(_centres(closer, CELLS[1]).reshape(-1, 3)).reshape([CELLS[1]] * 3)
    cells = within & (_opaque(density, place, closer, support, CELLS[1]) > 0)
    crop = _with_room(place, closer, cells, support, cuts)
    return Found(crop, place, support, share, touches)


def _search_box(place: Place, cuts: Cuts) -> Float[Tensor, "2 3"]:
    """The near frame's box within reach, cut in z where that is given."""
    box = torch.tensor([[-place.reach] * 3, [place.reach] * 3])
    for end, z in enumerate((cuts.z_min, cuts.z_max)):
        if z is not None:
            box[end, 2] = (z - float(place.centre[2])) / place.distance
    if not box[0, 2] < box[1, 2]:
        low, high = (f"{float(place.norm(corner)[2]):.4g}" for corner in box)
        expected = "the lower one below the upper one, around what the cameras look at"
        given = f"{low} to {high} (norm frame)"
        raise UserError("--z-min and --z-max", given, expected, "give others, or leave them out")
    return box


def _centres(box: Float[Tensor, "2 3"], count: int) -> Float[Tensor, "x y z 3"]:
    """Centres of `count` cells along each side of a box."""
    axes = [low + (torch.arange(count) + 0.5) * (high - low) / count for low, high in box.T]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


def _opaque(
    density: Density, place: Place, box: Float[Tensor, "2 3"], support: Support | None, count: int
) -> Float[Tensor, "x y z"]:
    """Alpha of the cells of `box` that hold something above the support; 0 of all others."""
    centres = _centres(box, count)
    width = float((box[1] - box[0]).max()) / count * place.distance
    asked = place.norm(centres).reshape(-1, 3).split(_CHUNK)
    found = torch.cat([density(part.contiguous()) for part in asked])
    alpha = 1 - torch.exp(-found.reshape(centres.shape[:3]).float() * width)
    return torch.where((alpha > OPAQUE) & _above(support, centres), alpha, 0.0)


def _looked_at(
    alpha: Float[Tensor, "x y z"], centres: Float[Tensor, "x y z 3"]
) -> Bool[Tensor, "x y z"]:
    """Cells of the piece that the cameras look at; gaps of two cells do not part it."""
    nearness = torch.exp(-(centres.norm(dim=-1) / NEARNESS).square())
    return heaviest(grown(alpha > 0, 1), alpha * nearness) & (alpha > 0)


def _above(support: Support | None, points: Float[Tensor, "*n 3"]) -> Bool[Tensor, "*n"]:
    if support is None:
        return torch.ones(points.shape[:-1], dtype=torch.bool)
    return support.above(points) > max(LEAST_CUT, 3 * support.spread)


def _touches(cells: Bool[Tensor, "x y z"]) -> bool:
    """Whether cells lie on the sides of their grid, or on top."""
    sides = (cells[0], cells[-1], cells[:, 0], cells[:, -1], cells[..., -1])
    return any(bool(side.any()) for side in sides)


def _around(
    box: Float[Tensor, "2 3"], cells: Bool[Tensor, "x y z"], by: int
) -> Float[Tensor, "2 3"]:
    """The box of the cells that are set and `by` more all round, inside `box`."""
    low, high = _bounds(cells, by)
    cell = (box[1] - box[0]) / torch.tensor(cells.shape)
    return torch.stack([box[0] + low * cell, box[0] + high * cell])


def _bounds(cells: Bool[Tensor, "x y z"], by: int) -> tuple[Tensor, Tensor]:
    """First cell, and the one behind the last, of the cells that are set and `by` more."""
    places = cells.nonzero()
    low = (places.amin(0) - by).clamp_min(0)
    return low, (places.amax(0) + 1 + by).minimum(torch.tensor(cells.shape))


def _with_room(
    place: Place,
    box: Float[Tensor, "2 3"],
    cells: Bool[Tensor, "x y z"],
    support: Support | None,
    cuts: Cuts,
) -> Crop:
    """The crop of `cells` and a margin around them, never below the support or beyond a cut."""
    by = max(1, math.ceil(cuts.margin * max(cells.shape)))
    cell = (box[1] - box[0]) / torch.tensor(cells.shape)
    cells = torch.nn.functional.pad(cells, [by] * 6)
    box = torch.stack([box[0] - by * cell, box[1] + by * cell])
    centres = [box[0, k] + (torch.arange(n) + 0.5) * cell[k] for k, n in enumerate(cells.shape)]
    points = torch.stack(torch.meshgrid(*centres, indexing="ij"), -1)
    kept = grown(cells, by) & _above(support, points)
    low, high = _bounds(kept, 0)
    trimmed = torch.stack([box[0] + low * cell, box[0] + high * cell])
    x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    crop = Crop(place.norm(trimmed), kept[x, y, z].contiguous())
    return cut_z(crop, cuts.z_min, cuts.z_max)


def cut_z(crop: Crop, z_min: float | None, z_max: float | None) -> Crop:
    """`crop` between two heights (norm frame): whole layers of cells go, the rest is cut with the box.

    Raises:
        UserError: nothing is left.
    """
    low, high = crop.box.clone()
    bottom = float(low[2]) if z_min is None else max(float(low[2]), z_min)
    top = float(high[2]) if z_max is None else min(float(high[2]), z_max)
    if not bottom < top:
        given = f"{bottom:.4g} to {top:.4g} (norm frame)"
        raise UserError("--z-min and --z-max", given, "something between them", "give others")
    cells = crop.cells
    if cells is not None:
        layers = cells.shape[2]
        heights = bottom + (torch.arange(layers) + 0.5) * (top - bottom) / layers
        source = ((heights - low[2]) / (high[2] - low[2]) * layers).long().clamp(0, layers - 1)
        cells = cells[:, :, source].contiguous()
    low[2], high[2] = bottom, top
    return Crop(torch.stack([low, high]), cells)


def _nothing(place: Place) -> UserError:
    where = ", ".join(f"{value:.3f}" for value in place.centre.tolist())
    return UserError(
        "the object to crop",
        f"nothing opaque around ({where}) in the norm frame, where the cameras look",
        "a teacher that has learned it",
        "train longer, or say where it is with --box X0 Y0 Z0 X1 Y1 Z1 (units of the data)",
    )
