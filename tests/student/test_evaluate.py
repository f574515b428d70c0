"""Rendering at any size, held-out views, metrics, and loading what was trained."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity

from student.checkpoint import load_student
from student.evaluate import evaluate, heat
from student.held_out import (
    HeldOut,
    frames_of,
    imagined,
    measure_psnr,
    photographed,
    spread,
    undistort,
)
from student.presets import PoolConfig, TrainConfig
from student.render import StudentRenderer
from student.train import train
from teacher.cameras import Camera, apply_similarity, look_at, pixel_centres
from teacher.config import to_plain
from teacher.errors import UserError
from teacher.files import write_json
from teacher.metrics import measure
from teacher.model import describe_scene
from teacher.pictures import Picture
from teacher.presets import DataConfig
from teacher.pseudo.source import Source
from teacher.pseudo.view import View
from teacher.scene import Frame, Scene, premultiply
from tests.student.toys import toy

MODEL = toy(points=4, width=8)
CONFIG = TrainConfig(
    model=MODEL, pool=PoolConfig(capacity=4, first=2), steps=3, batch=1, eval_points=1, eval_views=1
)


def _photo(source: Source, camera: Camera, path: Path, mask: Path | None = None) -> Frame:
    """What `source` sees, as a PNG file on disk."""
    rgba = source.renderer.render(camera).rgba
    Image.fromarray((rgba * 255).round().byte().numpy(), "RGBA").save(path)
    return Frame(path.stem, Picture(path, mask_path=mask), camera)


@pytest.fixture
def run(open_ball: str, tmp_path: Path) -> Path:
    """A student's run folder."""
    train("test", CONFIG, open_ball, tmp_path / "student")
    return tmp_path / "student"


def test_a_loaded_student_is_the_averaged_one_in_evaluation_mode(run: Path) -> None:
    model, loaded = load_student(run)
    assert not model.training
    bounded = replace(CONFIG, model=replace(CONFIG.model, beyond=0.0))  # as the ball is
    assert (loaded.preset, loaded.size, loaded.config) == ("test", (32, 32), bounded)
    assert len(loaded.cameras) == 8 and loaded.scene.name == "ball"
    torch.testing.assert_close(model.aabb, torch.tensor([[-0.8] * 3, [0.8] * 3]))


def test_a_folder_without_a_student_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="python -m student train"):
        load_student(tmp_path)


def test_a_damaged_student_is_named(run: Path) -> None:
    (run / "model.safetensors").write_bytes(b"short")
    with pytest.raises(UserError, match=r"model\.safetensors"):
        load_student(run)


def test_weights_of_another_network_are_named(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    config["train"]["model"]["width"] = 12
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"config\.json"):
        load_student(run)


def test_any_size_is_a_cut_of_a_larger_picture(ball: Source) -> None:
    """A size that is no multiple of the upsampling gives the pixels of the camera that was asked
    for.
    """
    torch.manual_seed(0)
    model = MODEL.build(ball.aabb)
    torch.nn.init.zeros_(model.mix.weight)  # without mixing, blocks do not know of the border
    renderer, camera = StudentRenderer(model), ball.cameras[0]
    whole = renderer.render(camera)
    odd = renderer.render(replace(camera, width=30, height=27))
    assert odd.rgba.shape == (27, 30, 4)
    torch.testing.assert_close(odd.rgba, whole.rgba[:27, :30], atol=1e-4, rtol=0)
    torch.testing.assert_close(odd.depth, whole.depth[:27, :30], atol=1e-4, rtol=0)


def test_psnr_of_a_constant_error_is_its_closed_form(ball: Source) -> None:
    """An error of e everywhere is -20 log10 e, against teacher and truth alike."""
    grey = replace(ball.view(0, (16, 16), 0), rgba=torch.full((16, 16, 4), 0.5))
    kept = torch.ones(16, 16, dtype=torch.bool)
    view = HeldOut("grey", grey.camera, grey, grey.rgba, kept)

    class Off:
        def render(self, camera: Camera) -> View:
            return replace(grey, rgba=grey.rgba + torch.tensor([0.1, 0.1, 0.1, 0.0]))

    found = measure_psnr(Off(), [view], 0.0)
    assert found == {"teacher": pytest.approx(20, abs=1e-3), "truth": pytest.approx(20, abs=1e-3)}


