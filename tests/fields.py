"""Fields with a closed form, as teachers: what a mesh, a cloud of points or a crop of them must be is known."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera
from teacher.corrections import GivenCameras
from teacher.fields.base import Query, RadianceField
from teacher.fields.domains import Contracted, Cube, Domain
from teacher.model import SceneDescription, Teacher, describe_camera
from teacher.ops.radiance import Radiance
from teacher.per_image import PerImageConfig
from teacher.samplers.base import RenderConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.variant import Variant
from tests.scenes import all_round

DENSE = 200.0
"""Density inside; half of it on the surface."""


@dataclass(frozen=True)
class Ellipsoid:
    """A solid in the norm frame, whose axes are the frame's."""

    radii: tuple[float, float, float]
    centre: tuple[float, float, float]

    def signed(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Negative inside; near the surface about the distance."""
        scaled = (positions - torch.tensor(self.centre)) / torch.tensor(self.radii)
        size = scaled.norm(dim=-1).clamp_min(1e-6)
        slope = (scaled / torch.tensor(self.radii)).norm(dim=-1) / size
        return (size - 1) / slope.clamp_min(1e-6)


Shade = Callable[[Query], Float[Tensor, "n 3"]]


def grey(query: Query) -> Float[Tensor, "n 3"]:
    """The same colour everywhere."""
    return torch.full_like(query.positions, 0.5)


CUBE = Cube()


class Solids(RadianceField):
    """Solids of density `DENSE`, soft over `softness`, coloured by `shade`."""

    def __init__(
        self,
        *solids: Ellipsoid,
        shade: Shade = grey,
        softness: float = 0.01,
        domain: Domain = CUBE,
    ) -> None:
        super().__init__()
        self.solids, self.shade, self.softness = solids, shade, softness
        self.unbounded = isinstance(domain, Contracted)

    def density(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """As `Field.density`."""
        inside = -torch.stack([solid.signed(positions) for solid in self.solids]).amin(0)
        return DENSE * torch.sigmoid(inside / self.softness)

    def radiance(self, query: Query) -> Radiance:
        """As `Field.radiance`."""
        return Radiance(self.density(query.positions), self.shade(query))


WORLD_CENTRE, WORLD_SCALE = (3.0, -2.0, 1.0), 4.0
"""The norm frame's origin in the data set's frame, and how long a norm unit is there."""


def as_teacher(
    field: RadianceField, cameras: list[Camera] | None = None, resolution: int = 32
) -> Teacher:
    """`field` as a teacher in [-1, 1]^3 with every cell occupied, of a data set that is off centre and larger."""
    cameras = all_round((0.0, 0.0, 0.0)) if cameras is None else cameras
    box = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
    variant = Variant(
        field,
        OccupancyConfig(resolution=resolution, step=0.01).build(box),
        PerImageConfig().build(len(cameras)),
        GivenCameras(),
        RenderConfig(),
    )
    described = tuple(describe_camera(f"{k}", camera) for k, camera in enumerate(cameras))
    T = torch.eye(4)
    T[:3, :3] /= WORLD_SCALE
    T[:3, 3] = -torch.tensor(WORLD_CENTRE) / WORLD_SCALE
    rows = T.tolist()
    corners = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
    scene = SceneDescription("solids", {"train": described}, tuple(map(tuple, rows)), corners, True)
    return Teacher(variant, scene)
