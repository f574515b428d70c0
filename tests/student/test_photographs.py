"""Fine-tuning on photographs: the right pixels, the right cameras, and no learning by heart."""

import itertools
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from student import train as training
from student.distiller import Distiller
from student.optimiser import OptimiserConfig
from student.photographs import Photographs, PhotographsConfig
from student.presets import PoolConfig, TrainConfig
from student.render import StudentRenderer
from student.train import train
from teacher.cameras import Camera
from teacher.checkpoint import Log, load_tensors
from teacher.errors import UserError
from teacher.pictures import Picture
from teacher.pseudo.pool import ViewPool
from teacher.pseudo.source import Source
from teacher.pseudo.view import View, ViewRenderer
from teacher.scene import Frame
from tests.student.toys import toy

MODEL = toy()
CONFIG = TrainConfig(
    model=MODEL,
    pool=PoolConfig(capacity=10, first=4, reuse=2.0),
    photographs=PhotographsConfig(fraction=0.5, share=0.5, hold_back=4, checks=3),
    steps=12,
    batch=4,
    log_every=1,
    eval_points=3,
    eval_views=1,
)


def photograph(source: Source, camera: Camera, path: Path, hidden: bool = False) -> Frame:
    """What the ball looks like in red light, which the teacher does not know of."""
    rgba = source.renderer.render(camera).rgba.clone()
    rgba[..., 1:3] *= 0.25
    straight = rgba / torch.cat(
        [rgba[..., 3:].clamp_min(1e-6).expand(-1, -1, 3), torch.ones_like(rgba[..., :1])], -1
    )
    pixels = (straight.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    Image.fromarray(pixels).save(path)
    mask = None
    if hidden:
        mask = path.with_suffix(".mask.png")
        keep = np.full(pixels.shape[:2], 255, np.uint8)
        keep[:, : pixels.shape[1] // 2] = 0
        Image.fromarray(keep).save(mask)
    return Frame(path.name, Picture(path, mask_path=mask), camera)


@pytest.fixture
def frames(ball: Source, tmp_path: Path) -> list[Frame]:
    """Photographs from the ball's eight cameras; in the last, the left half is masked."""
    return [
        photograph(ball, camera, tmp_path / f"{k}.png", hidden=k == 7)
        for k, camera in enumerate(ball.cameras)
    ]


def test_every_fourth_is_held_back_and_never_drawn(ball: Source, frames: list[Frame]) -> None:
    """Of eight, numbers 3 and 7; the other six are drawn, each as often as the others."""
    photographs = Photographs(ball, frames, (32, 32), CONFIG.photographs)
    assert len(photographs) == 6
    held = torch.stack([camera.T_world_camera for camera, _, _ in photographs.held_back])
    expected = torch.stack([ball.cameras[k].T_world_camera for k in (3, 7)])
    assert torch.equal(held, expected)
    lesson = photographs.draw(600, torch.Generator().manual_seed(0))
    poses, counts = lesson.T_norm_camera.unique(dim=0, return_counts=True)
    assert len(poses) == 6 and counts.min() > 60
    assert not any(torch.equal(pose, other) for pose in poses for other in expected)


def test_pixels_cameras_and_masks_belong_together(ball: Source, frames: list[Frame]) -> None:
    """At another size: area means of the photograph through the same camera; masked ones do not
    count.
    """
    config = PhotographsConfig(fraction=0.5, hold_back=7)
    photographs = Photographs(ball, frames, (16, 16), config)
    lesson = photographs.draw(40, torch.Generator().manual_seed(0))
    assert lesson.size == (16, 16) and not lesson.shape.any() and not lesson.depth.any()
    for k in range(40):
        source = next(
            f for f in frames if torch.equal(f.camera.T_world_camera, lesson.T_norm_camera[k])
        )
        assert lesson.intrinsics[k].tolist() == pytest.approx(source.camera.fractions)
        rgba = ball.renderer.render(source.camera).rgba * torch.tensor([1, 0.25, 0.25, 1])
        rgba = torch.nn.functional.avg_pool2d(rgba.permute(2, 0, 1), 2)
        kept = lesson.kept[k, 0] == 1
        masked = source.picture.mask_path is not None
        assert kept.all() if not masked else not kept[:, :8].any() and kept[:, 8:].all()
        torch.testing.assert_close(lesson.rgba[k][:, kept], rgba[:, kept], atol=1.5 / 255, rtol=0)


@dataclass
class CorrectedRenderer:
    """A teacher that believes its photographs were taken a little higher up."""

    inner: ViewRenderer

    def render(self, camera: Camera) -> View:
        return self.inner.render(camera)

    def photograph(self, frame: Frame) -> View:
        pose = frame.camera.T_world_camera.clone()
        pose[2, 3] += 0.125
        return self.render(replace(frame.camera, T_world_camera=pose))


def test_corrected_cameras_are_used(ball: Source, frames: list[Frame]) -> None:
    source = replace(ball, renderer=CorrectedRenderer(ball.renderer))
    photographs = Photographs(source, frames, (32, 32), CONFIG.photographs)
    moved = photographs.held_back[0][0]
    torch.testing.assert_close(moved.position[2], ball.cameras[3].position[2] + 0.125)
    assert (moved.width, moved.fx) == (32, pytest.approx(ball.cameras[3].fx))


def test_too_few_photographs_to_hold_any_back_are_refused(
    ball: Source, frames: list[Frame]
) -> None:
    with pytest.raises(UserError, match="hold-back"):
        Photographs(ball, frames, (32, 32), PhotographsConfig(fraction=0.5, hold_back=9))
    with pytest.raises(UserError, match="hold-back"):
        Photographs(ball, frames, (32, 32), PhotographsConfig(fraction=0.5, hold_back=1))


def test_the_phase_begins_at_its_fraction_and_judges_evenly() -> None:
    """Last fifth, four checks: at its beginning, then at quarters of it, the last at the end."""
    config = PhotographsConfig(fraction=0.2, checks=4)
    steps = [k / 100 for k in range(101)]
    hits = [now for before, now in itertools.pairwise(steps) if config.judges(before, now)]
    assert hits == pytest.approx([0.8, 0.85, 0.9, 0.95, 1.0], abs=0.0101)
    assert [config.begun(f) for f in (0.0, 0.79, 0.81, 1.0)] == [False, False, True, True]
    never = PhotographsConfig()
    assert not never.begun(1.0) and not never.judges(0.99, 1.0)


def test_the_share_of_photographs_is_kept_and_only_in_its_phase(
    ball: Source, frames: list[Frame]
) -> None:
    """A third of three: one in each step, beside two views; before the phase, none."""
    share = replace(CONFIG.photographs, share=1 / 3)
    config = replace(CONFIG, batch=3, photographs=share, steps=100)
    photographs = Photographs(ball, frames, (32, 32), share)
    distiller = Distiller(config, ball.aabb, photographs=photographs)
    pool = ViewPool(ball, 4, (32, 32), 0, background=False)
    counts = {}
    for step in (10, 49, 50, 90):
        distiller.step = step
        found = []
        for k in range(60):
            g = torch.Generator().manual_seed(k)
            lesson, numbers, _ = distiller._lesson(pool, distiller._replay(pool), g)
            assert len(lesson) == 3
            assert lesson.shape.flatten().tolist() == [1.0] * len(numbers) + [0.0] * (
                3 - len(numbers)
            )
            found.append(3 - len(numbers))
        counts[step] = sum(found) / len(found)
    assert counts == {10: 0, 49: 0, 50: pytest.approx(1, abs=0.05), 90: pytest.approx(1, abs=0.05)}


def test_judging_keeps_the_best_weights(ball: Source, frames: list[Frame]) -> None:
    """Worse weights later change nothing that is saved; better ones do."""
    photographs = Photographs(ball, frames, (32, 32), CONFIG.photographs)
    distiller = Distiller(CONFIG, ball.aabb, photographs=photographs)
    answers = iter([20.0, 18.0, 21.0])
    photographs.judge = lambda student: next(answers)
    average = distiller.optimiser.averaged()["mix.bias"]
    saved = []
    for value in (1.0, 2.0, 3.0):
        average.fill_(value)
        distiller.judge(photographs)
        saved.append(float(distiller.weights()["mix.bias"][0]))
        assert float(distiller.student().state_dict()["mix.bias"][0]) == saved[-1]
    assert saved == [1.0, 1.0, 3.0] and distiller.best is not None and distiller.best.psnr == 21


def test_photographs_are_learned_from(ball: Source, frames: list[Frame]) -> None:
    """The light of the photographs reaches a photograph that was held back."""
    share = PhotographsConfig(fraction=0.9, share=1.0, hold_back=4)
    rates = OptimiserConfig(learning_rate=1e-2, grids_rate=5e-2)
    config = replace(CONFIG, photographs=share, optimiser=rates, steps=150)
    photographs = Photographs(ball, frames, (32, 32), share)
    distiller = Distiller(config, ball.aabb, photographs=photographs)
    pool = ViewPool(ball, 10, (32, 32), 0, background=False)
    before = photographs.judge(distiller.student())
    for _ in range(150):
        distiller.train_step(pool)
    assert photographs.judge(distiller.student()) > before + 3
    view = StudentRenderer(distiller.student()).render(ball.cameras[3])
    seen = view.rgba[view.rgba[..., 3] > 0.9]
    assert seen[:, 0].mean() > 2 * seen[:, 1].mean()


def test_a_resumed_phase_equals_an_uninterrupted_one(
    open_ball: str, frames: list[Frame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, with the best weights and what the log says of them; stopped inside the phase."""
    monkeypatch.setattr(training, "frames_of", lambda path, data, split: tuple(frames))
    train("test", CONFIG, open_ball, tmp_path / "whole")
    one = Distiller.train_step
    with monkeypatch.context() as patch:

        def step(self: Distiller, pool: ViewPool) -> object:
            if self.step == 9:
                raise KeyboardInterrupt  # after a checkpoint at every step, as if killed
            return one(self, pool)

        patch.setattr(Distiller, "train_step", step)
        patch.setattr(training._Run, "_agree", _always_saving(training._Run._agree))
        with pytest.raises(KeyboardInterrupt):
            train("test", CONFIG, open_ball, tmp_path / "parts")
    train("test", CONFIG, open_ball, tmp_path / "parts")
    for file in ("training", "model"):
        whole, parts = (
            load_tensors(tmp_path / run / f"{file}.safetensors", "", "")[0]
            for run in ("whole", "parts")
        )
        assert whole.keys() == parts.keys()
        assert [name for name in whole if not torch.equal(whole[name], parts[name])] == []
    curves = [
        [(row["step"], row["photographs_psnr"]) for row in Log(tmp_path / run / "log.jsonl").rows()
         if "photographs_psnr" in row]
        for run in ("whole", "parts")
    ]  # fmt: skip
    assert curves[0] == curves[1] and [step for step, _ in curves[0]] == [6, 8, 10, 12]
    best = max(psnr for _, psnr in curves[0])
    _, numbers = load_tensors(tmp_path / "whole/training.safetensors", "", "")
    assert math.isclose(numbers["best"], best)


def _always_saving(agree):
    return lambda self, interrupted: agree(self, interrupted) or True


def test_a_source_without_photographs_says_so_and_skips_the_phase(
    open_ball: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train("test", CONFIG, open_ball, tmp_path)
    assert "no photographs to learn from" in capsys.readouterr().out
    rows = Log(tmp_path / "log.jsonl").rows()
    assert all("loss" in row or "test_psnr_teacher" in row for row in rows)