def test_pixels_that_are_masked_out_do_not_count(ball: Source) -> None:
    view = imagined(ball, 0, (16, 16))
    wrong = replace(view.teacher, rgba=view.teacher.rgba.clone())
    wrong.rgba[:8] = 0.3
    kept = torch.zeros(16, 16, dtype=torch.bool)
    kept[8:] = True
    spoilt = replace(view, teacher=wrong, kept=kept)
    assert measure_psnr(ball.renderer, [spoilt], 1.0) == {"teacher": 100.0}
    assert measure_psnr(ball.renderer, [replace(spoilt, kept=~kept)], 1.0)["teacher"] < 30


def test_held_out_cameras_are_not_in_the_pool(ball: Source) -> None:
    """Drawn from the envelope, but with a seed that no pool uses."""
    trained = [ball.camera(k, (16, 16), 0).T_world_camera for k in range(200)]
    for k in range(5):
        view = imagined(ball, k, (16, 16))
        assert ball.envelope.contains(view.camera)
        assert min(float((view.camera.T_world_camera - T).abs().max()) for T in trained) > 1e-4


def test_spread_takes_frames_from_all_over(ball: Source, tmp_path: Path) -> None:
    frames = [Frame(str(k), Picture(tmp_path), ball.cameras[0]) for k in range(10)]
    assert [frame.name for frame in spread(frames, 3)] == ["1", "5", "8"]
    assert spread(frames, 99) == frames


def test_a_photograph_equals_what_the_teacher_rendered(ball: Source, tmp_path: Path) -> None:
    frame = _photo(ball, ball.cameras[1], tmp_path / "a.png")
    view = photographed(ball, frame)
    assert view.truth is not None and view.kept.all()
    torch.testing.assert_close(view.truth, premultiply(frame.picture.rgba()))
    assert measure_psnr(ball.renderer, [view], 1.0)["teacher"] == 100


def test_a_shrunk_photograph_is_the_mean_of_its_blocks(ball: Source, tmp_path: Path) -> None:
    frame = _photo(ball, ball.cameras[1], tmp_path / "a.png")
    view, whole = photographed(ball, frame, (16, 16)), photographed(ball, frame)
    assert view.truth is not None and whole.truth is not None
    expected = whole.truth.reshape(16, 2, 16, 2, 4).mean((1, 3))
    torch.testing.assert_close(view.truth, expected)
    assert (view.camera.width, view.camera.fx) == (16, 0.5 * whole.camera.fx)


def test_undistorting_undoes_the_lens() -> None:
    """A smooth picture of directions, photographed through a lens, comes back as the pinhole's."""
    pose = look_at(torch.tensor([0.0, -3.0, 0.0]), torch.zeros(3))
    lens = Camera(pose, 60.0, 55.0, 33.0, 22.0, 64, 48, "opencv", (0.1, -0.02, 0.002, -0.001))

    def picture(camera: Camera) -> torch.Tensor:
        return camera.rays().directions.reshape(48, 64, 3)

    found = undistort(lens, torch.cat([picture(lens), torch.ones(48, 64, 1)], -1))
    seen, weight = found.split([3, 1], -1)
    inside = weight[..., 0] > 0.99
    assert inside.float().mean() > 0.8
    expected = picture(lens.undistorted())
    torch.testing.assert_close((seen / weight)[inside], expected[inside], atol=2e-4, rtol=0)


def test_without_a_lens_undistorting_changes_nothing(ball: Source) -> None:
    """Half-pixel centres: each pixel is looked up at its own centre."""
    camera = replace(ball.cameras[0], width=20, height=14)
    picture = pixel_centres(20, 14)
    torch.testing.assert_close(undistort(camera, picture), picture, atol=1e-4, rtol=1e-5)


