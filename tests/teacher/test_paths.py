"""Camera paths go where they should: shapes around a point, splines through cameras."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from teacher.cameras import Camera, look_at
from teacher.errors import UserError
from teacher.paths import circle, cone, interpolate, orbit, spiral
from teacher.paths.shapes import angles
from teacher.paths.spline import hermite, in_nearest_order, quaternion, rotation
from teacher.pseudo.envelope import Envelope, direction, fit_envelope
from teacher.rigid import rotate
from tests.looking_around import room

ENVELOPE = Envelope((0.1, 0.2, 0.3), (2.0, 3.0), (0.0, 2 * math.pi), (0.2, 0.8), 0.0, (1.0, 1.4))
LIKE = Camera(torch.eye(4), 10.0, 11.0, 3.0, 4.0, 7, 9)
PIVOT = torch.tensor(ENVELOPE.pivot)


@pytest.mark.parametrize("path", [orbit, spiral])
def test_every_camera_looks_at_the_pivot_from_inside_the_envelope(path) -> None:
    for camera in path(ENVELOPE, LIKE, 12):
        offset = camera.position - PIVOT
        radius = float(offset.norm())
        assert radius == pytest.approx(2.5, abs=1e-5)
        assert 0.2 - 1e-5 <= math.asin(float(offset[2]) / radius) <= 0.8 + 1e-5
        torch.testing.assert_close(camera.forward, -offset / radius)
        assert (camera.width, camera.height, camera.cx) == (7, 9, 3.0)


def test_an_orbit_closes_on_itself_in_equal_steps() -> None:
    """The step from the last camera to the first is as long as any other."""
    positions = torch.stack([camera.position for camera in orbit(ENVELOPE, LIKE, 12)])
    steps = (positions.roll(-1, 0) - positions).norm(dim=-1)
    torch.testing.assert_close(steps, steps[:1].expand(12))


def test_an_orbit_in_a_room_looks_at_its_walls_one_after_another() -> None:
    envelope = fit_envelope(room())
    cameras = orbit(envelope, LIKE, 12)
    assert all(abs(envelope.standing(camera)[2] - 0.6) < 0.1 for camera in cameras)
    turns = [math.atan2(float(c.forward[1]), float(c.forward[0])) for c in cameras]
    steps = [(b - a) % math.tau for a, b in pairwise([*turns, turns[0]])]
    assert steps == pytest.approx([math.tau / 12] * 12, abs=1e-4)


def test_an_arc_is_swept_there_and_back() -> None:
    arc = Envelope((0.0, 0.0, 0.0), (2.0, 2.0), (-0.5, 0.5), (0.0, 0.0), 0.0, (1.0, 1.0))
    azimuths = [math.atan2(float(c.position[1]), float(c.position[0])) for c in orbit(arc, LIKE, 8)]
    assert min(azimuths) == pytest.approx(-0.5) and max(azimuths) == pytest.approx(0.5)
    assert azimuths[2] == pytest.approx(azimuths[6])


coordinate = st.floats(-5, 5)
points = st.tuples(coordinate, coordinate, coordinate).map(torch.tensor)
radii = st.floats(0.05, 50)
ANGLE = math.radians(0.1)  # the most by which a camera may look past its target


def looks_past(camera: Camera, target: torch.Tensor) -> float:
    """Angle between the optical axis and the target, in radians."""
    towards = torch.nn.functional.normalize(target.double() - camera.position.double(), dim=0)
    return float(2 * torch.arcsin((towards - camera.forward.double()).norm() / 2))


def is_level(camera: Camera) -> bool:
    """Whether the horizon is level, and the sky above it."""
    return abs(float(camera.T_world_camera[2, 0])) < 1e-5 and float(camera.T_world_camera[2, 1]) > 0


@given(points, radii, st.floats(-1.5, 1.5), st.integers(1, 9), st.floats(-7, 7))
def test_a_circle_looks_at_its_target_from_exactly_its_radius(
    target: torch.Tensor, radius: float, elevation: float, frames: int, start: float
) -> None:
    """Within what float32 can say of positions: |target| + radius, to 24 bits."""
    rounding = 1e-6 * (float(target.norm()) + radius)
    cameras = circle(target, radius, elevation, frames, LIKE, start)
    assert len(cameras) == frames
    for camera in cameras:
        offset = camera.position.double() - target.double()
        assert float(offset.norm()) == pytest.approx(radius, abs=rounding)
        assert float(offset[2]) == pytest.approx(radius * math.sin(elevation), abs=rounding)
        assert looks_past(camera, target) < ANGLE + rounding / radius
        assert is_level(camera)
    first = angles(cameras[0].position.double() - target.double())[0]
    assert math.cos(first - start) > 1 - 1e-5 or rounding > 1e-4 * radius * math.cos(elevation)


@given(points, points, radii, st.floats(0.01, 1.55), st.integers(1, 9))
def test_a_cone_sees_its_target_from_its_angle_and_distance(
    target: torch.Tensor, axis: torch.Tensor, distance: float, angle: float, frames: int
) -> None:
    if float(axis.norm()) < 1e-3:
        return
    rounding = 1e-6 * (float(target.norm()) + distance)
    back = torch.nn.functional.normalize(axis.double(), dim=0)
    for camera in cone(target, axis, angle, distance, frames, LIKE):
        offset = camera.position.double() - target.double()
        assert float(offset.norm()) == pytest.approx(distance, abs=rounding)
        seen = float(offset / offset.norm() @ back)
        assert seen == pytest.approx(math.cos(angle), abs=1e-6 + rounding / distance)
        assert looks_past(camera, target) < ANGLE + rounding / distance
        steep = float(offset[:2].norm() / offset.norm()) < 1e-3  # there "up" means nothing
        assert steep or is_level(camera)


def test_a_cone_begins_at_its_top_and_goes_round_evenly() -> None:
    axis = torch.tensor([1.0, 0.0, 0.0])
    cameras = cone(torch.zeros(3), axis, 0.3, 2.0, 12, LIKE)
    heights = [float(camera.position[2]) for camera in cameras]
    assert heights[0] == max(heights) == pytest.approx(2 * math.sin(0.3))
    places = torch.stack([camera.position for camera in cameras])
    steps = (places.roll(-1, 0) - places).norm(dim=-1)
    torch.testing.assert_close(steps, steps[:1].expand(12))


@given(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5))
def test_directions_and_angles_are_inverse(azimuth: float, elevation: float) -> None:
    assert angles(3 * direction(azimuth, elevation)) == pytest.approx((azimuth, elevation))


rotation_vectors = st.tuples(*[st.floats(-math.pi, math.pi)] * 3).map(
    lambda w: torch.tensor(w, dtype=torch.float64)
)


def turn(w: torch.Tensor) -> torch.Tensor:
    return rotate(w.expand(3, 3), torch.eye(3, dtype=torch.float64)).T


@given(rotation_vectors)
def test_quaternions_and_rotations_are_inverse(w: torch.Tensor) -> None:
    R = turn(w)
    torch.testing.assert_close(rotation(quaternion(R)), R, atol=1e-7, rtol=0)


def test_half_a_turn_has_a_quaternion_about_any_axis() -> None:
    for axis in torch.nn.functional.normalize(torch.tensor([[1.0, 0, 0], [0, 1, 0], [1, 2, 3]])):
        R = turn(math.pi * axis.double())
        torch.testing.assert_close(rotation(quaternion(R)), R, atol=1e-7, rtol=0)


def test_a_spline_is_exact_for_parabolas_away_from_its_ends() -> None:
    """Slopes are those of parabolas, and a cubic with a parabola's slopes is that parabola."""
    knots = torch.tensor([0.0, 0.5, 2.0, 3.0, 3.5], dtype=torch.float64)
    keys = torch.stack([knots**2, 3 - knots], -1)
    at = torch.linspace(0.5, 3.0, 11, dtype=torch.float64)
    torch.testing.assert_close(hermite(keys, knots, at), torch.stack([at**2, 3 - at], -1))


