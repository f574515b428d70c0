"""Coordinates of camera motions: what each does to the picture, and what all cameras' motions do to what they show."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera, apply_similarity, point_of_interest, project
from teacher.rigid import (
    aligning_similarity,
    gauge_directions,
    gauge_readings,
    moved,
    orbit_basis,
    rotate,
)
from tests.clouds import cameras_around

POINT = torch.tensor([0.1, -0.2, 0.3])
STEP = 1e-3


def _shift_of(camera: Camera, column: int, point: Float[Tensor, "1 3"]) -> Float[Tensor, "2"]:
    """How many pixels `point` moves for each radian of the motion in one column."""
    step = orbit_basis(camera, POINT)[:, column].double() * STEP
    after = moved(camera, step)
    return (project(after, point)[0] - project(camera, point)[0])[0] / STEP


def test_each_column_does_what_it_is_named_for() -> None:
    for camera in _doubled(cameras_around(5)):
        ahead = camera.position + camera.forward * (camera.position - POINT.double()).norm()
        behind, beside = ahead + camera.forward, ahead + camera.T_world_camera[:3, 0]
        pan = torch.stack([_shift_of(camera, k, ahead[None]) for k in (0, 1)])
        torch.testing.assert_close(
            pan.abs(), torch.tensor([[0, camera.fy], [camera.fx, 0]]).double(), atol=0.05, rtol=0
        )
        for column in (2, 3, 4, 5):  # the spot ahead stays
            assert float(_shift_of(camera, column, ahead[None]).norm()) < 0.05
        assert float(_shift_of(camera, 3, behind[None])[1].abs()) > 2
        assert float(_shift_of(camera, 4, behind[None])[0].abs()) > 2
        rolled, nearer = (_shift_of(camera, k, beside[None]) for k in (2, 5))
        assert rolled[1].abs() > 3 > 0.05 > rolled[0].abs()
        assert nearer[0].abs() > 3 > 0.05 > nearer[1].abs()


def _doubled(cameras: list[Camera]) -> list[Camera]:
    return [replace(camera, T_world_camera=camera.T_world_camera.double()) for camera in cameras]


def test_a_basis_spans_all_motions() -> None:
    for camera in cameras_around(5):
        sizes = torch.linalg.svdvals(orbit_basis(camera, POINT))
        assert float(sizes[-1]) > 0.2


def test_readings_are_what_happens_to_the_scene() -> None:
    """Of all cameras moved together by a small rotation, shift and growth about the point: just these."""
    centres = torch.stack([camera.position for camera in cameras_around(9)]).double()
    w, shift, growth = torch.tensor([3e-4, -2e-4, 5e-4]), torch.tensor([4e-4, 1e-4, -6e-4]), 7e-4
    arm = centres - POINT.double()
    turn = w.double().expand(9, 3)
    v = rotate(turn, arm) - arm + shift + growth * arm
    readings = gauge_readings(centres, POINT) @ torch.cat([turn, v], -1).flatten()
    # a camera carries the point rigidly: it does not know of growth, which moves it away
    away = shift.double() + growth * arm.mean(0)
    torch.testing.assert_close(readings[:3], away, atol=2e-6, rtol=0)
    torch.testing.assert_close(readings[3:6], w.double(), atol=1e-9, rtol=0)
    assert abs(float(readings[6]) - growth) < 1e-3 * growth + 1e-3 * float(w.norm())
    assert torch.linalg.matrix_rank(gauge_readings(centres, POINT) @ gauge_directions(centres)) == 7


def test_aligning_about_a_point_follows_it() -> None:
    """Exact where a similarity moved all cameras; where they only tilt, the point goes where they see it."""
    cameras = _doubled(cameras_around(8))
    T = torch.eye(4).double()
    turn = torch.tensor([0.1, -0.2, 0.3]).double().expand(3, 3)
    T[:3, :3] = 1.3 * rotate(turn, torch.eye(3).double()).T
    T[:3, 3] = torch.tensor([0.3, -0.1, 0.2])
    moved_all = [apply_similarity(T, camera) for camera in cameras]
    torch.testing.assert_close(aligning_similarity(cameras, moved_all, POINT), T)
    target, up = point_of_interest(cameras), torch.tensor([0.0, 0.0, 0.01]).double()
    tilted = [moved(camera, _tilt(camera, target, up)) for camera in cameras]
    seen = aligning_similarity(cameras, tilted, target)
    mean = torch.stack([_carried(a, b, target) for a, b in zip(cameras, tilted, strict=True)])
    torch.testing.assert_close(seen[:3, :3] @ target + seen[:3, 3], mean.mean(0), atol=1e-6, rtol=0)
    plain = aligning_similarity(cameras, tilted)
    assert float((plain[:3, :3] @ target + plain[:3, 3] - mean.mean(0)).norm()) > 4e-3


def _tilt(camera: Camera, target: Tensor, up: Tensor) -> Float[Tensor, "6"]:
    """Turns `camera` about its centre so that `target` + `up` is seen where `target` was."""
    arm = target - camera.position
    return torch.cat([torch.linalg.cross(arm, up) / arm.square().sum(), torch.zeros(3).double()])


def _carried(before: Camera, after: Camera, point: Tensor) -> Float[Tensor, "3"]:
    local = before.T_world_camera[:3, :3].T @ (point - before.position)
    return after.T_world_camera[:3, :3] @ local + after.position
