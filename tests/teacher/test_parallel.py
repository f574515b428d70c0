"""Several processes learn what one with all their rays would, bit for bit alike; torchrun's commands divide their work.

Run as a script, this file is one of two processes that the tests start.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from teacher import checkpoint
from teacher.__main__ import main
from teacher.demo import write_demo_scene
from teacher.evaluate import evaluate, render
from teacher.fields.hash_grid import HashGridConfig
from teacher.losses import total_loss
from teacher.ops.hash_encode import HashGrid
from teacher.optimiser import OptimiserConfig
from teacher.outcome import Numbers, Outcome
from teacher.parallel import World, joined
from teacher.per_image import PerImageConfig
from teacher.presets import DataConfig, TrainConfig
from teacher.rays import Rays
from teacher.samplers.occupancy import OccupancyConfig
from teacher.seeds import generator_for
from teacher.train import train
from teacher.trainer import Trainer
from tests.torchrun import logged_steps, stop_after_a_step

STEPS = 20
TINY = TrainConfig(
    field=HashGridConfig(
        HashGrid(levels=4, features=4, log2_size=12, finest=64), width=16, mixed=False
    ),
    sampler=OccupancyConfig(resolution=32, step=0.04, warmup=32),
    per_image=PerImageConfig(size=2),
    optimiser=OptimiserConfig(warmup=10),
    steps=STEPS,
    samples_per_step=1 << 11,
    first_rays=256,
)
RAYS = (64, 192)
"""Of each process in the first step: a plain mean over processes would be wrong."""


def _work(folder: Path) -> None:
    """What each of the two processes does."""
    with joined() as world:
        trainer = Trainer(DataConfig(folder / "scene").load(), TINY, world=world)
        trainer.rays = RAYS[world.rank]
        gradients: dict[str, Tensor] = {}
        trainer.optimiser.step = lambda step, steps: gradients.update(_gradients(trainer))
        outcome = trainer.train_step()
        torch.save((gradients, outcome.read()), folder / f"first-{world.rank}.pt")

        trainer = Trainer(trainer.scene, TINY, world=world)
        while trainer.step < STEPS:
            trainer.train_step(stop=world.rank == 1 and trainer.step == 7)
            assert trainer.stopping == (trainer.step > 7), "both stop after the same step"
        torch.save(trainer.state(), folder / f"last-{world.rank}.pt")

        assert world.gather([f"{k}" for k in world.shard(range(5))]) == list("01234")
        streamed = list(world.stream((k for k in world.shard(range(5))), 5))
        assert streamed == ([0, 1, 2, 3, 4] if world.first else [])
        assert world.agree(world.rank) == 0
        metrics = evaluate(folder / "run", "train", "white", "cpu", world)
        torch.save(metrics["per_view"], folder / f"metrics-{world.rank}.pt")
        render(folder / "run", "orbit", 5, 10, folder / "two.mp4", "white", "cpu", world)
        render(folder / "run", "orbit", 3, 10, folder / "two", "white", "cpu", world)


def _gradients(trainer: Trainer) -> dict[str, Tensor]:
    parameters = trainer.variant.named_parameters()
    return {name: p.grad.clone() for name, p in parameters if p.grad is not None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes leave behind."""
    folder = tmp_path_factory.mktemp("two")
    write_demo_scene(folder / "scene", size=24, train=5, test=2)
    train(DataConfig(folder / "scene"), TINY, folder / "run")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    where = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(folder)],
            env={**os.environ, **where, "RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert not any(process.returncode for process in processes), "\n".join(errors)
    return folder


def _both(folder: Path, name: str) -> list:
    return [torch.load(folder / f"{name}-{rank}.pt", weights_only=False) for rank in (0, 1)]


def test_both_processes_hold_the_same_bits(folder: Path) -> None:
    """Parameters, moments, averages and occupancy after 20 steps, and how they will go on."""
    (one, numbers), (other, other_numbers) = _both(folder, "last")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert numbers == {**other_numbers, "seconds": numbers["seconds"]}


def test_gradients_are_those_of_one_process_with_all_rays(folder: Path) -> None:
    """The batches of both, drawn here again and rendered together."""
    trainer = Trainer(DataConfig(folder / "scene").load(), TINY)
    shared = generator_for(TINY.seed, 0)
    trainer.variant.update(0, shared)
    parts = []
    for rays, generator in zip(RAYS, (shared, generator_for(TINY.seed, 0, rank=1)), strict=True):
        batch = trainer.pool.draw(rays, generator)
        noise = (torch.rand(rays, generator=generator), torch.rand(rays, 3, generator=generator))
        drawn = (batch.rays.origins, batch.rays.directions, batch.frames, batch.rgba)
        parts.append((*drawn, *noise))
    assert not torch.equal(parts[0][0], parts[1][0][: RAYS[0]]), "processes draw rays of their own"
    origins, directions, frames, rgba, jitter, background = map(torch.cat, zip(*parts, strict=True))
    rays = Rays(origins, directions)
    rendering = trainer.variant.render_batch(rays, frames, jitter)
    loss, mse = total_loss(rendering, rgba, background, TINY.loss)
    loss.backward()
    expected = _gradients(trainer)
    for found, numbers in _both(folder, "first"):
        assert found.keys() == expected.keys()
        for name, gradient in expected.items():
            torch.testing.assert_close(
                found[name], gradient, rtol=1e-4, atol=1e-5 * float(gradient.abs().max())
            )
        assert (numbers.loss, numbers.mse) == pytest.approx((loss.item(), mse.item()), rel=1e-5)
        assert (numbers.rays, numbers.samples) == (sum(RAYS), len(rendering.sampling.samples))


def test_measuring_together_gives_what_one_process_measures(folder: Path) -> None:
    """Every view once, in order, on both processes."""
    alone = evaluate(folder / "run", "train", "white", "cpu")["per_view"]
    for rows in _both(folder, "metrics"):
        assert [row["name"] for row in rows] == [row["name"] for row in alone]
        assert [row["metrics"] for row in rows] == [row["metrics"] for row in alone]


def test_rendering_together_gives_the_same_film(folder: Path) -> None:
    render(folder / "run", "orbit", 5, 10, folder / "one.mp4", "white", "cpu")
    one, two = (_decoded(folder / f"{name}.mp4") for name in ("one", "two"))
    assert len(one) == 5 and np.array_equal(one, two)
    names = sorted(path.name for path in (folder / "two").iterdir())
    assert names == [f"{k:04d}.{kind}" for k in range(3) for kind in ("depth.png", "png")]


def _decoded(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames)


def test_alone_nothing_is_divided() -> None:
    world = World()
    assert world.first and list(world.shard("abc")) == list("abc")
    assert world.gather([1, 2]) == [1, 2] == list(world.stream([1, 2], 2))
    assert world.part((1, 3)) == (1, 3)


def test_parts_of_machines_and_processes_cover_everything_once() -> None:
    parts = [World(rank, 4).part((k, 3)) for k in range(3) for rank in range(4)]
    assert sorted(parts) == [(k, 12) for k in range(12)]


def test_work_counts_rays_that_did_not_fit() -> None:
    """Half of the rays needed 100 samples and 600 looks: all of them would need twice as much."""
    numbers = Numbers(0.0, 0.0, 64, 100, 600, 32, False)
    assert numbers.work == 2 * (100 + 100)
    assert numbers._replace(complete=64).work == 200
    assert numbers._replace(complete=0).work == 64 * 200


def test_a_step_without_a_complete_ray_reads_as_zeros() -> None:
    assert Outcome(torch.zeros(7, dtype=torch.float64)).read() == (0, 0, 0, 0, 0, 0, False)


def test_torchrun_trains_stops_and_any_machine_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One log, by one process; a signal ends both after the same step, and one process alone finishes the run."""
    run = folder / "torchrun"
    arguments = [
        *("train", "demo", "--data", str(folder / "scene"), "--output", str(run)),
        *("--device", "cpu", "--steps", "300", "--samples-per-step", "2000", "--log-every", "10"),
        *("--field.grid.log2-size", "12", "--field.width", "16", "--sampler.resolution", "32"),
    ]
    stop_after_a_step("teacher", arguments, run)
    monkeypatch.setattr(sys, "argv", ["python -m teacher", *arguments])
    main()
    assert checkpoint.is_complete(run)
    assert logged_steps(run) == list(range(10, 301, 10))


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
