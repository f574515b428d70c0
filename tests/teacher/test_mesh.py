"""A mesh of a field whose surface is known: where it is, which way it faces, what is left out, what is written."""

import json
import math
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from teacher.cameras import point_of_interest
from teacher.crop.shape import Crop
from teacher.errors import UserError
from teacher.fields.base import Query
from teacher.fields.domains import Contracted
from teacher.mesh import marching
from teacher.mesh.colours import colours
from teacher.mesh.command import Mesh, region_of, write_teacher_mesh
from teacher.mesh.files import write_mesh
from teacher.mesh.level import choose_level, otsu
from teacher.mesh.marching import extract
from teacher.mesh.region import Lattice, Region
from teacher.mesh.solid import solid_density
from teacher.mesh.surface import Surface
from teacher.model import Teacher
from teacher.samplers.occupancy import OccupancySampler
from tests.fields import DENSE, WORLD_CENTRE, WORLD_SCALE, Ellipsoid, Solids, as_teacher
from tests.scenes import all_round

BALL = Ellipsoid((0.4, 0.4, 0.4), (0.1, -0.2, 0.3))
EGG = Ellipsoid((0.5, 0.3, 0.2), (0.1, -0.2, 0.3))
CUBE = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])


LEVEL, SOFT = 20.0, 0.01
GROWN = SOFT * math.log(DENSE / LEVEL - 1)
"""How far outside a solid its density is LEVEL."""


def surface_of(*solids: Ellipsoid, resolution: int = 40) -> Surface:
    density = solid_density(as_teacher(Solids(*solids, softness=SOFT)), Region(CUBE))
    return extract(density, Lattice.over(CUBE, resolution), LEVEL)


def loaded(path: Path) -> Any:
    """The one mesh in a file."""
    return trimesh.load(path, force="mesh", process=False)


def as_trimesh(surface: Surface) -> trimesh.Trimesh:
    return trimesh.Trimesh(surface.vertices.numpy(), surface.faces.numpy(), process=False)


def test_a_ball_is_closed_faces_outwards_and_is_where_it_is() -> None:
    surface = surface_of(BALL)
    mesh = as_trimesh(surface)
    assert mesh.is_watertight and mesh.is_winding_consistent
    radius = 0.4 + GROWN
    assert mesh.volume == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.01)
    away = surface.vertices - torch.tensor(BALL.centre)
    assert float((away.norm(dim=-1) - radius).abs().mean()) < 0.1 * 0.05, "a tenth of a cell"
    cosines = (surface.normals() * torch.nn.functional.normalize(away, dim=-1)).sum(-1)
    assert float(cosines.min()) > 0.95


