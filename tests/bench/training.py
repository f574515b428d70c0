"""Timing training: blocks of steps of two trainers in turn, and what is learned in a given time."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from teacher.model import Teacher, describe_scene
from teacher.outcome import Numbers
from teacher.presets import TrainConfig
from teacher.scene import Frame, Scene
from teacher.trainer import READ_EVERY, Trainer

BLOCK = READ_EVERY
"""Steps of a block: each holds as many updates of the occupancy grid as any other."""


@dataclass(frozen=True)
class Block:
    """A few training steps."""

    step: int
    """The first one's number."""
    wall: float
    """Seconds."""
    cpu: float
    """Seconds of all threads of this process together."""
    rays: tuple[int, ...]
    """Rays of each step."""
    numbers: tuple[Numbers, ...]
    """What each step found."""

    @property
    def samples(self) -> int:
        """Samples composited."""
        return sum(numbers.samples for numbers in self.numbers)

    @property
    def candidates(self) -> int:
        """Places whose density decided which samples to composite."""
        return sum(numbers.candidates for numbers in self.numbers)


def run_block(trainer: Trainer, steps: int = BLOCK, rays: Sequence[int] = ()) -> Block:
    """Take `steps` steps, with the numbers of `rays` if they are given; waits for the device before and after."""
    first, used, outcomes = trainer.step, [], []
    wait(trainer.device)
    cpu, wall = time.process_time(), time.perf_counter()
    for k in range(steps):
        trainer.rays = rays[k] if rays else trainer.rays
        used.append(trainer.rays)
        outcomes.append(trainer.train_step())
    wait(trainer.device)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Block(first, wall, cpu, tuple(used), tuple(outcome.read() for outcome in outcomes))


def wait(device: torch.device) -> None:
    """Return when the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@dataclass(frozen=True)
class Pair:
    """The same block, on the same rays and from the same weights, by the product and by a peer."""

    ours: Block
    peer: Block

    @property
    def speedup(self) -> float:
        """How many times faster the product's is."""
        return self.peer.wall / self.ours.wall


def alternate(
    ours: Trainer,
    peer: Trainer,
    follow: Callable[[Trainer, Trainer], None],
    stages: Sequence[int],
    pairs: int = 2,
) -> Iterator[Pair | Block]:
    """Train `ours` to the last stage; at each, a peer that `follow`s it takes the same steps in turn.

    Yields the pairs, and the blocks of `ours` alone between stages.
    """
    for stage in stages:
        while ours.step < stage:
            yield run_block(ours, min(BLOCK, stage - ours.step))
        for _ in range(pairs):
            follow(peer, ours)
            block = run_block(ours)
            yield Pair(block, run_block(peer, len(block.rays), block.rays))


def finish(trainer: Trainer) -> Iterator[Block]:
    """Train to the end of its schedule."""
    while trainer.step < trainer.config.steps:
        yield run_block(trainer, min(BLOCK, trainer.config.steps - trainer.step))


@dataclass(frozen=True)
class Learned:
    """What a training came to."""

    seconds: float
    steps: int
    psnr: float
    """Mean over the views measured."""


class Trainable(Protocol):
    """What can be trained against the clock."""

    device: torch.device
    step: int
    runs_ahead: bool
    """Whether steps are only queued, and the device is waited for every `READ_EVERY` of them."""

    def train_step(self) -> object:
        """Take a step."""
        ...


def train_for(trainer: Trainable, seconds: float, plan: Callable[[int], None]) -> tuple[float, int]:
    """Train a new trainer for `seconds`, on a schedule that ends with them; returns seconds and steps taken.

    Nobody knows beforehand how many steps that will be: at every look at the clock, `plan` is told how many it will
    have been at the rate so far.
    """
    every = READ_EVERY if trainer.runs_ahead else 1
    wait(trainer.device)
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        if trainer.step and trainer.step % every == 0:
            plan(max(trainer.step + 1, round(trainer.step * seconds / elapsed)))
        trainer.train_step()
    wait(trainer.device)
    return time.perf_counter() - start, trainer.step


def planner(trainer: Trainer) -> Callable[[int], None]:
    """For `train_for`: sets the schedule's length; warm-up is a tenth of it where the preset's would be longer."""
    config = trainer.config

    def plan(steps: int) -> None:
        trainer.config = dataclasses.replace(config, steps=steps)
        warmup = min(config.optimiser.warmup, max(1, steps // 10))
        trainer.optimiser.config = dataclasses.replace(config.optimiser, warmup=warmup)

    return plan


def held_out(trainer: Trainer, scene: Scene, config: TrainConfig, frames: Sequence[Frame]) -> float:
    """Mean PSNR on white of `frames` as the product renders the weights of `trainer`, a peer's too."""
    variant = config.build(scene.aabb, scene.cameras()).to(trainer.device)
    variant.load_state_dict(trainer.variant.state_dict() | trainer.optimiser.averaged())
    return statistics.fmean(Teacher(variant, describe_scene(scene)).psnrs(frames))
