"""Sparse points from PLY files: every kind of header, and files that are none."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from teacher.datasets import load_scene
from teacher.datasets.ply import read_points
from teacher.errors import UserError
from tests.captures import cloud
from tests.scenes import edited, tiny_shots, write_nerfstudio

XYZ = [(1.0, 2.0, 3.0), (-4.5, 5.25, 6.0)]
HEADER = """ply
format {kind} 1.0
comment written by a test
element vertex {count}
property float z
property uchar red
property double x
property float y
element face 1
property list uchar int vertex_indices
end_header
"""


def body(kind: str) -> bytes:
    """Vertices (z, red, x, y) in an order of their own, then a face that nobody asked for."""
    if kind == "ascii":
        return b"".join(b"%g 7 %g %g\n" % (z, x, y) for x, y, z in XYZ) + b"3 0 1 0\n"
    layout = ("<" if kind == "binary_little_endian" else ">") + "fBdf"
    return b"".join(struct.pack(layout, z, 7, x, y) for x, y, z in XYZ) + b"\3\0\0\0\0"


KINDS = ["ascii", "binary_little_endian", "binary_big_endian"]


@pytest.mark.parametrize("kind", KINDS)
def test_points_are_found_by_name_in_any_order_and_kind(tmp_path: Path, kind: str) -> None:
    (tmp_path / "p.ply").write_bytes(HEADER.format(kind=kind, count=2).encode() + body(kind))
    torch.testing.assert_close(read_points(tmp_path / "p.ply"), torch.tensor(XYZ).double())


def test_no_points_at_all(tmp_path: Path) -> None:
    (tmp_path / "p.ply").write_text(HEADER.format(kind="ascii", count=0))
    assert read_points(tmp_path / "p.ply").shape == (0, 3)


BAD = {
    "no header": (b"plyformat", "no header"),
    "something else": (b"PK\3\4 end_header\n", "no header"),
    "unknown kind": (HEADER.format(kind="binary", count=2).encode(), "format 'unknown'"),
    "no y": (
        HEADER.format(kind="ascii", count=2).replace("float y", "float v").encode(),
        "z, red, x, v",
    ),
    "a list": (
        HEADER.format(kind="ascii", count=2).replace("uchar red", "list uchar int red").encode(),
        "the property 'list uchar int red'",
    ),
    "faces first": (
        HEADER.format(kind="ascii", count=2).replace("element vertex", "element edge").encode(),
        "'element edge 2' before the vertices",
    ),
    "too few": (HEADER.format(kind="ascii", count=2).encode() + b"1 2 3 4\n", "not 2 of 4 numbers"),
    "words": (HEADER.format(kind="ascii", count=1).encode() + b"1 2 three 4\n", "'three'"),
    "truncated": (
        HEADER.format(kind="binary_little_endian", count=2).encode() + b"\0" * 33,
        "33 bytes of points instead of 34",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_is_no_cloud_is_explained(tmp_path: Path, case: str) -> None:
    data, message = BAD[case]
    (tmp_path / "p.ply").write_bytes(data)
    with pytest.raises(UserError, match=rf"point file .*p\.ply\n.*({message})"):
        read_points(tmp_path / "p.ply")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(kind=st.sampled_from(KINDS), place=st.floats(0, 1), garbage=st.binary(max_size=16))
def test_garbage_is_read_or_explained_and_nothing_else(
    tmp_path: Path, kind: str, place: float, garbage: bytes
) -> None:
    data = HEADER.format(kind=kind, count=2).encode() + body(kind)
    start = int(place * len(data))
    (tmp_path / "p.ply").write_bytes(data[:start] + garbage + data[start + len(garbage) :])
    try:
        assert read_points(tmp_path / "p.ply").shape[1] == 3
    except UserError as error:
        assert "p.ply" in str(error)


def test_nerfstudios_points_are_in_the_world_of_its_poses(tmp_path: Path) -> None:
    """Not to be moved by applied_transform once more; a file that is missing is said, not fatal."""
    write_nerfstudio(tmp_path, tiny_shots())
    applied = [[1.0, 0, 0, 5.0], [0, 0, 1, 0], [0, -1, 0, 0]]
    keys = {"ply_file_path": "sparse_pc.ply", "applied_transform": applied}
    edited(tmp_path, lambda d: d.update(keys))
    scene = load_scene(tmp_path)
    assert scene.points is None
    assert ["sparse_pc.ply do not exist" in warning for warning in scene.warnings] == [True]
    points = np.array(cloud(80), np.float32)
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 80\n"
    header += "".join(f"property float {axis}\n" for axis in "xyz") + "end_header\n"
    (tmp_path / "sparse_pc.ply").write_bytes(header.encode() + points.tobytes())
    scene = load_scene(tmp_path)
    assert scene.warnings == () and scene.points is not None
    T = scene.T_norm_world
    torch.testing.assert_close(scene.points, torch.from_numpy(points) @ T[:3, :3].T + T[:3, 3])
