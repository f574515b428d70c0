"""Points on a ball that is rendered exactly: where they are, which way they face, how evenly they lie."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from teacher.cameras import Camera
from teacher.datasets.ply import read_points
from teacher.errors import UserError
from teacher.mesh.command import Points
from teacher.mesh.files import write_points
from teacher.mesh.points import lifted, surface_points, thinned
from teacher.mesh.region import Region
from teacher.pseudo.view import View
from tests.scenes import all_round

CUBE = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])


@dataclass(frozen=True)
class Ball:
    """An opaque, purple `ViewRenderer`, perhaps half transparent."""

    centre: tuple[float, float, float] = (0.2, -0.1, 0.3)
    radius: float = 0.5
    alpha: float = 1.0

    def render(self, camera: Camera) -> View:
        rays = camera.rays()
        o, d = rays.origins - torch.tensor(self.centre), rays.directions
        b, c = (o * d).sum(-1), (o * o).sum(-1) - self.radius**2
        hit = b * b - c > 0
        depth = torch.where(hit, -b - (b * b - c).clamp_min(0).sqrt(), 0.0)
        rgba = torch.tensor([0.5, 0.0, 0.8, 1.0]) * self.alpha * hit[:, None]
        shape = (camera.height, camera.width)
        return View(camera, rgba.reshape(*shape, 4), depth.reshape(shape))


def test_points_lie_on_the_ball_and_face_outwards() -> None:
    ball = Ball()
    points = surface_points(ball, all_round(ball.centre, (32, 24)), Region(CUBE), 100_000)
    away = points["xyz"] - torch.tensor(ball.centre)
    assert len(away) > 500
    assert torch.allclose(away.norm(dim=-1), torch.tensor(0.5), atol=1e-4)
    cosines = (points["normal"] * away / 0.5).sum(-1)
    assert float(cosines.min()) > 0.9 and float(cosines.mean()) > 0.99
    assert torch.allclose(points["rgb"], torch.tensor([0.5, 0.0, 0.8]), atol=1e-6)


def test_what_is_mostly_transparent_or_outside_gives_none() -> None:
    cameras = all_round(Ball().centre, (32, 24))[:2]
    assert not len(lifted(Ball(alpha=0.4).render(cameras[0]))["xyz"])
    assert len(lifted(Ball(alpha=0.6).render(cameras[0]))["xyz"])
    assert not len(surface_points(Ball(), cameras, Region(CUBE - 5), 1000)["xyz"])


def test_depth_between_two_things_is_of_neither() -> None:
    """Half of the picture is near, half is far; a blurred edge between them gives no point."""
    camera = all_round((0.0, 0.0, 0.0), (128, 24))[0]
    depth = torch.full((24, 128), 4.0)
    depth[:, 64], depth[:, 65:] = 5.0, 6.0
    points = lifted(View(camera, torch.ones(24, 128, 4), depth))
    distance = (points["xyz"] - camera.position).norm(dim=-1)
    assert len(distance) > 2500
    assert float(torch.minimum((distance - 4).abs(), (distance - 6).abs()).max()) < 1e-4


def test_thinning_is_even_and_keeps_to_the_count() -> None:
    """Nine tenths of the points are crowded into a corner; what is kept of them is as sparse as the rest."""
    generator = torch.Generator().manual_seed(0)
    spread, crowd = torch.rand(2, 20_000, 3, generator=generator)
    points = torch.cat([spread[:2000] * 10, crowd * 0.5])
    points[:, 2] = 0
    kept = points[thinned(points, 1000)]
    assert 800 < len(kept) <= 1000
    in_corner = (kept[:, :2] < 0.5).all(-1).sum()
    assert int(in_corner) < 20
    assert torch.equal(thinned(points[:50], 50), torch.arange(50))


def test_written_points_are_in_the_data_sets_units(tmp_path: Path) -> None:
    T = torch.eye(4)
    T[:3, :3] *= 4
    T[:3, 3] = torch.tensor([3.0, -2.0, 1.0])
    rows = torch.tensor([[0.1, 0.2, 0.3], [-0.5, 0.0, 0.5]])
    up = torch.tensor([0.0, 0.0, 1.0]).expand(2, 3)
    write_points(tmp_path / "p.ply", {"xyz": rows, "normal": up, "rgb": up}, T)
    assert torch.allclose(read_points(tmp_path / "p.ply").float(), 4 * rows + T[:3, 3])
    data = (tmp_path / "p.ply").read_bytes()
    last = torch.frombuffer(bytearray(data[-15:-3]), dtype=torch.float32)
    assert torch.equal(last, up[0]) and data[-3:] == bytes([0, 0, 255])


def test_a_trained_teacher_becomes_points(tiny_run: Path, tmp_path: Path) -> None:
    Points(run_folder=tiny_run / "teacher", output=tmp_path / "x.ply", count=500).run()
    points = read_points(tmp_path / "x.ply")
    assert 300 < len(points) <= 500
    assert float(points[:, :2].abs().max()) < 1.4, "the table's radius is 1.25"
    with pytest.raises(UserError, match=r"\.ply"):
        Points(run_folder=tiny_run / "teacher", output=tmp_path / "x.glb").run()
