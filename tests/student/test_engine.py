"""Options of the engine compose: budgets are kept, runs resume bit for bit, parts add up."""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from student import train as training
from student.distiller import Distiller, Outcome
from student.execution import ExecutionConfig
from student.presets import PoolConfig
from student.replay import ReplayConfig
from student.train import train
from teacher.cameras import Camera
from teacher.checkpoint import Log, load_tensors
from teacher.errors import UserError
from teacher.pseudo.pool import ViewPool
from teacher.pseudo.sampler import CameraSampler
from teacher.pseudo.source import Source
from teacher.pseudo.store import write_store
from teacher.pseudo.view import View, ViewRenderer
from tests.student.toys import CONFIG


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_tensors(folder / "training.safetensors", "checkpoint", "")[0]


@pytest.mark.parametrize(
    "change",
    [
        {"replay": ReplayConfig(hard=0.5), "patch": 16},
        {"progressive": ((0.3, 4), (0.7, 2)), "accumulate": 2},
        {"cameras": CameraSampler(margin=0.05, near=0.5)},
        {"execution": ExecutionConfig("bf16", "channels_last")},
    ],
    ids=["hard patches", "progressive, in parts", "other cameras", "bf16"],
)
def test_a_killed_run_with_options_equals_an_uninterrupted_one(
    change: dict[str, Any], open_ball: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at step 7 after a checkpoint of step 5."""
    config = replace(CONFIG, **change)
    train("test", config, open_ball, tmp_path / "whole")
    one, saved = Distiller.train_step, training._Run._agree

    def step(self: Distiller, pool: ViewPool) -> Outcome:
        if self.step == 7:
            raise RuntimeError("killed")
        return one(self, pool)

    with monkeypatch.context() as patch:
        patch.setattr(Distiller, "train_step", step)
        patch.setattr(
            training._Run,
            "_agree",
            lambda self, asked: saved(self, asked) or self.distiller.step == 5,
        )
        with pytest.raises(RuntimeError, match="killed"):
            train("test", config, open_ball, tmp_path / "parts")
    assert json.loads((tmp_path / "parts/progress.json").read_text())["step"] == 5
    train("test", config, open_ball, tmp_path / "parts")
    whole, parts = _weights(tmp_path / "whole"), _weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert [name for name in whole if not torch.equal(whole[name], parts[name])] == []


@pytest.mark.parametrize(
    ("change", "thing"),
    [
        ({"progressive": ((0.5, 2), (0.3, 1))}, "--progressive"),
        ({"progressive": ((0.5, 0),)}, "--progressive"),
        ({"accumulate": 0}, "--accumulate"),
        ({"replay": ReplayConfig(hard=1.5)}, "--replay.hard"),
        ({"cameras": CameraSampler(near=-0.1)}, "--cameras.near"),
    ],
)
def test_options_that_mean_nothing_are_named(
    change: dict[str, Any], thing: str, open_ball: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=thing):
        train("test", replace(CONFIG, **change), open_ball, tmp_path)
    assert not any(tmp_path.iterdir())


def test_stored_views_train_a_student(
    ball: Source, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shards of two machines; measured on views held back; asking for other cameras is in vain."""
    for which in range(2):
        write_store(ball, tmp_path / "store", 40, 8, 0, part=(which, 2))
    config = replace(CONFIG, cameras=CameraSampler(near=0.5))
    train("test", config, str(tmp_path / "store"), tmp_path / "run")
    assert "--cameras is idle" in capsys.readouterr().out
    rows = Log(tmp_path / "run/log.jsonl").rows()
    assert sum("test_psnr_teacher" in row for row in rows) == 3
    write_store(ball, tmp_path / "few", 6, 8, 0)
    train("test", CONFIG, str(tmp_path / "few"), tmp_path / "blind")
    assert "nothing to measure on" in capsys.readouterr().out
    rows = Log(tmp_path / "blind/log.jsonl").rows()
    assert len(rows) == 12 and not any("test_psnr_teacher" in row for row in rows)


def test_a_batch_in_parts_is_the_whole_batch(ball: Source) -> None:
    """The same draws; gradients equal but for the order of sums, by one step of plain descent."""
    found = []
    for accumulate in (1, 2, 5):
        config = replace(CONFIG, batch=5, accumulate=accumulate)
        distiller = Distiller(config, ball.aabb)
        gradients: dict[str, torch.Tensor] = {}

        def keep(step: int, fraction: float, d=distiller, g=gradients) -> None:
            g.update(
                {n: p.grad.clone() for n, p in d.model.named_parameters() if p.grad is not None}
            )

        distiller.optimiser.step = keep
        row = distiller.train_step(ViewPool(ball, 8, (32, 32), 0, background=False)).row()
        found.append((gradients, row))
    (whole, row), *others = found
    for gradients, other_row in others:
        assert gradients.keys() == whole.keys() and other_row == pytest.approx(row, rel=1e-5)
        for name, gradient in whole.items():
            torch.testing.assert_close(gradients[name], gradient, rtol=1e-3, atol=1e-8)


def test_pictures_grow_over_the_budget(ball: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the side, then half, then all of it."""
    config = replace(CONFIG, progressive=((0.25, 4), (0.5, 2)), steps=8)
    distiller, sides = Distiller(config, ball.aabb), []
    one = distiller.network
    monkeypatch.setattr(
        distiller, "network", lambda *given: (sides.append(given[2]), one(*given))[1]
    )
    pool = ViewPool(ball, 4, (32, 32), 0, background=False)
    for _ in range(8):
        distiller.train_step(pool)
    assert sides == [(8, 8)] * 2 + [(16, 16)] * 2 + [(32, 32)] * 4


def test_hard_views_are_remembered_by_their_errors(ball: Source) -> None:
    """After a step each drawn view's error is its own MSE, and other views have none."""
    config = replace(CONFIG, replay=ReplayConfig(hard=0.5), batch=3)
    distiller = Distiller(config, ball.aabb)
    pool = ViewPool(ball, 6, (32, 32), 0, reuse=1e9, background=False)
    pool.wait(6)
    outcome = distiller.train_step(pool)
    assert distiller.replay is not None
    errors = distiller.replay.state()["errors"].flatten()
    assert 1 <= (errors >= 0).sum() <= 3
    low, high = errors[errors >= 0].min(), errors.max()
    assert low <= outcome.mse <= high


@pytest.mark.parametrize("first", [1, 10])
def test_the_whole_run_fits_its_minutes(
    first: int, open_ball: str, ball: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within 10 %, with a slow teacher, slow measurements and slow checkpoints; saved by then."""
    budget, began = 4.0, []
    config = replace(CONFIG, steps=None, minutes=budget / 60, eval_points=4)
    config = replace(config, pool=PoolConfig(capacity=10, first=first))
    monkeypatch.setattr(
        training, "open_source", lambda path: replace(ball, renderer=_Slow(ball.renderer))
    )
    measured, written = training.measure_psnr, training._Run._write
    opened = training._Run._open_pool

    def slowly(function: Any) -> Any:
        return lambda *given: (time.sleep(0.25), function(*given))[1]

    def open_pool(self: training._Run, *given: Any) -> ViewPool:
        began.append(time.monotonic())
        return opened(self, *given)

    monkeypatch.setattr(training, "measure_psnr", slowly(measured))
    monkeypatch.setattr(training._Run, "_write", slowly(written))
    monkeypatch.setattr(training._Run, "_open_pool", open_pool)
    train("test", replace(config, save_seconds=1.0), open_ball, tmp_path)
    assert 0.9 * budget < time.monotonic() - began[0] < 1.1 * budget
    progress = json.loads((tmp_path / "progress.json").read_text())
    assert progress["complete"] and 0.9 * budget < progress["seconds"] < 1.1 * budget
    rows = Log(tmp_path / "log.jsonl").rows()
    assert sum("test_psnr_teacher" in row for row in rows) == 4


@dataclass
class _Slow:
    """A renderer that takes its time."""

    inner: ViewRenderer

    def render(self, camera: Camera) -> View:
        time.sleep(0.1)
        return self.inner.render(camera)
