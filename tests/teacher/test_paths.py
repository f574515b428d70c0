"""Camera paths stay where they should and files round trip."""

import json
import math
from pathlib import Path

import pytest
import torch

from teacher.cameras import Camera
from teacher.errors import UserError
from teacher.paths import orbit, read_path, spiral
from teacher.pseudo.envelope import Envelope

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


def test_an_arc_is_swept_there_and_back() -> None:
    arc = Envelope((0.0, 0.0, 0.0), (2.0, 2.0), (-0.5, 0.5), (0.0, 0.0), 0.0, (1.0, 1.0))
    azimuths = [math.atan2(float(c.position[1]), float(c.position[0])) for c in orbit(arc, LIKE, 8)]
    assert min(azimuths) == pytest.approx(-0.5) and max(azimuths) == pytest.approx(0.5)
    assert azimuths[2] == pytest.approx(azimuths[6])


def test_path_files_round_trip_and_bad_ones_are_explained(tmp_path: Path) -> None:
    file = tmp_path / "path.json"
    frame = {"T_norm_camera": torch.eye(4).tolist(), "intrinsics": [1.0, 2.0, 0.5, 0.25]}
    file.write_text(json.dumps({"fps": 12, "width": 8, "height": 4, "frames": [frame]}))
    (camera,), fps = read_path(file)
    assert (fps, camera.fx, camera.fy, camera.cx, camera.cy) == (12, 8.0, 8.0, 4.0, 1.0)
    del frame["intrinsics"]
    file.write_text(json.dumps({"width": 8, "height": 4, "frames": [frame]}))
    with pytest.raises(UserError, match="intrinsics"):
        read_path(file)
