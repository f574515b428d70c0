"""Distillation: resuming, budgets, curves, refusals, and that it learns."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from student import train as training
from student.checkpoint import load_student
from student.distiller import Distiller, Outcome
from student.lessons import Lesson, crop, random_corners
from student.losses import LossConfig, distillation_loss
from student.models.base import LightFieldOutput
from student.models.mobile_r2l import MobileR2LConfig
from student.models.surface_guided import SurfaceGuidedConfig
from student.optimiser import OptimiserConfig, StudentOptimiser, split_parameters
from student.presets import TrainConfig
from student.render import StudentRenderer
from student.train import train
from teacher.checkpoint import Log, load_tensors
from teacher.errors import UserError
from teacher.metrics import psnr
from teacher.pseudo.pool import Batch, ViewPool
from teacher.pseudo.source import Source
from tests.student.toys import CONFIG, MODEL, dense, toy

JITTERED = MobileR2LConfig(
    points=4, octaves=2, sampling="planes", width=8, blocks=1, norm="batch", channels=(4, 4, 4)
)


def lesson_of(rgba: torch.Tensor, depth: torch.Tensor) -> Lesson:
    """A teacher's pictures; where they were taken from does not matter."""
    n, ones = len(rgba), torch.ones_like(depth)
    return Lesson(
        torch.eye(4).repeat(n, 1, 1), torch.ones(n, 4), rgba, depth, ones, ones[..., :1, :1]
    )


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_tensors(folder / "training.safetensors", "checkpoint", "")[0]


def _stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C once `steps` steps are done."""
    one = Distiller.train_step

    def step(self: Distiller, pool: ViewPool) -> Outcome:
        outcome = one(self, pool)
        if self.step == steps:
            os.kill(os.getpid(), signal.SIGINT)
        return outcome

    monkeypatch.setattr(Distiller, "train_step", step)


@pytest.mark.parametrize("model", [MODEL, JITTERED], ids=["tiny", "jittered, with BatchNorm"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    model: SurfaceGuidedConfig | MobileR2LConfig,
    open_ball: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bit for bit: weights, averages, moments, curve; interrupted after the pool began to replace
    views.
    """
    config = replace(CONFIG, model=model)
    train("test", config, open_ball, tmp_path / "whole")
    with monkeypatch.context() as patch:
        _stop_after(7, patch)
        with pytest.raises(KeyboardInterrupt):
            train("test", config, open_ball, tmp_path / "parts")
    assert json.loads((tmp_path / "parts/progress.json").read_text())["step"] == 7
    Log(tmp_path / "parts/log.jsonl").append({"step": 8, "loss": 0.0})  # as if killed at step 8
    train("test", config, open_ball, tmp_path / "parts")
    whole, parts = _weights(tmp_path / "whole"), _weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert [name for name in whole if not torch.equal(whole[name], parts[name])] == []
    curves = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in Log(path).rows()]
        for path in (tmp_path / "whole/log.jsonl", tmp_path / "parts/log.jsonl")
    ]
    assert curves[0] == curves[1]


def test_a_killed_process_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    """After kill -9 both files of weights load, and the training state is that of a step taken."""
    command = [sys.executable, "-m", "student", "train", "test", "--teacher", "demo"]
    command += ["--output", str(tmp_path), "--steps", "100000", "--size", "16", "16"]
    command += ["--save-seconds", "0.2", "--log-every", "1", "--eval-views", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not (tmp_path / "progress.json").exists() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.5)
    finally:
        process.kill()
        process.wait()
    _, numbers = load_tensors(tmp_path / "training.safetensors", "checkpoint", "")
    model, run = load_student(tmp_path)
    assert run.preset == "test" and run.size == (16, 16)
    distiller = Distiller(run.config, model.aabb)
    distiller.load(*load_tensors(tmp_path / "training.safetensors", "checkpoint", ""))
    assert distiller.step == numbers["step"] > 0


