"""`python -m teacher path`: plans around a run's cameras, finds what they look at, explains mistakes."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from teacher.__main__ import main
from teacher.cameras import Camera, apply_similarity, look_at, point_of_interest
from teacher.config import to_plain
from teacher.demo.oracle import DemoRenderer
from teacher.demo.scene import TARGET, norm_from_world, orbit_cameras
from teacher.errors import UserError, exit_on_user_error
from teacher.files import write_json
from teacher.model import CameraDescription, SceneDescription, describe_camera
from teacher.paths import CameraPath, read_camera_path
from teacher.paths.capture import (
    Capture,
    geometric_median,
    point_of_interest_in_depth,
    read_capture,
)
from teacher.pseudo.envelope import Envelope, fit_envelope
from teacher.pseudo.view import View

T = norm_from_world()
CAMERAS = [apply_similarity(T, camera) for camera in orbit_cameras(40, 32, 0.0)]
AT = T[:3, :3] @ torch.tensor(TARGET) + T[:3, 3]
RADIUS = float((CAMERAS[0].position - AT).norm())


def described() -> tuple[CameraDescription, ...]:
    return tuple(describe_camera(f"r_{k:03d}", camera) for k, camera in enumerate(CAMERAS))


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """A teacher's run folder, as far as paths need it."""
    box = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
    scene = SceneDescription(
        "still-life", {"train": described(), "test": ()}, tuple(map(tuple, T.tolist())), box, True
    )
    write_json(tmp_path / "teacher" / "scene.json", to_plain(scene))
    return tmp_path / "teacher"


@pytest.fixture
def student(tmp_path: Path) -> Path:
    """A student's: one list of cameras, without splits."""
    write_json(tmp_path / "student" / "scene.json", {"cameras": to_plain(described())})
    return tmp_path / "student"


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr("sys.argv", ["python -m teacher", "path", *map(str, arguments)])
    exit_on_user_error(main)


def planned(
    monkeypatch: pytest.MonkeyPatch, run: Path, kind: str, *arguments: object
) -> CameraPath:
    file = run.parent / "path.json"
    command(monkeypatch, kind, "--run", run, "--output", file, "--frames", 8, *arguments)
    return read_camera_path(file)


def distances(path: CameraPath) -> list[float]:
    return [float((camera.position - AT).norm()) / RADIUS for camera in path.cameras]