def scattered(count: int, seed: int = 0) -> list[Camera]:
    """Cameras near one another, with different intrinsics."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.randn(count, 3, generator=generator)
    return [
        replace(
            LIKE,
            T_world_camera=look_at(place + torch.tensor([4.0, 0, 0]), torch.zeros(3)),
            fx=9.0 + k,
        )
        for k, place in enumerate(places)
    ]


@pytest.mark.parametrize("closed", [False, True])
def test_the_way_through_cameras_meets_them_all_in_order(closed: bool) -> None:
    cameras = scattered(5)
    way = interpolate(cameras, 4000, closed)
    places = torch.stack([camera.position for camera in way])
    nearest = [int((places - camera.position).norm(dim=-1).argmin()) for camera in cameras]
    assert nearest == sorted(nearest) and nearest[0] == 0
    assert (nearest[-1] == 3999) != closed
    for k, camera in zip(nearest, cameras, strict=True):
        there = way[k]
        torch.testing.assert_close(there.T_world_camera, camera.T_world_camera, atol=5e-3, rtol=0)
        assert there.fx == pytest.approx(camera.fx, abs=5e-3)
    for camera in way[::97]:
        R = camera.T_world_camera[:3, :3]
        torch.testing.assert_close(R @ R.T, torch.eye(3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("closed", [False, True])
def test_the_way_has_no_corners_not_even_where_it_closes(closed: bool) -> None:
    """Steps change by much less than a step, from each to the next."""
    way = interpolate(scattered(5), 2000, closed)
    poses = torch.stack([camera.T_world_camera for camera in way]).double()
    steps = (poses.roll(-1, 0) - poses) if closed else poses.diff(dim=0)
    changes = (steps.roll(-1, 0) - steps) if closed else steps.diff(dim=0)
    assert float(changes.flatten(1).norm(dim=-1).max()) < 0.05 * float(
        steps.flatten(1).norm(dim=-1).max()
    )


def test_a_turn_takes_the_shorter_way() -> None:
    """From 170 to 190 degrees by way of 180, whichever sign the quaternions have got."""
    around = [
        turn(torch.tensor([0.0, 0, math.radians(a)], dtype=torch.float64)).float()
        for a in (170, 190)
    ]
    poses = [torch.block_diag(R, torch.eye(1)) for R in around]
    cameras = [replace(LIKE, T_world_camera=pose) for pose in poses]
    middle = interpolate(cameras, 3)[1].T_world_camera[:3, :3]
    torch.testing.assert_close(
        middle,
        turn(torch.tensor([0.0, 0, math.pi], dtype=torch.float64)).float(),
        atol=1e-5,
        rtol=0,
    )


def test_cameras_on_one_spot_lead_nowhere_and_repeated_ones_do_no_harm() -> None:
    one, two = scattered(2)
    with pytest.raises(UserError, match="one spot"):
        interpolate([one, one, one], 5)
    plain, repeated = interpolate([one, two], 5), interpolate([one, one, two, two], 5)
    for a, b in zip(plain, repeated, strict=True):
        torch.testing.assert_close(a.T_world_camera, b.T_world_camera)


def test_nearest_order_undoes_a_shuffle() -> None:
    line = [
        replace(LIKE, T_world_camera=look_at(torch.tensor([x, 0.0, 0]), torch.tensor([x, 1.0, 0])))
        for x in (0.0, 1, 2, 3, 4)
    ]
    shuffled = [line[k] for k in (0, 3, 1, 4, 2)]
    assert [float(c.position[0]) for c in in_nearest_order(shuffled)] == [0, 1, 2, 3, 4]