def test_sources_without_photographs_have_no_frames(open_ball: str) -> None:
    assert frames_of(open_ball, None, "test") is None


def test_metrics_say_what_they_are_of(run: Path) -> None:
    metrics = evaluate(run, background="black")
    metrics["budget"]["size"] = list(metrics["budget"]["size"])
    assert json.loads((run / "eval/metrics.json").read_text()) == metrics
    assert (metrics["views"], metrics["width"], metrics["background"]) == (20, 32, "black")
    assert metrics["split"] == "drawn from the envelope"
    assert metrics["student_psnr_truth"] is None and metrics["teacher_psnr_truth"] is None
    per_view = [row["teacher"]["psnr"] for row in metrics["per_view"]]
    assert metrics["student_psnr_teacher"] == pytest.approx(np.mean(per_view))
    assert metrics["mean"]["teacher"]["psnr"] == pytest.approx(np.mean(per_view))
    assert (metrics["step"], metrics["preset"]) == (3, "test")
    assert (run / "eval/sheet.png").exists() and (run / "eval/view_000.png").exists()


def test_metrics_against_photographs(
    run: Path, ball: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teacher is perfect here but for 8 bits; the student is equally far from both."""
    frames = tuple(
        _photo(ball, camera, tmp_path / f"{k}.png") for k, camera in enumerate(ball.cameras[:2])
    )
    monkeypatch.setattr("student.evaluate.frames_of", lambda *_: frames)
    metrics = evaluate(run, split="test")
    assert (metrics["split"], metrics["views"]) == ("test", 2)
    assert metrics["teacher_psnr_truth"] > 45
    assert metrics["student_psnr_truth"] == pytest.approx(metrics["student_psnr_teacher"], abs=0.1)
    assert {"psnr", "ssim", "ms_ssim", "flip", "lpips"} == metrics["mean"]["truth"].keys()


def test_unrelated_pictures_have_no_structural_similarity(ball: Source) -> None:
    """Noise against noise is about 0, and scikit-image agrees; with channels taken for an axis of
    the picture, as in the papers' .993, it would be about a half.
    """
    generator = torch.Generator().manual_seed(0)
    image, other = (torch.rand(64, 48, 3, generator=generator) for _ in range(2))
    view = imagined(ball, 0, (64, 48))
    found = measure(image, other, view.kept)["ssim"]
    theirs = structural_similarity(
        image.numpy(),
        other.numpy(),
        channel_axis=2,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert found == pytest.approx(theirs, abs=0.01)
    assert isinstance(found, float) and abs(found) < 0.05
    assert 0.45 < _swapped_ssim(image, other) < 0.6


def _swapped_ssim(image: torch.Tensor, other: torch.Tensor) -> float:
    """SSIM of [1, height, width, 3] read as [1, channel, height, width], padded by zeros: the bug."""
    from torch.nn.functional import conv2d

    line = torch.exp(-(torch.arange(-5.0, 6.0) ** 2) / (2 * 1.5**2))
    window = (line[:, None] * line / line.sum() ** 2)[None, None]

    def blurred(x: torch.Tensor) -> torch.Tensor:
        return conv2d(x[:, None], window, padding=5)  # [height, 1, width, 3]

    a, b = blurred(image), blurred(other)
    variances = [blurred(x * y) - p * q for x, y, p, q in (
        (image, image, a, a), (other, other, b, b), (image, other, a, b),
    )]  # fmt: skip
    c1, c2 = 0.01**2, 0.03**2
    upper = (2 * a * b + c1) * (2 * variances[2] + c2)
    lower = (a * a + b * b + c1) * (variances[0] + variances[1] + c2)
    return float((upper / lower).mean())


def test_heat_is_black_red_yellow_white() -> None:
    found = heat(torch.tensor([[0.0, 1 / 3, 2 / 3, 1.0, 2.0]]))[0]
    expected = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]]
    torch.testing.assert_close(found, torch.tensor(expected).float())


def test_the_worst_views_are_shown_worst_first(run: Path) -> None:
    """Teacher, student and error of three views; errors of views that are perfect are black."""
    metrics = evaluate(run)
    order = sorted(metrics["per_view"], key=lambda row: row["teacher"]["psnr"])
    assert metrics["worst"] == [row["name"] for row in order[:3]]
    sheet = np.asarray(Image.open(run / "eval/worst.png"))
    assert sheet.shape == (3 * 34, 3 * 34, 3)
    teacher, student, error = (sheet[1:33, 34 * k + 1 : 34 * k + 33] / 255 for k in range(3))
    wrong = np.abs(student - teacher).mean(-1)
    red = np.clip(3 * 4 * wrong, 0, 1)
    assert np.abs(error[..., 0] - red).max() < 0.1  # eight bits, times twelve


def test_stability_is_measured_along_the_orbit(run: Path, ball: Source) -> None:
    """Of the student 24 frames, and none where only stored views can be seen."""
    stability = evaluate(run)["stability"]
    assert stability["frames"] == 24
    assert stability["motion"] > 0.001 and stability["flicker"] > 0
    ratio = stability["motion"] / stability["flicker"]
    assert stability["stability_db"] == pytest.approx(20 * np.log10(ratio), abs=1e-6)


@dataclass
class Shifted:
    """A teacher that believes its cameras stand elsewhere than they were said to."""

    source: Source
    shift: torch.Tensor

    def render(self, camera: Camera) -> View:
        return self.source.renderer.render(camera)

    def photograph(self, frame: Frame) -> View:
        return self.render(apply_similarity(self.shift, frame.camera))


def test_corrected_cameras_are_looked_through_by_both(ball: Source, tmp_path: Path) -> None:
    """Photographs taken from elsewhere than stated: teacher and student are measured from there."""
    shift = torch.eye(4)
    shift[:3, 3] = torch.tensor([0.1, -0.05, 0.02])
    stated = ball.cameras[1]
    real = apply_similarity(shift, stated)
    frame = replace(_photo(ball, real, tmp_path / "a.png"), camera=stated)
    corrected = replace(ball, renderer=Shifted(ball, shift))
    view = photographed(corrected, frame, (16, 16))
    torch.testing.assert_close(view.camera.T_world_camera, real.T_world_camera)
    assert measure_psnr(ball.renderer, [view], 1.0)["teacher"] == 100
    exact = photographed(corrected, frame)
    assert exact.truth is not None
    assert float((exact.teacher.rgba - exact.truth).abs().max()) < 1 / 254
    naive = photographed(ball, frame)
    assert naive.camera == stated
    assert float((naive.teacher.rgba - exact.truth).abs().max()) > 0.1


def test_photographs_come_in_the_teachers_frame(
    ball: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever frame a set of photographs would get by itself."""
    T_norm_world, teachers = torch.eye(4), torch.eye(4)
    teachers[:3, 3] = torch.tensor([1.0, 2.0, 3.0])
    frame = _photo(ball, ball.cameras[0], tmp_path / "a.png")
    scene = Scene("ball", {"train": (frame,), "test": (frame,)}, T_norm_world, ball.aabb, True)
    moved = replace(describe_scene(scene), T_norm_world=tuple(map(tuple, teachers.tolist())))
    write_json(tmp_path / "scene.json", to_plain(moved))
    write_json(tmp_path / "config.json", {"data": to_plain(DataConfig(tmp_path))})
    monkeypatch.setattr(DataConfig, "load", lambda self: scene)
    for data in (None, DataConfig(tmp_path)):
        frames = frames_of(str(tmp_path), data, "test")
        assert frames is not None
        found = frames[0].camera.position - ball.cameras[0].position
        torch.testing.assert_close(found, teachers[:3, 3])