@pytest.mark.parametrize("kind", ["circle", "cone", "orbit", "spiral", "interpolate"])
@pytest.mark.parametrize("run", ["teacher", "student"])
def test_every_path_of_every_run_is_written(
    kind: str, run: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = planned(monkeypatch, request.getfixturevalue(run), kind, "--height", 20, "--fps", 5)
    assert (len(path.cameras), path.kind, path.name, path.fps) == (8, kind, "path", 5)
    assert {(camera.width, camera.height) for camera in path.cameras} == {(20, 20)}
    assert path.closed == (kind in ("circle", "cone", "orbit"))
    assert path.cameras[0].fractions == pytest.approx(CAMERAS[0].fractions)
    if kind != "interpolate":
        assert path.target == pytest.approx(AT.tolist(), abs=1e-3)
    if kind in ("circle", "cone"):
        assert distances(path) == pytest.approx([1.0] * 8, abs=1e-3)


def test_circles_of_several_radii_come_one_after_another(
    teacher: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On, inside and outside the captured path; only the first is called inside."""
    wanted = ("--radius", 1, 0.8, 1.25, "--elevation", 30)
    path = planned(monkeypatch, teacher, "circle", *wanted)
    assert distances(path) == pytest.approx([1.0] * 8 + [0.8] * 8 + [1.25] * 8, abs=1e-3)
    heights = [
        float(c.position[2] - AT[2]) / d / RADIUS
        for c, d in zip(path.cameras, distances(path), strict=True)
    ]
    assert heights == pytest.approx([0.5] * 24, abs=1e-3)
    assert "16 of them are outside" in capsys.readouterr().out


def test_a_cone_is_around_the_chosen_camera(teacher: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chosen by name, or by number; the first angle's ring comes first."""
    for chosen in ("r_003", "3"):
        arguments = ("--camera", chosen, "--angle", 5, 20, "--distance", 1.1)
        path = planned(monkeypatch, teacher, "cone", *arguments)
        axis = torch.nn.functional.normalize(CAMERAS[3].position - AT, dim=0)
        seen = [
            math.degrees(
                math.acos(float(torch.nn.functional.normalize(c.position - AT, dim=0) @ axis))
            )
            for c in path.cameras
        ]
        assert seen == pytest.approx([5.0] * 8 + [20.0] * 8, abs=0.1)
        assert distances(path) == pytest.approx([1.1] * 16, abs=1e-3)


def test_a_target_by_hand_is_looked_at(student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = planned(monkeypatch, student, "circle", "--target", 0.1, -0.2, 0.3)
    assert path.target == pytest.approx((0.1, -0.2, 0.3))


def test_an_interpolation_may_skip_sort_and_close(
    student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--every", 10, "--order", "nearest", "--loop")
    path = planned(monkeypatch, student, "interpolate", *arguments)
    assert path.closed and path.target is None
    torch.testing.assert_close(path.cameras[0].position, CAMERAS[0].position)


def test_optical_axes_and_depth_find_the_demo_scenes_middle() -> None:
    """Within 2 % of the radius: the axes meet at the very target; depth finds the middle of the things."""
    assert float((point_of_interest(CAMERAS) - AT).norm()) < 1e-3 * RADIUS
    found = point_of_interest_in_depth(DemoRenderer(samples_per_side=1), CAMERAS[:10])
    assert float((found - AT).norm()) < 0.02 * RADIUS


class Wall:
    """Everything is on the plane x = 0, for cameras that look along -x."""

    def __init__(self, seen: float = 1.0) -> None:
        self.seen = seen

    def render(self, camera: Camera) -> View:
        rays = camera.rays()
        shape = (camera.height, camera.width)
        depth = (-rays.origins[:, 0] / rays.directions[:, 0]).reshape(shape)
        return View(camera, torch.full((*shape, 4), self.seen), depth)


def facing(y: float, distance: float = 3.0) -> Camera:
    at = torch.tensor([distance, y, 0.0])
    pose = look_at(at, at - torch.tensor([1.0, 0.0, 0.0]))
    return Camera(pose, 60.0, 60.0, 31.0, 25.0, 64, 48)


def test_depth_finds_what_parallel_axes_do_not() -> None:
    """A wall, photographed from a line in front of it: axes that never meet."""
    cameras = [facing(y) for y in (-0.2, -0.1, 0.0, 0.1, 0.2)]
    found = point_of_interest_in_depth(Wall(), cameras)
    torch.testing.assert_close(found, torch.zeros(3), atol=0.1, rtol=0)
    with pytest.raises(UserError, match="nothing in the middle of 5 of 5"):
        point_of_interest_in_depth(Wall(seen=0.0), cameras)


def test_the_geometric_median_has_a_closed_form_and_leaves_outliers_aside() -> None:
    """Of a triangle's corners: the point that sees all sides under 120 degrees (Fermat)."""
    corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0.5, math.sqrt(3) / 2, 0]])
    centre = torch.tensor([0.5, math.sqrt(3) / 6, 0])
    torch.testing.assert_close(geometric_median(corners), centre, atol=1e-4, rtol=0)
    there = torch.tensor([[1.0, 2, 3]]).repeat(5, 1)
    far = torch.cat([there, torch.full((4, 3), 1e6)])
    torch.testing.assert_close(geometric_median(far), there[0], atol=1e-2, rtol=0)


def test_a_captures_figures_are_medians() -> None:
    cameras = tuple(
        replace(CAMERAS[0], T_world_camera=look_at(torch.tensor([x, 0.0, z]), torch.zeros(3)))
        for x, z in ((1.0, 0.0), (2.0, 2.0), (0.0, 9.0))
    )
    capture = Capture(("a", "b", "c"), cameras)
    assert capture.radius(torch.zeros(3)) == pytest.approx(math.sqrt(8))
    assert capture.elevation(torch.zeros(3)) == pytest.approx(math.pi / 4)
    assert isinstance(fit_envelope(cameras), Envelope)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("circle", "--radius", 0), "--radius"),
        (("circle", "--frames", 0), "--frames"),
        (("circle", "--fps", -1), "--fps"),
        (("circle", "--height", 0), "--height"),
        (("circle", "--elevation", 90), "between -90 and 90"),
        (("circle", "--target", "nan", 0, 0), "finite"),
        (("circle", "--target", "depth"), "a trained teacher"),
        (("cone", "--angle", 90), "between 0 and 90"),
        (("cone", "--angle", 0), "between 0 and 90"),
        (("cone", "--distance", 0), "--distance"),
        (("cone", "--camera", "r_0100"), "r_010"),
        (("cone", "--camera", 40), "below 40"),
        (("interpolate", "--every", 0), "--every"),
    ],
)
def test_nonsense_ends_with_exit_code_2_and_advice(
    arguments: tuple[object, ...],
    said: str,
    student: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = student.parent / "path.json"
    with pytest.raises(SystemExit) as ended:
        command(monkeypatch, *arguments, "--run", student, "--output", file)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.parametrize("text", ["{}", '{"cameras": []}', '{"cameras": {"test": []}}', "[]"])
def test_a_folder_without_cameras_is_explained(text: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run folder"):
        read_capture(tmp_path / "nowhere")
    (tmp_path / "scene.json").write_text(text)
    with pytest.raises(UserError, match=r"scene\.json"):
        read_capture(tmp_path)
