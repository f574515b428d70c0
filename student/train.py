"""Distillation: a source of views in, a run folder with a light-field network out.

    open_source -> ViewPool (renders, in the background) -> Distiller.train_step -> checkpoints, log
                                                            held-out views       -> log

The budget is wall time, the teacher's rendering included (`minutes`), or a number of steps. With
steps, views are rendered between steps, at the same places in every run: a killed and resumed run
equals an uninterrupted one bit for bit (on a CPU, with the same number of threads).
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from student.budget import count_budget
from student.checkpoint import SourceDescription, describe_source
from student.distiller import Distiller
from student.held_out import HeldOut, frames_of, imagined, measure_psnr, photographed, spread
from student.presets import TrainConfig
from student.render import StudentRenderer
from teacher import checkpoint
from teacher.config import from_plain, to_plain
from teacher.errors import UserError
from teacher.files import read_json, write_json
from teacher.presets import DataConfig
from teacher.pseudo.pool import PoolState, ViewPool
from teacher.pseudo.source import Source, open_source

WHITE = 1.0


def train(
    preset: str, config: TrainConfig, source_path: str, output: Path, data: DataConfig | None = None
) -> None:
    """Distil the source of views at `source_path` into the run folder `output`, or go on with it.

    Args:
        preset: name under which the configuration is known downstream.
        config: everything that the result depends on.
        source_path: a teacher's run folder, "demo", or a folder of stored views.
        output: run folder.
        data: photographs to measure against; None: those that the teacher was trained on.

    Raises:
        UserError: the source cannot be used, or `output` holds a run with other settings or of
            another teacher.
    """
    source = open_source(source_path)
    size = picture_size(source, config)
    checkpoint.claim_run(output, to_plain({"preset": preset, "train": config}))
    _claim_source(output, describe_source(source, source_path, size))
    if checkpoint.is_complete(output):
        print(f"{output}: already trained")
        return
    with _threads(config):
        run = _Run(output, Distiller(config, source.aabb, _device()))
        print(f"{preset}: {count_budget(run.distiller.model, size)}")
        views = _held_out(source, source_path, data, config, size)
        with run.open_pool(source, size) as pool, deferred_interrupt() as interrupted:
            run.go_on(pool, views, interrupted)
        if interrupted():
            raise KeyboardInterrupt


class _Run:
    """A distillation and its run folder."""

    def __init__(self, folder: Path, distiller: Distiller) -> None:
        self.folder, self.distiller, self.config = folder, distiller, distiller.config
        self.log = checkpoint.Log(folder / "log.jsonl")
        self.pool_state = PoolState()
        self._resume()
        self.started = time.monotonic() - distiller.seconds

    def _resume(self) -> None:
        path = self.folder / "training.safetensors"
        if path.exists():
            tensors, numbers = checkpoint.load_tensors(
                path, "checkpoint", "delete it to start anew"
            )
            self.distiller.load(tensors, numbers)
            self.pool_state = PoolState(**numbers["pool"])
            print(f"resuming {self.folder} at step {self.distiller.step}")
        self.log.rewind(self.distiller.step)

    def open_pool(self, source: Source, size: tuple[int, int]) -> ViewPool:
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
        )

    def go_on(self, pool: ViewPool, views: list[HeldOut], interrupted: Callable[[], bool]) -> None:
        """Train until the budget is used up or `interrupted`; save now and then, and at the end."""
        distiller, saved = self.distiller, time.monotonic()
        pool.wait(min(self.config.pool.first, self.config.pool.capacity))
        with _progress_bar(distiller) as bar:
            while distiller.fraction < 1 and not interrupted():
                before = distiller.fraction
                row = distiller.train_step(pool)
                distiller.seconds = time.monotonic() - self.started
                self._log(row, pool, bar)
                if self._due(before):
                    self._measure(views)
                if time.monotonic() - saved > self.config.save_seconds:
                    self.save(pool)
                    saved = time.monotonic()
        self.save(pool)

    def _log(self, row: dict[str, float], pool: ViewPool, bar: tqdm) -> None:
        distiller = self.distiller
        if distiller.step % self.config.log_every == 0 or distiller.fraction >= 1:
            self.log.append({**self._now(), **row, "views": pool.state.rendered})
            _advance(bar, distiller, f"{row['psnr']:.2f} dB, {pool.state.rendered} views")

    def _due(self, before: float) -> bool:
        """Whether a measurement lies between the fraction `before` and now; the end is one."""
        points = self.config.eval_points
        return int(before * points) < int(min(1.0, self.distiller.fraction) * points)

    def _measure(self, views: list[HeldOut]) -> None:
        found = measure_psnr(StudentRenderer(self.distiller.student()), views, WHITE)
        self.log.append({**self._now(), **{f"test_psnr_{k}": v for k, v in found.items()}})

    def _now(self) -> dict[str, int | float]:
        return {"step": self.distiller.step, "seconds": round(self.distiller.seconds, 2)}

    def save(self, pool: ViewPool) -> None:
        """Write a checkpoint: first what resuming needs, then what everybody else reads."""
        tensors, numbers = self.distiller.state()
        numbers = {**numbers, "pool": asdict(pool.state)}
        checkpoint.save_tensors(self.folder / "training.safetensors", tensors, numbers)
        averaged = self.distiller.optimiser.averaged()
        checkpoint.save_tensors(self.folder / "model.safetensors", averaged, {})
        complete = self.distiller.fraction >= 1
        write_json(self.folder / "progress.json", {**numbers, "complete": complete})


def picture_size(source: Source, config: TrainConfig) -> tuple[int, int]:
    """(height, width) to train on: the configured one, or the cameras' cut to whole blocks."""
    step, camera = config.model.upsampling, source.cameras[0]
    given = config.size
    size = given or (camera.height // step * step, camera.width // step * step)
    patch = config.patch
    if any(side <= 0 or side % step for side in size):
        thing, what = "--size", f"{given or (camera.height, camera.width)} (height, width)"
    elif patch is not None and (patch <= 0 or patch % step or patch > min(size)):
        thing, what = "--patch", f"{patch} in pictures of {size} (height, width)"
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


def _held_out(
    source: Source,
    source_path: str,
    data: DataConfig | None,
    config: TrainConfig,
    size: tuple[int, int],
) -> list[HeldOut]:
    """Views for the curve in the log: test photographs where there are any."""
    try:
        frames = frames_of(source_path, data, "test")
    except UserError as error:
        if data is not None:
            raise
        print(f"note: measuring against the teacher alone, for want of photographs\n{error}")
        frames = None
    if frames is None:
        return [imagined(source, number, size) for number in range(config.eval_views)]
    return [photographed(source, frame, config.size) for frame in spread(frames, config.eval_views)]


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


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


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C is noted, so that the step at hand is finished and saved; a second one interrupts at
    once.

    Yields a function that says whether it was pressed. Only the main thread gets signals; elsewhere
    nothing changes.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return

    def note(number: int, frame: Any) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _progress_bar(distiller: Distiller) -> tqdm:
    config = distiller.config
    if config.steps is not None:
        return tqdm(total=config.steps, initial=distiller.step, desc="student", unit="step")
    layout = "{l_bar}{bar}| {elapsed}<{remaining}{postfix}"
    total, done = 60 * config.minutes, min(distiller.seconds, 60 * config.minutes)
    return tqdm(total=total, initial=done, desc="student", unit="s", bar_format=layout)


def _advance(bar: tqdm, distiller: Distiller, text: str) -> None:
    done = distiller.step if distiller.config.steps is not None else distiller.seconds
    rate = distiller.step / max(1e-9, distiller.seconds)
    bar.set_postfix_str(f"{rate:.1f} step/s, {text}", refresh=False)
    bar.update(min(done, bar.total) - bar.n)
