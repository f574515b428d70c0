"""Camera-path files: what is written is what is read, and what cannot be used is explained."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from teacher.cameras import Camera
from teacher.errors import UserError
from teacher.paths import CameraPath, circle, read_camera_path, read_path, write_path

LIKE = Camera(torch.eye(4), 10.0, 11.0, 3.0, 4.0, 7, 9)
FRAME = {"T_norm_camera": torch.eye(4).tolist(), "intrinsics": [1.0, 2.0, 0.5, 0.25]}
PLAIN = {"fps": 12, "width": 8, "height": 4, "frames": [FRAME]}


def written(folder: Path, plain: Any) -> Path:
    file = folder / "path.json"
    file.write_text(json.dumps(plain))
    return file


def test_a_file_of_the_first_version_still_reads(tmp_path: Path) -> None:
    (camera,), fps = read_path(written(tmp_path, PLAIN))
    assert (fps, camera.fx, camera.fy, camera.cx, camera.cy) == (12, 8.0, 8.0, 4.0, 1.0)
    found = read_camera_path(written(tmp_path, PLAIN))
    assert (found.closed, found.name, found.kind, found.target, found.times) == (
        (False, "", "", None, None)
    )


def test_a_pose_may_be_sixteen_numbers_in_a_row(tmp_path: Path) -> None:
    """As in a bundle's manifest."""
    flat = {**FRAME, "T_norm_camera": torch.eye(4).flatten().tolist()}
    (camera,), _ = read_path(written(tmp_path, {**PLAIN, "frames": [flat]}))
    torch.testing.assert_close(camera.T_world_camera, torch.eye(4))


@given(
    st.tuples(*[st.floats(-9, 9, width=32)] * 3),
    st.integers(1, 5),
    st.floats(0.1, 240),
    st.booleans(),
    st.booleans(),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    target: tuple[float, float, float],
    frames: int,
    fps: float,
    closed: bool,
    timed: bool,
) -> None:
    """Poses come back bit for bit."""
    cameras = tuple(circle(torch.tensor(target), 2.0, 0.3, frames, LIKE))
    times = tuple(k**2 / 7 for k in range(frames)) if timed else None
    path = CameraPath(cameras, fps, closed, 'a "name"', "circle", target, times)
    file = tmp_path_factory.mktemp("path") / "new" / "path.json"
    write_path(file, path)
    found = read_camera_path(file)
    for a, b in zip(cameras, found.cameras, strict=True):
        assert torch.equal(a.T_world_camera, b.T_world_camera)
        assert (a.width, a.height) == (b.width, b.height)
        assert a.fractions == pytest.approx(b.fractions, rel=1e-12)
    assert found.target == pytest.approx(target, rel=1e-7)
    assert (found.fps, found.closed, found.name, found.kind, found.times) == (
        (fps, closed, path.name, path.kind, times)
    )
    assert [other.name for other in file.parent.iterdir()] == ["path.json"]


def frame(**changes: Any) -> dict[str, Any]:
    return {**PLAIN, "frames": [FRAME, {**FRAME, **changes}]}


def pose(row: int, column: int, value: float) -> list[list[float]]:
    changed = torch.eye(4).tolist()
    changed[row][column] = value
    return changed


WRONG = {
    "no list": ([], "attribute"),
    "no width": ({key: value for key, value in PLAIN.items() if key != "width"}, "width"),
    "half a pixel": ({**PLAIN, "height": 4.5}, "height 4.5"),
    "no frames": ({**PLAIN, "frames": []}, "no frames"),
    "frames that are a number": ({**PLAIN, "frames": 3}, "iterable"),
    "no speed": ({**PLAIN, "fps": 0}, "fps 0"),
    "a speed in words": ({**PLAIN, "fps": "fast"}, "fps 'fast'"),
    "another schema": ({**PLAIN, "schema": 2}, "schema 2; this version reads 1"),
    "three intrinsics": (frame(intrinsics=[1, 1, 0.5]), "values to unpack"),
    "no focal length": (frame(intrinsics=[1, 0, 0.5, 0.5]), "frame 1's intrinsics"),
    "NaN intrinsics": (frame(intrinsics=[1, math.nan, 0.5, 0.5]), "frame 1's intrinsics nan"),
    "no pose": ({**PLAIN, "frames": [{"intrinsics": FRAME["intrinsics"]}]}, "T_norm_camera"),
    "a pose of nine numbers": (frame(T_norm_camera=[0] * 9), "shape"),
    "a NaN pose": (frame(T_norm_camera=pose(0, 3, math.nan)), "frame 1's T_norm_camera"),
    "an infinite pose": (frame(T_norm_camera=pose(1, 3, math.inf)), "frame 1's T_norm_camera"),
    "a scaled pose": (frame(T_norm_camera=pose(0, 0, 1.5)), "no rotation and position"),
    "a mirrored pose": (frame(T_norm_camera=pose(2, 2, -1)), "no rotation and position"),
    "a projective pose": (frame(T_norm_camera=pose(3, 0, 1)), "no rotation and position"),
    "a target in the plane": ({**PLAIN, "target": [1, 2]}, "values to unpack"),
    "a time for one frame": (frame(time=1.0), "times of some frames only"),
    "times that stand still": (
        {**PLAIN, "frames": [{**FRAME, "time": 1.0}, {**FRAME, "time": 1.0}]},
        "times that do not rise",
    ),
}


@pytest.mark.parametrize(("plain", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_used_is_named(plain: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_camera_path(written(tmp_path, plain))
    assert said in caught.value.given
    assert "python -m teacher path" in caught.value.remedy


def test_what_is_no_json_is_named(tmp_path: Path) -> None:
    file = tmp_path / "path.json"
    with pytest.raises(UserError, match="no file"):
        read_camera_path(file)
    file.write_text("{")
    with pytest.raises(UserError, match="valid JSON"):
        read_camera_path(file)
