"""`python -m teacher {mesh,points}`: export a trained teacher for programs that know nothing of fields."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import point_of_interest
from teacher.errors import UserError
from teacher.machine import Device
from teacher.mesh.region import Region
from teacher.model import Teacher

Box = tuple[float, float, float, float, float, float]
_RESOLUTIONS = (8, 2048)
_AROUND = 1.0
"""Radius, in norm units, of the ball around what the cameras look at, where nothing bounds a scene."""


@dataclass(frozen=True, kw_only=True)
class _Export:
    run_folder: Annotated[Path, tyro.conf.arg(name="run")]
    """Run folder of the teacher."""
    box: Box | None = None
    """x0 y0 z0 x1 y1 z1, in the data set's units: what to export. By default the teacher's box; of a teacher without
    bounds, what is near the point that the cameras look at."""
    device: Device = "auto"
    """Where to ask the field."""


@dataclass(frozen=True, kw_only=True)
class Mesh(_Export):
    """Export a trained teacher as a coloured triangle mesh (marching cubes on its density)."""

    output: Path
    """A .glb (+y up) or .ply (+z up) file to write."""
    resolution: int = 256
    """Cubes along the longest side."""
    level: float | None = None
    """Density, per norm unit, of the surface; None: between nothing and something, see docs/mesh.md."""
    components: int = 1
    """Connected parts to keep, the largest first."""

    def run(self) -> None:
        """Extract, colour and write."""
        from teacher.mesh.files import check_name

        check_name(self.output, (".glb", ".ply"))
        _at_least_one("--components", self.components)
        _check_resolution(self.resolution)
        teacher = Teacher.load(self.run_folder, self.device)
        print(write_teacher_mesh(teacher, region_of(teacher, self.box), self))


@dataclass(frozen=True, kw_only=True)
class Points(_Export):
    """Export what the training cameras see of a teacher as a cloud of points with colours and normals."""

    output: Path
    """A .ply file (+z up) to write."""
    count: int = 1_000_000
    """Most points to keep; they are thinned evenly."""

    def run(self) -> None:
        """Render, lift, thin and write."""
        from teacher.mesh.files import check_name, write_points
        from teacher.mesh.points import surface_points

        check_name(self.output, (".ply",))
        _at_least_one("--count", self.count)
        teacher = Teacher.load(self.run_folder, self.device)
        region = region_of(teacher, self.box)
        points = surface_points(teacher, teacher.scene.split("train"), region, self.count)
        write_points(self.output, points, _T_world_norm(teacher))
        print(f"{self.output}: {len(points['xyz'])} points, +z up, in the data set's units")


def write_teacher_mesh(teacher: Teacher, region: Region, wanted: Mesh) -> str:
    """Write the mesh that is `wanted` of `teacher` inside `region`; returns what to say of it.

    Raises:
        UserError: there is no surface, or a package is missing.
    """
    from teacher.mesh.colours import colours
    from teacher.mesh.files import write_mesh
    from teacher.mesh.level import choose_level
    from teacher.mesh.marching import extract
    from teacher.mesh.region import Lattice
    from teacher.mesh.solid import solid_density
    from teacher.missing import needed

    needed("trimesh", "mesh")  # before anything that takes time
    density = solid_density(teacher, region)
    level = choose_level(density, region.box) if wanted.level is None else wanted.level
    lattice = Lattice.over(region.box, wanted.resolution)
    whole = extract(density, lattice, level)
    surface, parts = whole.largest(wanted.components)
    if not parts:
        raise _no_surface(level)
    rgb = colours(teacher, surface, teacher.scene.split("train"), lattice.step)
    write_mesh(wanted.output, surface, rgb, _T_world_norm(teacher))
    up, kept = (
        "+y" if wanted.output.suffix.lower() == ".glb" else "+z",
        min(wanted.components, parts),
    )
    left_out = 1 - len(surface.faces) / len(whole.faces)
    return (
        f"{wanted.output}: {len(surface.vertices)} vertices, {len(surface.faces)} triangles, {up} up, in the data "
        f"set's units\nlevel: density {level:.3g} per norm unit"
        f"\nparts: the largest {kept} of {parts} kept; {left_out:.1%} of the triangles left out"
    )


def region_of(teacher: Teacher, box: Box | None) -> Region:
    """What to export: `box` (data set's units), else the crop, else the teacher's box or around what cameras see."""
    if box is not None:
        return Region(_norm_box(teacher, box))
    if teacher.unbounded:
        centre = point_of_interest(teacher.scene.split("train")).float()
        return Region(torch.stack([centre - _AROUND, centre + _AROUND]), round=True)
    return Region(teacher.aabb)


def _norm_box(teacher: Teacher, box: Box) -> Float[Tensor, "2 3"]:
    corners = torch.tensor(box).reshape(2, 3)
    if not (corners[0] < corners[1]).all():
        given = " ".join(f"{value:g}" for value in box)
        expected = "x0 y0 z0 x1 y1 z1 with each second corner above the first"
        raise UserError("--box", given, expected, "swap the corners' coordinates")
    T = torch.tensor(teacher.scene.T_norm_world)
    return corners @ T[:3, :3].T + T[:3, 3]


def _T_world_norm(teacher: Teacher) -> Float[Tensor, "4 4"]:
    return torch.linalg.inv(torch.tensor(teacher.scene.T_norm_world).double()).float()


def _check_resolution(given: int) -> None:
    low, high = _RESOLUTIONS
    if not low <= given <= high:
        raise UserError("--resolution", str(given), f"{low} to {high} cubes", "256 is usual")


def _at_least_one(name: str, given: int) -> None:
    if given < 1:
        raise UserError(name, str(given), "a whole number from 1", "leave it out for the default")


def _no_surface(level: float) -> UserError:
    return UserError(
        "the teacher's surface",
        f"no place in the box where density crosses {level:.3g}",
        "something to make a mesh of",
        "give a lower --level or another --box, or leave them out",
    )
