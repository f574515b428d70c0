"""Which way is up, and scenes that move."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float64
from torch import Tensor

from teacher.cameras import look_at
from teacher.datasets import load_scene
from teacher.datasets.poses import from_opencv, upright
from tests.captures import turned
from tests.scenes import Document, edited, orbiting, tiny_shots, write_blender, write_instant_ngp


def arc(turn: float, elevation: float, roll: float = 0.0) -> Float64[Tensor, "n 4 4"]:
    """20 cameras over an arc of `turn` radians, looking down by `elevation`, rolled at random by about `roll`."""
    generator, poses = torch.Generator().manual_seed(0), []
    for azimuth in torch.linspace(-turn / 2, turn / 2, 20).tolist():
        T = orbiting(azimuth, elevation).T_world_camera.double()
        angle = roll * float(torch.randn((), generator=generator))
        c, s = math.cos(angle), math.sin(angle)
        T[:3, :2] = T[:3, :2] @ torch.tensor([[c, -s], [s, c]]).double()
        poses.append(T)
    return torch.stack(poses)


def tilt(poses: Float64[Tensor, "n 4 4"]) -> float:
    """Degrees between the direction that is set upright and the true vertical, in a turned world."""
    R = torch.eye(4).double()
    R[:3, :3] = torch.from_numpy(turned(1))
    z = upright(R @ poses)[:3, :3] @ R[:3, 2].clone()[:3]
    return math.degrees(math.acos(min(1.0, float(z[2]))))


@pytest.mark.parametrize(
    ("turn", "roll", "most"),
    [(2 * math.pi, 0.0, 0.1), (2 * math.pi, 0.03, 1.0), (1.5, 0.0, 3.0), (1.5, 0.03, 4.0)],
)
def test_cameras_that_look_down_still_tell_the_vertical(
    turn: float, roll: float, most: float
) -> None:
    """Their mean up vector leans towards what they look at, by up to 35 degrees on a short arc."""
    assert tilt(arc(turn, 0.6, roll)) < most


def test_cameras_side_by_side_have_their_own_up() -> None:
    """Nothing but the up vectors is known then; the world's vertical may be off by the angle they look down."""
    poses = arc(0.01, 0.3)
    up = poses[:, :3, 1].mean(0)
    torch.testing.assert_close(
        upright(poses)[:3, :3] @ up, torch.tensor([0.0, 0, 1]).double(), atol=2e-3, rtol=0
    )


def test_upright_is_a_rotation_that_leaves_upright_worlds_alone() -> None:
    poses = arc(5.0, 0.4)
    torch.testing.assert_close(upright(poses), torch.eye(4).double(), atol=2e-2, rtol=0)
    for seed in range(5):
        R = torch.eye(4).double()
        R[:3, :3] = torch.from_numpy(turned(seed))
        T = upright(R @ poses)
        torch.testing.assert_close(T @ T.T, torch.eye(4).double())
        assert float(T.det()) == pytest.approx(1)


def test_a_world_upside_down_is_turned_over() -> None:
    """The one direction for which the plane of up and +z is not defined."""
    over = torch.diag(torch.tensor([1.0, -1, -1, 1]).double())
    poses = torch.stack([over @ pose for pose in arc(2 * math.pi, 0.0)])
    assert float((upright(poses) @ over)[2, 2]) == pytest.approx(1, abs=1e-3)


def test_cameras_whose_up_vectors_cancel_are_left_alone() -> None:
    poses = arc(5.0, 0.4)
    flipped = torch.cat([poses, poses * torch.tensor([-1.0, -1, 1, 1]).double()])
    torch.testing.assert_close(upright(flipped), torch.eye(4).double())


def test_opencvs_axes() -> None:
    """A camera at (1, 2, 3) that looks along +x: its right is -y, its down -z."""
    R = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
    T_camera_world = np.eye(4)
    T_camera_world[:3] = np.concatenate([R, -R @ [[1.0], [2], [3]]], 1)
    pose = from_opencv(torch.from_numpy(T_camera_world))
    at, target = torch.tensor([1.0, 2, 3]).double(), torch.tensor([9.0, 2, 3]).double()
    torch.testing.assert_close(pose, look_at(at, target))


def test_times_are_kept_and_said_to_be_ignored(tmp_path: Path) -> None:
    """D-NeRF's layout: NeRF-synthetic with a time for each frame."""
    write_blender(tmp_path, tiny_shots())

    def number(document: Document) -> None:
        for i, frame in enumerate(document["frames"]):
            frame["time"] = i / (len(document["frames"]) - 1)

    for split in ("train", "test"):
        edited(tmp_path, number, f"transforms_{split}.json")
    scene = load_scene(tmp_path)
    assert [camera.time for camera in scene.cameras()] == pytest.approx(np.linspace(0, 1, 8))
    assert ["times from 0 to 1" in warning for warning in scene.warnings] == [True]


def test_one_time_for_all_frames_is_no_movement(tmp_path: Path) -> None:
    write_instant_ngp(tmp_path, tiny_shots())
    scene = load_scene(edited(tmp_path, lambda d: d.update(time=0.0)))
    assert scene.warnings == ()
    assert {camera.time for camera in scene.cameras()} == {0.0}
