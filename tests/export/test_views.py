"""A bundle starts and is proved inside the envelope, and not only where it was trained."""

import math
from dataclasses import replace

import pytest
import torch

from export.proof import Exportable
from export.views import reference_cameras, start_camera
from teacher.cameras import Camera, look_at
from teacher.pseudo.envelope import Envelope, fit_envelope
from tests.looking_around import room


def _orbit_coordinates(camera: Camera, envelope: Envelope) -> tuple[float, float, float]:
    x, y, z = (camera.position - torch.tensor(envelope.pivot)).tolist()
    return math.hypot(x, y, z), math.atan2(y, x), math.atan2(z, math.hypot(x, y))


def _ring(
    envelope: Envelope, azimuths: list[float], elevation: float, like: Camera
) -> list[Camera]:
    pivot = torch.tensor(envelope.pivot)
    cameras = []
    for azimuth in azimuths:
        level = math.cos(elevation)
        side = (level * math.cos(azimuth), level * math.sin(azimuth), math.sin(elevation))
        pose = look_at(pivot + 3 * torch.tensor(side), pivot)
        cameras.append(replace(like, T_world_camera=pose))
    return cameras


def test_the_start_is_a_training_cameras_place_turned_to_the_pivot(source: Exportable) -> None:
    start = start_camera(source.cameras, source.envelope)
    distances = [float((start.position - c.position).norm()) for c in source.cameras]
    assert min(distances) == 0.0
    towards = torch.tensor(source.envelope.pivot) - start.position
    torch.testing.assert_close(start.forward, towards / towards.norm())


def test_the_start_is_upright_even_where_the_photograph_was_not(source: Exportable) -> None:
    """The page's orbit has +z up: a rolled start would jump at the first touch."""
    roll = torch.eye(4)
    roll[:2, :2] = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    rolled = [replace(c, T_world_camera=c.T_world_camera @ roll) for c in source.cameras]
    start = start_camera(rolled, source.envelope)
    assert float(start.T_world_camera[2, 0]) == pytest.approx(0.0, abs=1e-6)  # right is level
    assert float(start.T_world_camera[2, 1]) > 0  # up is up


def test_all_round_the_start_is_45_degrees_right_of_the_front(source: Exportable) -> None:
    envelope = replace(source.envelope, pivot=(0.5, -1.0, 0.25))
    azimuths = [math.radians(a) for a in range(0, 360, 15)]
    ring = _ring(envelope, azimuths, 0.6, source.cameras[0])
    _, azimuth, _ = _orbit_coordinates(start_camera(ring, envelope), envelope)
    assert azimuth == pytest.approx(-math.pi / 4, abs=1e-5)


def test_on_an_arc_the_start_is_its_middle(source: Exportable) -> None:
    """A capture from one side, its arc across the seam at 180 degrees."""
    envelope = replace(source.envelope, azimuth=(math.radians(150), math.radians(250)))
    azimuths = [math.radians(a) for a in range(150, 251, 10)]
    ring = _ring(envelope, azimuths, 0.6, source.cameras[0])
    _, azimuth, _ = _orbit_coordinates(start_camera(ring, envelope), envelope)
    assert azimuth % (2 * math.pi) == pytest.approx(math.radians(200), abs=1e-5)


def test_the_start_prefers_mean_elevation(source: Exportable) -> None:
    low, high = source.envelope.elevation
    like = source.cameras[0]
    heights = [low, 0.5 * (low + high), high]
    cameras = [_ring(source.envelope, [0.3], height, like)[0] for height in heights]
    _, _, elevation = _orbit_coordinates(start_camera(cameras, source.envelope), source.envelope)
    assert elevation == pytest.approx(heights[1], abs=1e-5)


def test_references_are_spread_over_the_envelope_and_inside_it(source: Exportable) -> None:
    envelope = source.envelope
    cameras = reference_cameras(source.cameras, envelope)
    coordinates = [_orbit_coordinates(camera, envelope) for camera in cameras]
    assert all(envelope.contains(camera) for camera in cameras)
    azimuths = sorted(azimuth for _, azimuth, _ in coordinates)
    gaps = [
        (b - a) % (2 * math.pi) for a, b in zip(azimuths, azimuths[1:] + azimuths[:1], strict=True)
    ]
    assert max(gaps) <= math.pi / 2 + 1e-5
    assert len({tuple(c.T_world_camera.flatten().tolist()) for c in cameras}) == len(cameras) >= 4


def test_some_references_are_training_cameras_and_some_are_not(source: Exportable) -> None:
    places = [camera.position for camera in source.cameras]
    cameras = reference_cameras(source.cameras, source.envelope)
    trained = [any(torch.equal(camera.position, place) for place in places) for camera in cameras]
    assert trained == [True, True, False, False, False, False]


def test_the_second_reference_looks_from_the_other_side(source: Exportable) -> None:
    start, opposite, *_ = reference_cameras(source.cameras, source.envelope)
    pivot = torch.tensor(source.envelope.pivot)
    assert float((start.position - pivot) @ (opposite.position - pivot)) < 0
    assert opposite.lens == "pinhole"


def test_one_training_camera_is_enough(source: Exportable) -> None:
    """A degenerate envelope (all ranges empty) divides by nothing."""
    (camera,) = source.cameras[:1]
    radius, azimuth, elevation = _orbit_coordinates(camera, source.envelope)
    envelope = replace(
        source.envelope,
        radius=(radius, radius),
        azimuth=(azimuth, azimuth),
        elevation=(elevation, elevation),
    )
    cameras = reference_cameras([camera], envelope)
    for other in cameras:
        torch.testing.assert_close(other.position, camera.position, atol=1e-5, rtol=0)


def test_in_a_room_the_start_faces_a_wall_and_all_references_are_inside() -> None:
    """Nobody looks at the point that they turn about."""
    cameras = room()
    envelope = fit_envelope(cameras)
    start, opposite, *corners = reference_cameras(cameras, envelope)
    middle = torch.tensor(envelope.pivot)
    for camera in (start, opposite, *corners):
        assert envelope.contains(camera)
        assert float((camera.position - middle) @ camera.forward) > 0.2
    assert float(start.forward @ opposite.forward) < -0.9
    assert envelope.standing(start)[0] == pytest.approx(-math.pi / 4, abs=0.3)
