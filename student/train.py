"""Distillation: a source of views in, a run folder with a light-field network out.

    open_source -> ViewPool (renders, in the background) -> Distiller.train_step -> checkpoints, log
                                                            held-out views       -> log

The budget is wall time, the teacher's rendering included (`minutes`), or a number of steps. With
steps, views are rendered between steps, at the same places in every run: a killed and resumed run
equals an uninterrupted one bit for bit (on a CPU, with the same number of threads and processes).

Minutes run from the moment when the first view is asked for. The run keeps back as long as its
longest measurement and its longest checkpoint took, so that it ends with its budget, saved.

Under torchrun each process distils from its own share of the views; the first one alone measures,
shows progress and writes files. Ctrl-C and SIGTERM end training after a step, on all processes
after the same one, and it is saved.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm import tqdm

from student.budget import count_budget
from student.checkpoint import SourceDescription, describe_source
from student.distiller import Distiller, Outcome
from student.held_out import (
    HeldOut,
    frames_of,
    imagined,
    is_cropped,
    measure_psnr,
    photographed,
    spread,
)
from student.photographs import Photographs
from student.presets import TrainConfig, settled
from student.render import StudentRenderer
from student.schedule import Clock, passed
from teacher import checkpoint
from teacher.config import from_plain, to_plain
from teacher.errors import UserError
from teacher.files import read_json, write_json
from teacher.interruption import Interruption, interruption
from teacher.machine import Device, pick_device
from teacher.parallel import World, joined
from teacher.presets import DataConfig
from teacher.pseudo.pool import PoolState, ViewPool
from teacher.pseudo.source import Size, Source, open_source
from teacher.pseudo.store import StoredSource

WHITE = 1.0
_PATIENCE = 0.1  # of the budget: how long to wait for more than the first view


def train(
    preset: str,
    config: TrainConfig,
    source_path: str,
    output: Path,
    data: DataConfig | None = None,
    device: Device = "auto",
) -> None:
    """Distil the source of views at `source_path` into the run folder `output`, or go on with it.

    Args:
        preset: name under which the configuration is known downstream.
        config: everything that the result depends on.
        source_path: a teacher's run folder, "demo", or a folder of stored views.
        output: run folder.
        data: photographs to measure against; None: those that the teacher was trained on.
        device: where to train.

    Raises:
        UserError: the source cannot be used, `output` holds a run with other settings or of another
            teacher, or `device` is not there.
        KeyboardInterrupt: a signal ended training early; what was learned is saved.
    """
    check_ranges(config)
    place = pick_device(device)
    with joined(place) as world:
        source = open_source(source_path)
        config, size = settled(config, source), picture_size(source, config)
        world.wait()  # the others may look for files of an earlier run until here
        if world.first:
            checkpoint.claim_run(output, to_plain({"preset": preset, "train": config}))
            _claim_source(output, describe_source(source, source_path, size))
        if world.agree(checkpoint.is_complete(output)):
            if world.first:
                print(f"{output}: already trained")
            return
        with _threads(config):
            photographs = _photographs(source, source_path, data, config, size, place)
            distiller = Distiller(config, source.aabb, place, world, photographs)
            run = _Run(output, distiller)
            views: list[HeldOut] = []
            if world.first:
                print(f"{preset}: {count_budget(distiller.model, size)}")
                views = _held_out(source, source_path, data, config, size)
            with interruption() as interrupted:
                run.go_on(_sampled(source, config), size, views, interrupted)
            world.wait()  # when one process ends, torchrun ends the others
    if run.stopping and distiller.fraction < 1:
        _leave(world)


def _leave(world: World) -> None:
    """End as Ctrl-C does; only the first process says so."""
    if world.first:
        raise KeyboardInterrupt
    sys.exit(130)


class _Standing(NamedTuple):
    """What all processes know between two steps; each is a sum over them."""

    stop: float
    """How many were asked to stop."""
    save: float
    """Whether the first wants a checkpoint."""
    seconds: float
    """The first one's."""
    kept_back: float
    """The first one's, see `Clock`."""


