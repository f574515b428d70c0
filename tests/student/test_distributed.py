"""Several processes distil what one with all their pictures would, and hold the same bits.

Run as a script, this file is one of two processes that the tests start.
"""

import math
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from student.__main__ import main
from student.distiller import STEP_SEED, Distiller, statistics
from student.lessons import Lesson
from student.losses import distillation_loss
from student.models.mobile_r2l import MobileR2LConfig
from student.presets import PoolConfig, TrainConfig
from student.replay import ReplayConfig
from student.train import train
from teacher import checkpoint
from teacher.cameras import Camera, look_at
from teacher.parallel import joined
from teacher.pseudo.envelope import fit_envelope
from teacher.pseudo.pool import ViewPool
from teacher.pseudo.source import Source, open_source
from teacher.pseudo.store import write_store
from teacher.pseudo.view import View
from teacher.seeds import generator_for
from tests.student.toys import toy
from tests.torchrun import logged_steps, stop_after_a_step

SIZE = (16, 16)
MODEL = toy(points=4, octaves=2, width=8, head_width=4)
CONFIG = TrainConfig(
    model=MODEL,
    pool=PoolConfig(capacity=6, first=3, reuse=2.0),
    replay=ReplayConfig(hard=0.5),
    steps=9,
    batch=2,
    size=SIZE,
    log_every=1,
    eval_points=3,
    eval_views=1,
)
NORMED = MobileR2LConfig(points=4, octaves=2, width=8, blocks=1, norm="batch", channels=(4, 4, 4))


class _Painter:
    """Pictures that differ from camera to camera and from pixel to pixel."""

    def render(self, camera: Camera) -> View:
        directions = camera.rays().directions.reshape(*SIZE, 3)
        rgb, alpha = 0.5 + 0.5 * torch.sin(5 * directions), directions[..., :1].abs()
        return View(camera, torch.cat([rgb * alpha, alpha], -1), 2 + directions[..., 0])


def _source() -> Source:
    sides = ((math.cos(k), math.sin(k), 0.5) for k in range(5))
    poses = [look_at(3 * torch.tensor(side), torch.zeros(3)) for side in sides]
    cameras = tuple(Camera(pose, 20.0, 20.0, 8.0, 8.0, 16, 16) for pose in poses)
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    return Source("painted", _Painter(), fit_envelope(cameras), box, cameras, "painted-1")


def _free_ports(count: int) -> list[str]:
    with ExitStack() as stack:
        free = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in free:
            one.bind(("localhost", 0))
        return [str(one.getsockname()[1]) for one in free]


def _pool(source: Source, rank: int) -> ViewPool:
    return ViewPool(source, 6, SIZE, 0, background=False, part=(rank, 2))


def _work(folder: Path) -> None:
    """What each of the two processes does."""
    source = open_source(folder / "store")
    with joined() as world:
        distiller = Distiller(CONFIG, source.aabb, world=world)
        gradients: dict[str, Tensor] = {}
        distiller.optimiser.step = lambda step, fraction: gradients.update(_gradients(distiller))
        outcome = distiller.train_step(_pool(source, world.rank))
        torch.save((gradients, outcome.row()), folder / f"first-{world.rank}.pt")

        normed = Distiller(replace(CONFIG, model=NORMED), source.aabb, world=world)
        normed.train_step(_pool(source, world.rank))
        torch.save(statistics(normed.model), folder / f"norms-{world.rank}.pt")
    sittings = (("parts", 4), ("parts", None), ("whole", None))
    for (name, stop), port in zip(sittings, sys.argv[2:], strict=True):
        os.environ["MASTER_PORT"] = port  # each joins a world of its own
        last = _train(folder, name, world.rank, stop)
        torch.save(last.model.state_dict(), folder / f"last-{world.rank}.pt")


def _train(folder: Path, name: str, rank: int, stop: int | None) -> Distiller:
    """One sitting of a run; process 1 gets the signal after step `stop`."""
    one, seen = Distiller.train_step, []

    def step(self: Distiller, pool: ViewPool):
        outcome = one(self, pool)
        seen.append(self)
        if rank == 1 and self.step == stop:
            os.kill(os.getpid(), signal.SIGTERM)
        return outcome

    Distiller.train_step = step
    try:
        train("test", CONFIG, str(folder / "store"), folder / name)
    except (KeyboardInterrupt, SystemExit) as ended:
        assert stop is not None and isinstance(ended, SystemExit) == (rank == 1)
    finally:
        Distiller.train_step = one
    assert seen[-1].step == (stop or CONFIG.steps), "both end after the same step"
    return seen[-1]