def test_slabs_give_the_mesh_that_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers of nodes at a time: vertices on shared layers are joined."""
    whole = surface_of(EGG)
    monkeypatch.setattr(marching, "NODES_AT_ONCE", 2 * 43**2)
    sliced = surface_of(EGG)
    assert as_trimesh(sliced).is_watertight
    assert whole.vertices.shape == sliced.vertices.shape and len(whole.faces) == len(sliced.faces)
    exactly = "donot_use_mm_for_euclid_dist"
    apart = torch.cdist(whole.vertices, sliced.vertices, compute_mode=exactly).amin(1)
    assert float(apart.max()) < 1e-5


def test_what_reaches_out_of_the_box_is_closed_at_its_sides() -> None:
    surface = surface_of(Ellipsoid((2.0, 2.0, 0.3), (0.0, 0.0, 0.0)), resolution=24)
    assert as_trimesh(surface).is_watertight
    assert surface.vertices.abs().amax() < 1 + 2 / 24
    filled = extract(lambda at: torch.full((len(at),), DENSE), Lattice.over(CUBE, 8), LEVEL)
    assert len(filled.faces) and as_trimesh(filled).is_watertight


def test_the_largest_parts_are_kept() -> None:
    small = Ellipsoid((0.1, 0.1, 0.1), (-0.6, 0.6, -0.6))
    both = surface_of(small, BALL)
    one, parts = both.largest(1)
    assert parts == 2 and len(one.faces) < len(both.faces)
    assert as_trimesh(one).is_watertight
    assert float((one.vertices - torch.tensor(BALL.centre)).norm(dim=-1).max()) < 0.44
    two, _ = both.largest(2)
    assert len(two.faces) == len(both.faces)


def test_cells_that_rays_pass_by_hold_nothing() -> None:
    teacher = as_teacher(Solids(BALL), resolution=16)
    sampler = teacher.variant.sampler
    assert isinstance(sampler, OccupancySampler)
    sampler.density.fill_(-1.0)
    sampler.density[0, 8:, :, :] = 1.0
    density = solid_density(teacher, Region(CUBE))
    left, right = torch.tensor([[-0.1, -0.2, 0.3]]), torch.tensor([[0.1, -0.2, 0.3]])
    assert float(density(left)) == 0 and float(density(right)) > 0.9 * DENSE


def test_a_region_ends_where_it_says() -> None:
    density = solid_density(as_teacher(Solids(BALL)), Region(CUBE * 0.4, round=True))
    inside, corner = torch.tensor([[0.1, -0.1, 0.3]]), torch.tensor([[0.3, -0.3, 0.3]])
    assert float(density(inside)) > 0.9 * DENSE and float(density(corner)) == 0


def test_the_level_lies_between_nothing_and_something() -> None:
    two = torch.cat([torch.linspace(0, 0.1, 500), torch.linspace(0.8, 1, 50)])
    assert 0.1 <= float(otsu(two)) <= 0.8
    density = solid_density(as_teacher(Solids(BALL)), Region(CUBE))
    assert 1 < choose_level(density, CUBE) < 0.9 * DENSE
    with pytest.raises(UserError, match="--box"):
        choose_level(lambda positions: torch.zeros(len(positions)), CUBE)


def test_colours_are_those_seen_from_where_cameras_were() -> None:
    """The field is white to the cameras, at its surface only, and red to everybody else."""
    views = all_round((0.0, 0.0, 0.0))
    cameras = torch.stack([camera.position for camera in views])

    def shade(query: Query) -> Tensor:
        surface = (BALL.signed(query.positions) > -0.03)[:, None]
        towards = torch.nn.functional.normalize(query.positions[:, None] - cameras, dim=-1)
        known = ((towards * query.directions[:, None]).sum(-1).amax(-1) > 0.999)[:, None]
        red = torch.tensor([1.0, 0.0, 0.0]).expand(len(known), 3)
        return torch.where(known, torch.where(surface, 1.0, 0.0).expand_as(red), red)

    teacher = as_teacher(Solids(BALL, shade=shade, softness=0.002), views)
    surface = surface_of(BALL)
    rgb = colours(teacher, surface, views, 0.05)
    top = surface.normals()[:, 2] > 0.3
    assert float(rgb[top].mean()) > 0.95
    bottom = surface.normals()[:, 2] < -0.99
    assert bottom.any()
    assert float((rgb[bottom] - torch.tensor([1.0, 0.0, 0.0])).abs().max()) < 0.01


@pytest.mark.parametrize("ending", [".ply", ".glb"])
def test_files_are_in_the_data_sets_units_and_the_formats_axes(tmp_path: Path, ending: str) -> None:
    teacher, path = as_teacher(Solids(EGG)), tmp_path / f"egg{ending}"
    wanted = Mesh(run_folder=tmp_path, output=path, resolution=40, level=LEVEL)
    said = write_teacher_mesh(teacher, region_of(teacher, None), wanted)
    assert f"{'+y' if ending == '.glb' else '+z'} up" in said
    mesh = loaded(path)
    x, y, z = np.array(WORLD_CENTRE) + WORLD_SCALE * np.array(EGG.centre)
    a, b, c = (WORLD_SCALE * (radius + GROWN) for radius in EGG.radii)
    middle, half = ((x, z, -y), (a, c, b)) if ending == ".glb" else ((x, y, z), (a, b, c))
    assert mesh.bounds.mean(0) == pytest.approx(np.array(middle), abs=0.02)
    assert (mesh.bounds[1] - mesh.bounds[0]) / 2 == pytest.approx(np.array(half), abs=0.03)
    assert mesh.is_watertight and mesh.volume > 0
    assert {file.name for file in tmp_path.iterdir()} == {path.name}


def glb(path: Path) -> tuple[dict, bytes]:
    data = path.read_bytes()
    (length,) = struct.unpack("<I", data[12:16])
    return json.loads(data[20 : 20 + length]), data[28 + length :]


def test_colours_of_a_glb_are_linear_and_need_no_light(tmp_path: Path) -> None:
    surface, srgb = surface_of(BALL, resolution=12), torch.tensor([1.0, 0.5, 0.02])
    rgb = srgb.expand(len(surface.vertices), 3)
    write_mesh(tmp_path / "ball.glb", surface, rgb, torch.eye(4))
    tree, data = glb(tmp_path / "ball.glb")
    primitive = tree["meshes"][0]["primitives"][0]
    accessor = tree["accessors"][primitive["attributes"]["COLOR_0"]]
    assert (accessor["componentType"], accessor["normalized"]) == (5123, True)
    view = tree["bufferViews"][accessor["bufferView"]]
    found = np.frombuffer(data, np.uint16, 4, view.get("byteOffset", 0)) / 65535
    assert found == pytest.approx([1.0, 0.21404, 0.02 / 12.92, 1.0], abs=1e-5)
    material = tree["materials"][primitive["material"]]
    assert "KHR_materials_unlit" in material["extensions"] and tree["extensionsUsed"]
    write_mesh(tmp_path / "ball.ply", surface, rgb, torch.eye(4))
    assert loaded(tmp_path / "ball.ply").visual.vertex_colors[0].tolist() == [255, 128, 5, 255]


def test_without_bounds_it_is_what_the_cameras_look_at() -> None:
    teacher = as_teacher(Solids(BALL, domain=Contracted()))
    region = region_of(teacher, None)
    centre = point_of_interest(teacher.scene.split("train"))
    assert region.round and torch.allclose(region.box.mean(0), centre, atol=1e-5)
    box = region_of(teacher, (3.0, -2.0, 1.0, 4.0, 0.0, 3.0))
    assert torch.allclose(box.box, torch.tensor([[0.0, 0, 0], [0.25, 0.5, 0.5]]))


def test_a_crop_leaves_its_part() -> None:
    given = as_teacher(Solids(BALL))
    cells = torch.ones(10, 10, 10, dtype=torch.bool)
    cells[..., :7] = False  # below 0.4
    teacher = Teacher(given.variant, given.scene, Crop(CUBE, cells))
    assert torch.equal(region_of(teacher, None).box, teacher.aabb)
    surface = extract(solid_density(teacher, Region(CUBE)), Lattice.over(CUBE, 40), LEVEL)
    assert float(surface.vertices[:, 2].min()) > 0.4 - 0.05 and as_trimesh(surface).is_watertight


def test_nothing_to_make_a_mesh_of(tmp_path: Path) -> None:
    teacher = as_teacher(Solids(BALL))
    wanted = Mesh(run_folder=tmp_path, output=tmp_path / "x.ply", level=2 * DENSE, resolution=16)
    with pytest.raises(UserError, match="--level"):
        write_teacher_mesh(teacher, region_of(teacher, None), wanted)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"output": Path("toy.obj")}, "toy.glb"),
        ({"resolution": 4}, "--resolution"),
        ({"components": 0}, "--components"),
        ({"box": (0.0, 0.0, 0.0, 1.0, -1.0, 1.0)}, "--box"),
    ],
)
def test_what_cannot_be_is_said(tiny_run: Path, changes: dict[str, Any], said: str) -> None:
    arguments: dict[str, Any] = {"run_folder": tiny_run / "teacher", "output": Path("toy.ply")}
    arguments |= changes
    with pytest.raises(UserError, match=said):
        Mesh(**arguments).run()


@pytest.mark.parametrize("package", ["trimesh", "skimage"])
def test_a_missing_package_is_named(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for name in (package, f"{package}.measure"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r'pip install -e "\.\[mesh\]"'):
        Mesh(run_folder=tiny_run / "teacher", output=tmp_path / "x.glb", resolution=16).run()


def test_a_trained_teacher_becomes_a_mesh(tiny_run: Path, tmp_path: Path, capsys) -> None:
    Mesh(run_folder=tiny_run / "teacher", output=tmp_path / "x.glb", resolution=48).run()
    assert "x.glb" in capsys.readouterr().out
    mesh = loaded(tmp_path / "x.glb")
    assert mesh.is_watertight and 500 < len(mesh.faces)
