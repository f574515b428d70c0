"""Colours of a surface that have to do for every direction: what short rays through it see, from where cameras were.

    vertex, direction of a training camera --STEPS samples, a cell apart--> composited colour --mean, by facing--> sRGB

A field knows a direction only near those it has seen, and where exactly the surface's colour sits it does not say:
asked at the vertex alone and straight along the normal, it is 3 dB worse against photographs (docs/mesh.md).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera
from teacher.fields.base import Query
from teacher.mesh.surface import Surface
from teacher.model import Teacher

DIRECTIONS, STEPS = 8, 4
_BEFORE = 0.5
"""Cells before the vertex at which a ray begins."""
_FACING = 0.05
"""Cosine above which a direction counts."""
_AT_ONCE = 1 << 18


@torch.no_grad()
def colours(
    teacher: Teacher, surface: Surface, cameras: Sequence[Camera], cell: float
) -> Float[Tensor, "vertices 3"]:
    """sRGB of the surface's vertices as `cameras` see them (`DIRECTIONS` of these); `cell` is the lattice's step."""
    device = teacher.variant.sampler.aabb.device
    chosen = torch.linspace(0, len(cameras) - 1, min(DIRECTIONS, len(cameras))).round().long()
    centres = torch.stack([cameras[k].position for k in chosen.tolist()]).float().to(device)
    pieces = zip(surface.vertices.split(_AT_ONCE), surface.normals().split(_AT_ONCE), strict=True)
    parts = [_mean(teacher, at.to(device), n.to(device), centres, cell) for at, n in pieces]
    return torch.cat([part.cpu() for part in parts]).clamp(0, 1)


def _mean(
    teacher: Teacher,
    at: Float[Tensor, "n 3"],
    normals: Float[Tensor, "n 3"],
    centres: Float[Tensor, "directions 3"],
    cell: float,
) -> Float[Tensor, "n 3"]:
    """Over the directions that face the surface; along the normal where none does."""
    sums = torch.zeros(len(at), 4, device=at.device)
    for centre in centres:
        towards = torch.nn.functional.normalize(at - centre, dim=-1)
        facing = -(towards * normals).sum(-1)
        front = facing > _FACING
        seen = _seen(teacher, at[front], towards[front], cell)
        sums[front] += facing[front, None] * torch.cat([seen, torch.ones_like(seen[:, :1])], -1)
    alone = sums[:, 3] == 0
    sums[alone, :3], sums[alone, 3] = _seen(teacher, at[alone], -normals[alone], cell), 1.0
    return sums[:, :3] / sums[:, 3:]


def _seen(
    teacher: Teacher, at: Float[Tensor, "n 3"], towards: Float[Tensor, "n 3"], cell: float
) -> Float[Tensor, "n 3"]:
    """Colours along rays in the direction `towards` that begin just before `at`."""
    codes = teacher.variant.per_image.neutral().expand(len(at), -1)
    colour, covered = torch.zeros_like(at), torch.full_like(at[:, :1], 1e-6)
    through = torch.ones_like(covered)
    for step in range(STEPS):
        place = at + (step + 0.5 - _BEFORE) * cell * towards
        found = teacher.variant.field.radiance(Query(place, towards, codes))
        weight = through * (1 - torch.exp(-cell * found.density[:, None]))
        colour, covered, through = (
            colour + weight * found.colour,
            covered + weight,
            through - weight,
        )
    return colour / covered
