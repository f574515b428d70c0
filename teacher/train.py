"""Training the teacher into a run folder: resuming, logging, measuring and saving around `Trainer.train_step`.

Under torchrun all processes take the steps and measure held-out views together; the first one alone writes files and
shows progress. Ctrl-C and SIGTERM end training after a step, on all processes after the same one, and it is saved.
"""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from tqdm import tqdm

from teacher import checkpoint
from teacher.config import to_plain
from teacher.datasets.normalise import around_cameras
from teacher.files import write_json
from teacher.interruption import Interruption, interruption
from teacher.machine import Machine
from teacher.model import as_described, describe_scene, read_description
from teacher.parallel import World, joined
from teacher.presets import DataConfig, TrainConfig
from teacher.scene import Frame, Scene
from teacher.selection import JUDGES, drawn, spread, with_judges
from teacher.trainer import Trainer

_ANY_MACHINE = Machine()
KINDS = {"data": DataConfig, "train": TrainConfig}
"""The parts of a run folder's config.json."""


@runtime_checkable
class Watcher(Protocol):
    """Somebody who looks on from the first process, in the training's own thread, and leaves the trainer as it is."""

    def look(self, trainer: Trainer, row: dict[str, Any] | None, stop: Callable[[], bool]) -> None:
        """After a step, with the row that was logged of it; may wait until `stop` says not to."""
        ...


def train(
    data: DataConfig,
    config: TrainConfig,
    output: Path,
    machine: Machine = _ANY_MACHINE,
    watcher: Watcher | None = None,
) -> None:
    """Train into the run folder `output`, going on where an earlier, interrupted run stopped.

    Raises:
        UserError: bad data, `output` holds a run with other settings, or the machine lacks what is asked of it.
        KeyboardInterrupt: a signal ended training early; what was learned is saved.
    """
    device = machine.prepare()
    with joined(device) as world:
        settings = to_plain({"data": data, "train": config})
        if world.agree(checkpoint.is_complete(output)):
            if world.first:
                checkpoint.claim_run(output, settings, KINDS)
                print(f"{output}: already trained")
            return
        trainer = Trainer(_scene(data, config, output), config, device, world)
        world.wait()  # the others may look for files of an earlier run until here
        log = checkpoint.Log(output / "log.jsonl")
        if world.first:
            checkpoint.claim_run(output, settings, KINDS)
            write_json(output / "scene.json", to_plain(describe_scene(trainer.scene)))
            _resume(trainer, output, log)
        trainer.align()
        with interruption() as interrupted:
            _run(trainer, output, log, interrupted, watcher)
            if world.first:
                save(trainer, output)
            world.wait()  # when one process ends, torchrun ends the others
    if trainer.stopping and trainer.step < config.steps:
        _leave(world)


def _leave(world: World) -> None:
    """End as Ctrl-C does; only the first process says so."""
    if world.first:
        raise KeyboardInterrupt
    sys.exit(130)


def _scene(data: DataConfig, config: TrainConfig, output: Path) -> Scene:
    """The data in the frame that an interrupted run in `output` trains in: its pictures may have been others."""
    scene = data.load()
    if config.keep == "best":
        scene = with_judges(scene)
    if not (output / "scene.json").exists():
        bounded = data.aabb is not None or not config.field.unbounded
        return scene if bounded else around_cameras(scene)
    return as_described(scene, read_description(output))


def _run(
    trainer: Trainer,
    output: Path,
    log: checkpoint.Log,
    interrupted: Interruption,
    watcher: Watcher | None,
) -> None:
    config, first, saved = trainer.config, trainer.world.first, time.monotonic()
    bar = tqdm(
        total=config.steps, initial=trainer.step, desc="teacher", unit="step", disable=not first
    )
    while trainer.step < config.steps and not trainer.stopping:
        start = time.perf_counter()
        outcome = trainer.train_step(stop=interrupted.asked)
        measures = _is_due(trainer, config.eval_every)
        row = trainer.row(outcome) if measures or _is_due(trainer, config.log_every) else None
        trainer.seconds += time.perf_counter() - start  # a GPU's too: reading the row waited for it
        bar.update()
        if first and row and _is_due(trainer, config.log_every):
            log.append({**_standing(trainer), **row})
            bar.set_postfix(psnr=f"{row['psnr']:.2f}", rays=trainer.rays)
        if measures:
            measured = _measure(trainer)
            if first:
                log.append({**_standing(trainer), **measured})
        if first and watcher is not None:
            watcher.look(trainer, row, lambda: interrupted.asked)
        if first and time.monotonic() - saved > config.save_seconds:
            save(trainer, output)
            saved = time.monotonic()
    bar.close()


def _is_due(trainer: Trainer, every: int) -> bool:
    """Whether the step just taken is followed by what happens `every` so many steps, and at the end."""
    return trainer.step % every == 0 or trainer.step == trainer.config.steps


def _standing(trainer: Trainer) -> dict[str, Any]:
    return {"step": trainer.step, "seconds": round(trainer.seconds, 2)}


def _measure(trainer: Trainer) -> dict[str, float]:
    """PSNR on a few held-out views, for the log; where the best weights are kept, these views choose them."""
    splits, count = trainer.scene.splits, trainer.config.eval_views
    if trainer.config.keep == "last":
        return {"test_psnr": _psnr(trainer, spread(splits["test"], count))}
    judges = drawn(splits[JUDGES], count)
    psnr = _psnr(trainer, judges)
    trainer.judge(psnr, [frame.name for frame in judges])
    return {f"{JUDGES}_psnr": psnr}


def _psnr(trainer: Trainer, frames: Sequence[Frame]) -> float:
    """Mean PSNR of `frames` over white, a part of them on each process (not counted as training time)."""
    values = trainer.world.gather(trainer.teacher().psnrs(trainer.world.shard(frames)))
    return sum(values) / len(values)


def save(trainer: Trainer, output: Path) -> None:
    """Write a checkpoint: first what resuming needs, then what rendering needs."""
    tensors, numbers = trainer.state()
    checkpoint.save_tensors(output / "training.safetensors", tensors, numbers)
    trainer.kept().save(output)
    complete = trainer.step >= trainer.config.steps
    write_json(output / "progress.json", {**trainer.progress(), "complete": complete})


def _resume(trainer: Trainer, output: Path, log: checkpoint.Log) -> None:
    path = output / "training.safetensors"
    if path.exists():
        trainer.load(*checkpoint.load_tensors(path, "checkpoint", "delete it to start anew"))
        print(f"resuming {output} at step {trainer.step}")
    log.rewind(trainer.step)
