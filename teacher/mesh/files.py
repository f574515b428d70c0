"""Meshes and points as files, in the data set's units.

GLB   glTF's axes (+y up, +z to the front), colours linear in 16 bits, unlit: the light is in the colours already
PLY   the data set's axes (+z up), colours sRGB in 8 bits
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from teacher.errors import UserError
from teacher.files import replacing
from teacher.images import to_bytes
from teacher.mesh.surface import Surface
from teacher.missing import needed

_GLTF_WORLD = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""x stays, the world's up (z) becomes y, its y points away from the viewer."""
_POINT = np.dtype([("xyz", "<f4", 3), ("normal", "<f4", 3), ("rgb", "u1", 3)])
_PROPERTIES = (*("x", "y", "z"), *("nx", "ny", "nz"))


def check_name(path: Path, endings: tuple[str, ...]) -> None:
    """Raise a UserError unless the name of `path` ends with one of `endings`."""
    if path.suffix.lower() not in endings:
        expected = f"a name that ends with {' or '.join(endings)}"
        raise UserError("--output", str(path), expected, f"try {path.with_suffix(endings[0])}")


def write_mesh(
    path: Path,
    surface: Surface,
    colours: Float[Tensor, "vertices 3"],
    T_world_norm: Float[Tensor, "4 4"],
) -> None:
    """Write `surface`, which is in the norm frame, as GLB or PLY by the name of `path`.

    Raises:
        UserError: trimesh is missing.
    """
    trimesh = needed("trimesh", "mesh")
    at = surface.vertices @ T_world_norm[:3, :3].T + T_world_norm[:3, 3]
    glb = path.suffix.lower() == ".glb"
    at = at @ _GLTF_WORLD.T if glb else at
    mesh = trimesh.Trimesh(at.numpy(), surface.faces.numpy(), process=False, validate=False)
    if glb:
        mesh.vertex_attributes[_COLOUR] = _linear_16_bit(colours)
        data = mesh.export(file_type="glb", include_normals=False, tree_postprocessor=_unlit)
    else:
        mesh.visual.vertex_colors = to_bytes(colours)
        data = mesh.export(file_type="ply", vertex_normal=True)
    with replacing(path) as partial:
        partial.write_bytes(data)


_COLOUR = "_COLOUR_16"


def _linear_16_bit(colours: Float[Tensor, "n 3"]) -> np.ndarray:
    """sRGB as the linear RGBA that glTF wants; 8 bits of it would show steps in the dark."""
    linear = torch.where(
        colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055).clamp_min(0) ** 2.4
    )
    rgba = torch.cat([linear, torch.ones(len(colours), 1)], -1)
    return (rgba.double() * 65535).round().numpy().astype(np.uint16)


def _unlit(tree: dict[str, Any]) -> None:
    """Make our attribute glTF's vertex colour, and the material one that needs no light.

    trimesh writes vertex colours in 8 bits only, but any other attribute as it is.
    """
    primitive = tree["meshes"][0]["primitives"][0]
    colour = primitive["attributes"].pop(_COLOUR)
    primitive["attributes"]["COLOR_0"] = colour
    tree["accessors"][colour]["normalized"] = True
    matt = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    unlit = "KHR_materials_unlit"
    tree["materials"] = [{"pbrMetallicRoughness": matt, "extensions": {unlit: {}}}]
    tree["extensionsUsed"] = [unlit]
    primitive["material"] = 0


def write_points(path: Path, points: Mapping[str, Tensor], T_world_norm: Tensor) -> None:
    """Write points (keys of `_POINT`: xyz and unit normals in the norm frame, sRGB) as binary PLY."""
    turn = T_world_norm[:3, :3] / T_world_norm[:3, :3].det() ** (1 / 3)
    table = np.empty(len(points["xyz"]), _POINT)
    table["xyz"] = (points["xyz"] @ T_world_norm[:3, :3].T + T_world_norm[:3, 3]).numpy()
    table["normal"] = (points["normal"] @ turn.T).numpy()
    table["rgb"] = to_bytes(points["rgb"])
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(table)}"]
    lines += [f"property float {name}" for name in _PROPERTIES]
    lines += [f"property uchar {name}" for name in ("red", "green", "blue")]
    with replacing(path) as partial:
        partial.write_bytes("\n".join([*lines, "end_header", ""]).encode() + table.tobytes())