def _gradients(distiller: Distiller) -> dict[str, Tensor]:
    parameters = distiller.model.named_parameters()
    return {name: p.grad.clone() for name, p in parameters if p.grad is not None}


def _both(folder: Path, name: str) -> list:
    return [torch.load(folder / f"{name}-{rank}.pt", weights_only=False) for rank in (0, 1)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes leave behind; their source are shards that two machines wrote."""
    folder = tmp_path_factory.mktemp("two")
    for which in range(2):
        write_store(_source(), folder / "store", 24, 4, 0, part=(which, 2))
    port, *ports = _free_ports(4)
    where = {"MASTER_ADDR": "localhost", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    where["PYTHONPATH"] = str(Path(__file__).parents[2])
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(folder), *ports],
            env={**os.environ, **where, "RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    errors = [process.communicate(timeout=100)[1] for process in processes]
    assert not any(process.returncode for process in processes), "\n".join(errors)
    return folder


def test_both_processes_hold_the_same_bits(folder: Path) -> None:
    one, other = _both(folder, "last")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_gradients_are_those_of_one_process_with_all_pictures(folder: Path) -> None:
    """The batches of both, drawn here again from their shares of the views, and put together."""
    source = open_source(folder / "store")
    lessons, backgrounds, numbers = [], [], []
    for rank in (0, 1):
        alone = Distiller(CONFIG, source.aabb)
        generator = generator_for(STEP_SEED, 0, rank=rank)
        torch.randint(1 << 62, (), generator=generator)
        pool = _pool(source, rank)
        lesson, drawn, _ = alone._lesson(pool, alone._replay(pool), generator)
        lessons.append(lesson)
        numbers += (rank + 2 * drawn).tolist()
        backgrounds.append(torch.rand(len(lesson), 3, 1, 1, generator=generator))
    assert {number % 2 for number in numbers} == {0, 1}, "each has views of its own"
    distiller, lesson = Distiller(CONFIG, source.aabb), Lesson.joined(lessons)
    output = distiller.model(lesson.T_norm_camera, lesson.intrinsics, lesson.size)
    losses = distillation_loss(output, lesson, torch.cat(backgrounds), CONFIG.loss)
    losses.total.mean().backward()
    expected = _gradients(distiller)
    for found, row in _both(folder, "first"):
        assert found.keys() == expected.keys()
        for name, gradient in expected.items():
            torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-7)
        assert row["loss"] == pytest.approx(losses.total.mean().item(), rel=1e-5)


def test_what_batchnorm_has_seen_is_averaged(folder: Path) -> None:
    one, other = _both(folder, "norms")
    assert len(one) > 0 and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_resumed_run_of_two_equals_an_uninterrupted_one(folder: Path) -> None:
    """Bit for bit, though the signal came to the second process; one log, by the first."""
    whole, parts = (
        checkpoint.load_tensors(folder / name / "training.safetensors", "checkpoint", "")[0]
        for name in ("whole", "parts")
    )
    assert whole.keys() == parts.keys() and any(name.startswith("replay.1") for name in whole)
    assert [name for name in whole if not torch.equal(whole[name], parts[name])] == []
    rows = checkpoint.Log(folder / "parts" / "log.jsonl").rows()
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 10))
    assert [row["step"] for row in rows if "test_psnr_teacher" in row] == [3, 6, 9]


def test_torchrun_stops_at_a_signal_and_any_number_of_processes_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One log, by one process; one process alone finishes what two began."""
    run = folder / "torchrun"
    arguments = ["train", "test", "--teacher", str(folder / "store"), "--output", str(run)]
    arguments += ["--size", "16", "16", "--device", "cpu", "--steps", "300", "--log-every", "1"]
    arguments += ["--eval-views", "1", "--pool.first", "4", "--pool.capacity", "8"]
    stop_after_a_step("student", arguments, run)
    monkeypatch.setattr(sys, "argv", ["python -m student", *arguments])
    main()
    assert checkpoint.is_complete(run) and logged_steps(run) == list(range(1, 301))


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
