"""LLFF captures: known points hit known pixels, depths become the box, rows and files must agree."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from teacher.cameras import project
from teacher.datasets import llff, load_scene
from teacher.datasets.raw import LoadOptions
from teacher.errors import UserError
from tests.captures import (
    centred,
    loaded_pixels,
    pinhole_pixels,
    some_points,
    turned,
    write_llff,
    write_pictures,
)
from tests.scenes import tiny_shots, world_box


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A tiny scene as LLFF has it."""
    write_llff(tmp_path, centred(tiny_shots()))
    return tmp_path


def test_known_points_hit_known_pixels_in_a_world_of_any_orientation(tmp_path: Path) -> None:
    shots, points, R = centred(tiny_shots()), some_points(), turned(3)
    write_llff(tmp_path, shots, R)
    raw = llff.load(tmp_path / "poses_bounds.npy", LoadOptions())
    for shot in shots:
        pixels = loaded_pixels(raw, shot.name, points @ R.T)
        np.testing.assert_allclose(pixels, pinhole_pixels(shot.camera, points), atol=1e-5, rtol=0)


def test_the_box_is_what_the_cameras_show_between_their_depths(tmp_path: Path) -> None:
    """Every corner of every picture at the farthest depth is in it, and every camera; nothing fits more closely."""
    shots = centred(tiny_shots())
    for shot in shots:
        shot.rgba[..., 3] = 255
    write_llff(tmp_path, shots, depths=(1.0, 5.0))
    scene = load_scene(tmp_path)
    box = world_box(scene).double()
    low, high = torch.full((3,), torch.inf).double(), torch.full((3,), -torch.inf).double()
    for shot in shots:
        camera = shot.camera
        for u in (0.0, camera.width):
            for v in (0.0, camera.height):
                x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
                local = torch.tensor([x, -y, -1.0, 0.2]) * 5.0
                corner = (camera.T_world_camera @ local)[:3].double()
                low, high = torch.minimum(low, corner), torch.maximum(high, corner)
        low, high = torch.minimum(low, camera.position), torch.maximum(high, camera.position)
    torch.testing.assert_close(box, torch.stack([low, high]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("keep_full", [True, False])
def test_smaller_copies_belong_by_order_whatever_their_names(
    capture: Path, keep_full: bool
) -> None:
    """The published captures have images/IMG_4026.JPG and images_4/image000.png."""
    (capture / "images_2").mkdir()
    for i in range(10):
        Image.new("RGB", (4, 3), (i, 9, 9)).save(capture / "images_2" / f"image{i:03}.png")
    if not keep_full:
        for file in (capture / "images").iterdir():
            file.unlink()
        (capture / "images").rmdir()
    splits = load_scene(capture, downscale=2).splits
    assert [frame.picture.rgba()[0, 0, 0] for frame in splits["test"]] == [0, 8]
    assert (splits["test"][0].camera.width, splits["test"][0].camera.height) == (4, 3)


def test_rows_and_pictures_must_be_as_many(capture: Path) -> None:
    (capture / "images" / "003.png").unlink()
    with pytest.raises(UserError, match=r"10 rows in poses_bounds.npy and 9 pictures"):
        load_scene(capture)


def test_pictures_of_another_size_than_the_rows_say_are_named(capture: Path) -> None:
    write_pictures(
        capture / "images", [replace(tiny_shots()[3], rgba=np.zeros((4, 4, 4), np.uint8))]
    )
    with pytest.raises(UserError, match=r"003.png\n.*4 x 4 pixels\n.*7 x 5 pixels"):
        load_scene(capture)


def spoilt(column: int, value: float) -> np.ndarray:
    buffer = io.BytesIO()
    rows = np.tile(np.array([0, 1, 0, 0, 5, -1, 0, 0, 0, 7, 0, 0, 1, 0, 9, 1, 2.0]), (10, 1))
    rows[3, column] = value
    np.save(buffer, rows)
    return rows


BAD = {
    "infinite depth": (spoilt(16, np.inf), r"row 3 of .*\n.*depths 1 to inf\n.*positive numbers"),
    "depths in the wrong order": (spoilt(15, 3.0), r"row 3 of .*\n.*depths 3 to 2"),
    "no focal length": (spoilt(14, 0.0), r"row 3 of .*\n.*focal length 0"),
    "a scaled axis": (spoilt(1, 2.0), r"row 3 of .*\n.*axes of length 2"),
    "a mirrored axis": (spoilt(1, -1.0), r"row 3 of .*\n.*determinant -1"),
    "columns": (np.zeros((10, 14)), r"pose file .*\n.*10 x 14\n.*17 numbers for each picture"),
    "words": (np.array(["a", "b"]), r"pose file .*\n.*could not convert string"),
    "objects": (np.array([{}], dtype=object), r"pose file .*\n.*allow_pickle"),
}


@pytest.mark.parametrize("case", BAD)
def test_rows_that_are_no_cameras_are_explained(capture: Path, case: str) -> None:
    rows, message = BAD[case]
    np.save(capture / "poses_bounds.npy", rows, allow_pickle=True)
    with pytest.raises(UserError, match=message):
        load_scene(capture)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(place=st.floats(0, 1), garbage=st.binary(max_size=24), cut=st.booleans())
def test_garbage_is_read_or_explained_and_nothing_else(
    capture: Path, place: float, garbage: bytes, cut: bool
) -> None:
    file = capture / "poses_bounds.npy"
    data = file.read_bytes()
    start = int(place * len(data))
    file.write_bytes(data[:start] + garbage + (b"" if cut else data[start + len(garbage) :]))
    try:
        scene = llff.load(capture, LoadOptions())
    except UserError as error:
        assert "poses_bounds.npy" in str(error)
    else:
        for frames in scene.splits.values():
            for frame in frames:
                pixels, _ = project(frame.camera, torch.zeros(1, 3).double())
                assert pixels.isfinite().all()
    file.write_bytes(data)
