"""How far a camera is from those a model was trained on: what quality is held against (interpolation, extrapolation).

    directions from the point of interest -> smallest angle to a training camera
    positions                             -> distance to the nearest one, in units of its own distance to the point

Both are 0 at a training camera. The angle forgets how near a camera is, and the distance counts that too.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from export.compare.records import Novelty
from teacher.cameras import Camera

Point = tuple[float, float, float]


def novelty(camera: Camera, cameras: Sequence[Camera], pivot: Point | Tensor) -> Novelty:
    """Novelty of the position of `camera`.

    Args:
        camera: any.
        cameras: the training cameras, at least one.
        pivot: the point of interest, such as `Envelope.pivot`.
    """
    centre = torch.as_tensor(pivot).double()
    known = torch.stack([one.position.double() for one in cameras]) - centre
    mine = camera.position.double() - centre
    apart = (known - mine).norm(dim=-1)
    nearest = int(apart.argmin())
    reach = known[nearest].norm().clamp_min(1e-9)
    return Novelty(float(angles(mine, known).min()), float(apart[nearest] / reach))


def angles(
    direction: Float64[Tensor, "3"], others: Float64[Tensor, "n 3"]
) -> Float64[Tensor, " n"]:
    """Angles between vectors in degrees, exact for small ones too; 0 where one has no length.

    atan2 of sine and cosine: the cosine alone could not tell 1e-8 radians from none.
    """
    sine = torch.linalg.cross(direction.expand_as(others), others).norm(dim=-1)
    return torch.rad2deg(torch.atan2(sine, others @ direction))
