"""A room filmed from within is a capture like any other: cameras that look outwards are all found, and are true."""

import math
from pathlib import Path

import pytest

from teacher.cameras import Camera, apply_similarity
from teacher.capture.process import Request, process
from teacher.datasets import load_scene
from teacher.rigid import aligning_similarity, differences
from tests.clips import write_clip
from tests.rooms import EYE, HEIGHT, RADIUS, loop, photographs_of, room, turn

pytest.importorskip("pycolmap", reason="the extra `sfm` is not installed")

FPS = 5


@pytest.mark.slow
def test_a_walk_through_a_room_is_found_to_a_percent(tmp_path: Path) -> None:
    """56 frames of 400 px: nearly all are kept, all of these registered, position within 2 % of the walk's radius."""
    true = loop(56, 400)
    clip = write_clip(tmp_path / "room.mp4", photographs_of(room(), true), fps=FPS)
    account = process(Request(clip, tmp_path / "data"))
    assert account.warnings == () and len(account.frames.names) >= 50
    seconds = {Path(p.name).stem: p.seconds for p in account.frames.pictures}
    found, wanted = [], []
    for split in load_scene(tmp_path / "data").splits.values():
        for frame in split:
            at = seconds[frame.name.removeprefix("images_")]
            found.append(frame.camera)
            wanted.append(true[round((at or 0.0) * FPS)])
    assert len(found) == len(account.frames.names)
    T = aligning_similarity(found, wanted)
    angles, distances = differences([apply_similarity(T, camera) for camera in found], wanted)
    assert angles.max() < 1.2 and distances.max() < 0.02 * RADIUS


def _outwards(camera: Camera) -> float:
    """Cosine between the optical axis and the way out of the room's middle, seen from above."""
    out = camera.position[:2] / camera.position[:2].norm()
    return float(out @ camera.forward[:2] / camera.forward[:2].norm())


def test_the_room_is_seen_from_inside() -> None:
    """All of every picture is covered, nothing stands in the cameras' way, neighbours share most of what they see."""
    cameras = loop(8, 48)
    assert all(_outwards(camera) > 0.9 for camera in cameras)
    for camera, frame in zip(cameras, photographs_of(room(), cameras), strict=True):
        assert 0 < camera.position[2] < HEIGHT
        assert frame.min(axis=(0, 1)).max() > 0 and frame.std() > 10
    for block in room()[1:]:
        nearest = [
            max(0.0, low, -high) for low, high in zip(block.low[:2], block.high[:2], strict=True)
        ]
        assert math.hypot(*nearest) > 1.1 * RADIUS or block.high[2] < EYE


def test_a_turn_stays_where_it_is() -> None:
    assert all(camera.position.tolist() == [0.0, 0.0, EYE] for camera in turn(12, 48))