class _Run:
    """A distillation and its run folder."""

    def __init__(self, folder: Path, distiller: Distiller) -> None:
        self.folder, self.distiller, self.config = folder, distiller, distiller.config
        self.world, self.stopping = distiller.world, False
        self.log = checkpoint.Log(folder / "log.jsonl")
        self.pool_state = PoolState()
        self._resume()

    def _resume(self) -> None:
        saved = self.world.agree(self._saved() if self.world.first else None)
        if saved is not None:
            tensors, numbers = saved
            self.distiller.load(tensors, numbers)
            pools = numbers["pools"]
            self.pool_state = PoolState(**pools[self.world.rank % len(pools)])
        if self.world.first:
            if saved is not None:
                print(f"resuming {self.folder} at step {self.distiller.step}")
            self.log.rewind(self.distiller.step)

    def _saved(self) -> tuple[dict[str, torch.Tensor], dict] | None:
        path = self.folder / "training.safetensors"
        if not path.exists():
            return None
        return checkpoint.load_tensors(path, "checkpoint", "delete it to start anew")

    def go_on(
        self, source: Source, size: Size, views: list[HeldOut], interrupted: Interruption
    ) -> None:
        """Train until the budget is used up or `interrupted`; save now and then, and at the end."""
        self.clock = Clock(60 * self.config.minutes, self.distiller.seconds)
        self._saved_at = time.monotonic()
        with self._open_pool(source, size) as pool:
            self._wait(pool, interrupted)
            with _progress_bar(self.distiller, self.world) as bar:
                self._loop(pool, views, interrupted, bar)
            pool.rest()  # the teacher's last view is of no use any more: let it come to its end
            self.save(pool)

    def _open_pool(self, source: Source, size: Size) -> ViewPool:
        """The pool, where the last checkpoint left it."""
        config = self.config.pool
        return ViewPool(
            source,
            config.capacity,
            size,
            self.config.seed,
            reuse=config.reuse,
            background=self.config.steps is None,
            state=self.pool_state,
            device=self.distiller.device,
            part=(self.world.rank, self.world.size),
        )

    def _wait(self, pool: ViewPool, interrupted: Interruption) -> None:
        """Wait for the first views, but not for most of the budget."""
        until = self.clock.seconds + _PATIENCE * self.clock.limit
        timed = self.config.steps is None
        pool.wait(
            min(self.config.pool.first, self.config.pool.capacity),
            lambda: interrupted.asked or (timed and len(pool) > 0 and self.clock.seconds > until),
        )

    def _loop(
        self, pool: ViewPool, views: list[HeldOut], interrupted: Interruption, bar: tqdm
    ) -> None:
        distiller = self.distiller
        self._agree(interrupted)
        while distiller.fraction < 1 and not self.stopping:
            before = distiller.fraction
            outcome = distiller.train_step(pool)
            save = self._agree(interrupted)
            self._log(outcome, pool, bar)
            self._measure(views, before)
            if save or self.stopping:
                outcome.row()  # raises where the loss is not finite: that must not be saved
            if save:
                self.save(pool)
            if self._ends_before_a_view(pool):
                pool.rest()

    def _agree(self, interrupted: Interruption) -> bool:
        """Settle between all processes how far the run is; returns whether to save."""
        mine = _Standing(float(interrupted.asked), 0.0, 0.0, 0.0)
        if self.world.first:
            due = time.monotonic() - self._saved_at > self.config.save_seconds
            mine = mine._replace(
                save=float(due), seconds=self.clock.seconds, kept_back=self.clock.kept_back
            )
        settled = torch.tensor(mine, dtype=torch.float64)
        self.world.add([settled])
        standing = _Standing(*settled.tolist())
        self.stopping = standing.stop > 0
        self.distiller.seconds, self.distiller.kept_back = standing.seconds, standing.kept_back
        return standing.save > 0

    def _ends_before_a_view(self, pool: ViewPool) -> bool:
        """Whether a view that is begun now would come too late."""
        left = (1 - self.distiller.fraction) * self.clock.limit
        return self.config.steps is None and left < pool.seconds_per_view

    def _log(self, outcome: Outcome, pool: ViewPool, bar: tqdm) -> None:
        distiller = self.distiller
        due = distiller.step % self.config.log_every == 0 or distiller.fraction >= 1
        if self.world.first and due:
            row, rendered = outcome.row(), pool.state.rendered
            self.log.append({**self._now(), **row, "views": rendered})
            _advance(bar, distiller, f"{row['psnr']:.2f} dB, {rendered} views")

    def _measure(self, views: list[HeldOut], before: float) -> None:
        """Measure what is due between the fraction `before` and now; the end is due."""
        config, now = self.config, self.distiller.fraction
        if not self.world.first:
            return
        photographs = self.distiller.photographs
        if photographs is not None and config.photographs.judges(before, now):
            with self.clock.lasting("judging"):
                self._note({"photographs_psnr": self.distiller.judge(photographs)})
        if views and passed(before, now, config.eval_points):
            with self.clock.lasting("measuring"):
                student = StudentRenderer(self.distiller.student())
                found = measure_psnr(student, views, WHITE)
                self._note({f"test_psnr_{k}": v for k, v in found.items()})

    def _note(self, row: dict[str, float]) -> None:
        self.log.append({**self._now(), **row})

    def _now(self) -> dict[str, int | float]:
        return {"step": self.distiller.step, "seconds": round(self.distiller.seconds, 2)}

    def save(self, pool: ViewPool) -> None:
        """Write a checkpoint: first what resuming needs, then what everybody else reads."""
        tensors, numbers = self.distiller.state()
        numbers["pools"] = self.world.gather([asdict(pool.state)])
        if self.world.first:
            with self.clock.lasting("saving"):
                self._write(tensors, numbers)
            self._saved_at = time.monotonic()

    def _write(self, tensors: dict[str, torch.Tensor], numbers: dict) -> None:
        numbers["seconds"] = self.clock.seconds
        checkpoint.save_tensors(self.folder / "training.safetensors", tensors, numbers)
        checkpoint.save_tensors(self.folder / "model.safetensors", self.distiller.weights(), {})
        complete = self.distiller.fraction >= 1
        write_json(self.folder / "progress.json", {**numbers, "complete": complete})