def test_a_finished_run_is_left_alone(
    open_ball: str, ball: Source, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train("test", CONFIG, open_ball, tmp_path)
    before = _weights(tmp_path)
    rendered = ball.renderer.rendered  # pyright: ignore[reportAttributeAccessIssue]
    train("test", CONFIG, open_ball, tmp_path)
    assert "already trained" in capsys.readouterr().out
    assert all(torch.equal(before[name], value) for name, value in _weights(tmp_path).items())
    assert ball.renderer.rendered == rendered  # pyright: ignore[reportAttributeAccessIssue]


def test_the_time_budget_is_kept_across_an_interruption(
    open_ball: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seconds before Ctrl-C count, the run ends soon after the budget, and it ends annealed."""
    config = replace(CONFIG, steps=None, minutes=1.5 / 60)
    with monkeypatch.context() as patch:
        _stop_after(3, patch)
        with pytest.raises(KeyboardInterrupt):
            train("test", config, open_ball, tmp_path)
    spent = json.loads((tmp_path / "progress.json").read_text())["seconds"]
    assert 0 < spent < 1.5
    start = time.monotonic()
    train("test", config, open_ball, tmp_path)
    assert time.monotonic() - start < 1.5 - spent + 1.5
    progress = json.loads((tmp_path / "progress.json").read_text())
    assert progress["complete"] and 1.35 <= progress["seconds"] < 2.5
    rows = Log(tmp_path / "log.jsonl").rows()
    assert [row["seconds"] for row in rows] == sorted(row["seconds"] for row in rows)
    assert "test_psnr_teacher" in rows[-1] and rows[-1]["seconds"] >= 1.35


def test_the_curve_has_as_many_points_as_asked_for(open_ball: str, tmp_path: Path) -> None:
    train("test", CONFIG, open_ball, tmp_path)
    rows = Log(tmp_path / "log.jsonl").rows()
    assert [row["step"] for row in rows if "test_psnr_teacher" in row] == [4, 8, 12]
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 13))


def test_one_view_is_learnt_by_heart(ball: Source) -> None:
    """More than 25 dB on the one view that is trained on, and its depth."""
    model = toy(points=16, volume=dense(16), width=32, blocks=2, colour=dense(32))
    config = TrainConfig(model=model, loss=LossConfig(depth=0.2), steps=200, batch=1)
    distiller = Distiller(config, ball.aabb)
    pool = ViewPool(ball, 1, (32, 32), 0, reuse=1e9, background=False)
    for _ in range(200):
        distiller.train_step(pool)
    truth = ball.view(0, (32, 32), 0)
    found = StudentRenderer(distiller.student()).render(truth.camera)
    assert psnr(found.rgba, truth.rgba) > 25
    hit = truth.rgba[..., 3] > 0.5
    assert (found.depth - truth.depth)[hit].abs().mean() < 0.06


def test_the_loss_is_zero_only_at_the_teacher() -> None:
    """Cross-entropy aside (its least value is at equality too), which has a minimum there."""
    torch.manual_seed(0)
    alpha = (torch.rand(2, 1, 4, 4) > 0.5).float()
    rgba = torch.cat([torch.rand(2, 3, 4, 4) * alpha, alpha], 1)
    depth, background = 3 * alpha, torch.rand(2, 3, 1, 1)
    lesson = lesson_of(rgba, depth)
    at_teacher, mse = distillation_loss(
        LightFieldOutput(rgba, depth), lesson, background, LossConfig()
    )
    assert mse.tolist() == [0, 0] and at_teacher.max() < 1e-6
    away = LightFieldOutput(rgba, depth + 1)
    found, _ = distillation_loss(away, lesson, background, LossConfig(depth=0.5))
    expected = 0.5 * alpha.mean((1, 2, 3))
    torch.testing.assert_close(found - at_teacher, expected, atol=1e-6, rtol=0)


def test_pixels_that_are_not_kept_and_shapes_that_are_not_known_teach_nothing() -> None:
    """Their gradient is zero; what is left is the plain mean of the colour's error."""
    torch.manual_seed(0)
    rgba = torch.rand(1, 4, 2, 2, requires_grad=True)
    depth = torch.rand(1, 1, 2, 2, requires_grad=True)
    lesson = lesson_of(torch.rand(1, 4, 2, 2), torch.rand(1, 1, 2, 2))
    kept = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
    lesson = replace(lesson, kept=kept, shape=torch.zeros(1, 1, 1, 1))
    loss, mse = distillation_loss(
        LightFieldOutput(rgba, depth), lesson, torch.zeros(1, 3, 1, 1), LossConfig()
    )
    difference = (rgba - lesson.rgba)[:, :3].square() * kept
    torch.testing.assert_close(loss, difference.sum((1, 2, 3)) / 12)
    assert torch.equal(loss, mse)
    loss.sum().backward()
    assert rgba.grad is not None and rgba.grad[..., 1, 1].abs().max() == 0
    assert rgba.grad[:, 3].abs().max() == 0 and depth.grad is not None and not depth.grad.any()


def test_an_error_in_alpha_shows_through_the_background() -> None:
    """An error in alpha shows as that error times the background, and not on black."""
    alpha = torch.full((1, 1, 2, 2), 0.25)
    teacher = torch.cat([torch.zeros(1, 3, 2, 2), alpha], 1)
    student = torch.cat([torch.zeros(1, 3, 2, 2), alpha + 0.5], 1)
    depth = torch.zeros(1, 1, 2, 2)
    for grey in (0.0, 0.5, 1.0):
        background = torch.full((1, 3, 1, 1), grey)
        _, mse = distillation_loss(
            LightFieldOutput(student, depth), lesson_of(teacher, depth), background, LossConfig()
        )
        torch.testing.assert_close(mse, torch.tensor([(0.5 * grey) ** 2]))


def test_crops_are_views_of_their_own(ball: Source) -> None:
    """A crop's pixels are what the renderer sees through the crop's intrinsics."""
    generator = torch.Generator().manual_seed(0)
    views = ViewPool(ball, 4, (32, 32), 0, background=False).batch(3, generator)
    lesson = Lesson.of(views)
    part = crop(lesson, 12, random_corners(lesson, 12, generator))
    assert part.rgba.shape == (3, 4, 12, 12)
    for k in range(3):
        fx, fy, cx, cy = (12 * part.intrinsics[k]).tolist()
        like = replace(ball.cameras[0], T_world_camera=part.T_norm_camera[k])
        camera = replace(like, fx=fx, fy=fy, cx=cx, cy=cy, width=12, height=12)
        view = ball.renderer.render(camera)
        torch.testing.assert_close(part.rgba[k].permute(1, 2, 0), view.rgba, atol=3e-3, rtol=0)


def test_grids_have_their_own_rate_and_no_decay() -> None:
    model = MODEL.build(torch.tensor([[-1.0] * 3, [1.0] * 3]))
    grids, networks = split_parameters(model)
    assert len(grids) + len(networks) == len(list(model.parameters()))
    assert sorted(len(p) for p in grids) == [12**3, 12**3, 24**3]  # volume, shape, colour
    optimiser = StudentOptimiser(model, OptimiserConfig(learning_rate=1.0, grids_rate=2.0))
    rates = {group["lr"]: group["weight_decay"] for group in optimiser.adam.param_groups}
    assert rates == {1.0: 0.01, 2.0: 0.0}


@pytest.mark.parametrize("decay", ["cosine", "exponential"])
def test_the_schedule_warms_up_falls_and_ends_at_its_end(decay: str) -> None:
    config = OptimiserConfig(decay=decay, warmup=0.1, final=0.02)  # pyright: ignore[reportArgumentType]
    scales = [config.scale(k / 1000) for k in range(1001)]
    top = scales.index(max(scales))
    assert scales[0] < 0.1 and 80 <= top <= 120
    assert all(a > b for a, b in zip(scales[top:], scales[top + 1 :], strict=False))
    assert scales[-1] == pytest.approx(0.02)
    assert config.scale(1.5) == pytest.approx(0.02)


def test_the_average_of_constant_weights_is_those_weights() -> None:
    """And after a jump it follows by what it does not keep."""
    model = torch.nn.Linear(1, 1)
    optimiser = StudentOptimiser(model, OptimiserConfig(learning_rate=0.0, average=0.9))
    for step in range(5):
        model(torch.ones(1, 1)).sum().backward()
        optimiser.step(step, 0.5)
    torch.testing.assert_close(optimiser.averaged()["weight"], model.weight.detach())
    before = model.weight.item()
    with torch.no_grad():
        model.weight += 1
    model(torch.ones(1, 1)).sum().backward()
    optimiser.step(5, 0.5)
    # step 5 still keeps (1 + 5) / (10 + 5) of the average, less than the configured 0.9
    assert optimiser.averaged()["weight"].item() == pytest.approx(before + 0.6)


def test_divergence_is_named_and_does_not_reach_the_checkpoint(
    open_ball: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ViewPool.batch

    def poisoned(self: ViewPool, *given: Any) -> Batch:
        batch = one(self, *given)
        return replace(batch, depth=batch.depth * float("nan"))

    monkeypatch.setattr(ViewPool, "batch", poisoned)
    with pytest.raises(UserError, match="not finite at step 0"):
        train("test", CONFIG, open_ball, tmp_path)
    assert not (tmp_path / "model.safetensors").exists()


def test_other_settings_are_refused(open_ball: str, tmp_path: Path) -> None:
    train("test", CONFIG, open_ball, tmp_path)
    with pytest.raises(UserError, match=r"train\.batch"):
        train("test", replace(CONFIG, batch=3), open_ball, tmp_path)


def test_another_teacher_is_refused(
    open_ball: str, ball: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retrained teacher's views must not mix with the old one's."""
    _stop_after(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train("test", CONFIG, open_ball, tmp_path)
    monkeypatch.setattr(training, "open_source", lambda path: replace(ball, fingerprint="ball-2"))
    with pytest.raises(UserError, match="ball-2"):
        train("test", CONFIG, open_ball, tmp_path)


@pytest.mark.parametrize(
    ("change", "thing"),
    [
        ({"size": (30, 32)}, "--size"),
        ({"size": (0, 32)}, "--size"),
        ({"patch": 10}, "--patch"),
    ],
)
def test_sizes_that_do_not_fit_are_named(
    change: dict[str, object], thing: str, open_ball: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=thing):
        train("test", replace(CONFIG, **change), open_ball, tmp_path)  # pyright: ignore[reportArgumentType]
