"""Novelty of a view: a distance from what was trained on."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from export.compare.novelty import novelty
from teacher.cameras import Camera, look_at

ANGLES = st.floats(0, math.pi, allow_nan=False)


def _camera(
    azimuth: float, radius: float = 3.0, pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> Camera:
    at = torch.tensor(pivot)
    side = torch.tensor([math.cos(azimuth), math.sin(azimuth), 0.2])
    position = at + radius * side / side.norm()
    return Camera(look_at(position, at), 50.0, 50.0, 16.0, 16.0, 32, 32)


def test_training_cameras_are_not_new() -> None:
    cameras = [_camera(k) for k in range(6)]
    for camera in cameras:
        found = novelty(camera, cameras, (0.0, 0.0, 0.0))
        assert (found.degrees, found.distance) == (0.0, 0.0)


@given(ANGLES, ANGLES)
def test_novelty_grows_with_the_angle(first: float, second: float) -> None:
    """From one training camera, on the circle that it is on: half a turn is farthest."""
    low, high = sorted((first, second))
    near, far = (novelty(_camera(turn), [_camera(0.0)], (0.0, 0.0, 0.0)) for turn in (low, high))
    assert near.degrees <= far.degrees + 1e-4
    assert near.distance <= far.distance + 1e-6
    if high - low > 1e-3:
        assert near.degrees < far.degrees


def test_the_angle_is_the_angle() -> None:
    """On a circle 0.2 above the pivot's plane, a right angle of azimuth is 87.8 degrees of direction."""
    cosine = 0.04 / 1.04
    found = novelty(_camera(math.pi / 2), [_camera(0.0), _camera(-2.0)], (0.0, 0.0, 0.0))
    assert found.degrees == pytest.approx(math.degrees(math.acos(cosine)), abs=1e-4)
    assert found.distance == pytest.approx(math.sqrt(2 - 2 * cosine), abs=1e-5)


def test_coming_nearer_is_new_in_distance_alone() -> None:
    found = novelty(_camera(1.0, radius=1.5), [_camera(1.0)], (0.0, 0.0, 0.0))
    assert found.degrees == pytest.approx(0, abs=1e-5)
    assert found.distance == pytest.approx(0.5, abs=1e-5)


@given(st.floats(0.1, 10), st.floats(-5, 5), ANGLES)
def test_novelty_knows_neither_unit_nor_place(scale: float, shift: float, turn: float) -> None:
    """A scene that is larger and elsewhere has views as new as before."""
    pivot = (shift, -shift, 2 * shift)
    here = novelty(_camera(turn), [_camera(0.3)], (0.0, 0.0, 0.0))
    there = novelty(_camera(turn, 3 * scale, pivot), [_camera(0.3, 3 * scale, pivot)], pivot)
    assert there.degrees == pytest.approx(here.degrees, abs=2e-3)
    assert there.distance == pytest.approx(here.distance, abs=1e-4)