def check_ranges(config: TrainConfig) -> None:
    """Raise UserError for options that mean nothing."""
    until = [fraction for fraction, _ in config.progressive]
    rising = until == sorted(until) and all(0 < fraction <= 1 for fraction in until)
    whole = all(factor >= 1 for _, factor in config.progressive)
    in_unit = {
        "--replay.hard": config.replay.hard,
        "--cameras.near": config.cameras.near,
        "--cameras.margin": config.cameras.margin,
        "--photographs.fraction": config.photographs.fraction,
        "--photographs.share": config.photographs.share,
    }
    wrong = {name: value for name, value in in_unit.items() if not 0 <= value <= 1}
    if config.accumulate < 1:
        raise _out_of_range("--accumulate", config.accumulate, "1 or more")
    if not (rising and whole):
        expected = "rising fractions of the budget up to 1, each with a factor of 1 or more"
        raise _out_of_range("--progressive", config.progressive, expected)
    for name, value in wrong.items():
        raise _out_of_range(name, value, "a share from 0 to 1")


def _out_of_range(thing: str, given: object, expected: str) -> UserError:
    return UserError(
        thing, str(given), expected, "`python -m student train PRESET --help` says more"
    )


def picture_size(source: Source, config: TrainConfig) -> Size:
    """(height, width) to train on: the configured one, or the cameras' cut to whole blocks."""
    step, camera = config.model.upsampling, source.cameras[0]
    given = config.size
    size = given or (camera.height // step * step, camera.width // step * step)
    patch = config.patch
    if any(side <= 0 or side % step for side in size):
        thing, what = "--size", f"{given or (camera.height, camera.width)} (height, width)"
    elif patch is not None and (patch <= 0 or patch % step):
        thing, what = "--patch", f"{patch}"
    else:
        return size
    expected = f"positive multiples of {step}, the student's pixels per ray"
    raise UserError(thing, what, expected, "choose other sizes, or another preset")


def _claim_source(folder: Path, scene: SourceDescription) -> None:
    """Write scene.json, or hold the one there against the source: views of two teachers must not
    mix.
    """
    path = folder / "scene.json"
    if path.exists():
        plain = read_json(path, "a student's scene", "delete the run folder")
        known = from_plain(SourceDescription, plain, str(path))
        if (known.fingerprint, known.size) != (scene.fingerprint, scene.size):
            raise UserError(
                f"run folder {folder}",
                f"views of {scene.source} (fingerprint {scene.fingerprint}, size {scene.size})",
                f"the views it was begun with (fingerprint {known.fingerprint}, size {known.size})",
                "the teacher has changed: choose another --output, or delete the folder",
            )
    write_json(path, to_plain(scene))


def _sampled(source: Source, config: TrainConfig) -> Source:
    """The source with the configured cameras; stored views have theirs already."""
    if isinstance(source, StoredSource):
        if config.cameras != source.sampler:
            print(
                "note: stored views are from the cameras they were stored from; --cameras is idle"
            )
        return source
    return replace(source, sampler=config.cameras)


def _photographs(
    source: Source,
    source_path: str,
    data: DataConfig | None,
    config: TrainConfig,
    size: Size,
    device: torch.device,
) -> Photographs | None:
    """The training photographs, if the configuration wants them and the source knows of any."""
    if not config.photographs.fraction:
        return None
    frames = frames_of(source_path, data, "train")
    if frames is None:
        print(
            "note: no photographs to learn from: this source knows of none; name some with --data"
        )
        return None
    if is_cropped(source.renderer):
        print("note: the teacher is cropped: photographs teach only what it sees as wholly opaque")
    return Photographs(source, frames, size, config.photographs, device)


def _held_out(
    source: Source,
    source_path: str,
    data: DataConfig | None,
    config: TrainConfig,
    size: Size,
) -> list[HeldOut]:
    """Views for the curve in the log: test photographs where there are any."""
    try:
        frames = frames_of(source_path, data, "test")
    except UserError as error:
        if data is not None:
            raise
        print(f"note: measuring against the teacher alone, for want of photographs\n{error}")
        frames = None
    if frames is not None:
        chosen = spread(frames, config.eval_views)
        return [photographed(source, frame, config.size) for frame in chosen]
    try:
        return [imagined(source, number, size) for number in range(config.eval_views)]
    except UserError as error:
        print(f"note: nothing to measure on while training\n{error}")
        return []


@contextmanager
def _threads(config: TrainConfig) -> Iterator[None]:
    """Leave the pool's thread half of the CPU threads, unless told otherwise."""
    before = torch.get_num_threads()
    shared = before if config.steps is not None else max(1, before // 2)
    torch.set_num_threads(config.threads or shared)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _progress_bar(distiller: Distiller, world: World) -> tqdm:
    config, idle = distiller.config, not world.first
    if config.steps is not None:
        return tqdm(
            total=config.steps, initial=distiller.step, desc="student", unit="step", disable=idle
        )
    layout = "{l_bar}{bar}| {elapsed}<{remaining}{postfix}"
    total, done = 60 * config.minutes, min(distiller.seconds, 60 * config.minutes)
    return tqdm(
        total=total, initial=done, desc="student", unit="s", bar_format=layout, disable=idle
    )


def _advance(bar: tqdm, distiller: Distiller, text: str) -> None:
    done = distiller.step if distiller.config.steps is not None else distiller.seconds
    rate = distiller.step / max(1e-9, distiller.seconds)
    bar.set_postfix_str(f"{rate:.1f} step/s, {text}", refresh=False)
    bar.update(min(done, bar.total) - bar.n)
