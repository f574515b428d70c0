"""`python -m student {train,eval,budget}`: the second stage's command line.

`torchrun --nproc_per_node N -m student train …` trains with N processes, one a GPU, each with its
own views.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from student.presets import PRESETS, TrainConfig
from teacher.cli import run_command_line
from teacher.errors import exit_on_user_error
from teacher.machine import Device
from teacher.presets import DataConfig

Background = Literal["white", "black"]


@dataclass(frozen=True, kw_only=True)
class Train:
    """Distil a teacher into a light-field network; the same command resumes an interrupted run."""

    preset: ClassVar[str]
    teacher: str
    """Where views come from: a teacher's run folder, "demo", or a folder of stored views."""
    output: Path
    """Run folder to write."""
    data: Path | None = None
    """Photographs to measure against; by default those that the teacher was trained on."""
    downscale: int = 1
    """Whole number by which the photographs of --data are shrunk."""
    train: Annotated[TrainConfig, tyro.conf.arg(name="")]
    device: Device = "auto"
    """Where to train; auto: the GPU, if there is one. No part of the run's settings."""

    def run(self) -> None:
        """Train."""
        from student.train import train

        data = _data(self.data, self.downscale)
        train(self.preset, self.train, self.teacher, self.output, data, self.device)


@dataclass(frozen=True)
class Eval:
    """Measure a student on held-out views; writes eval/ into its run folder."""

    run_folder: Annotated[Path, tyro.conf.arg(name="run")]
    """Run folder of the student."""
    data: Path | None = None
    """Photographs to measure against; by default those that the teacher was trained on."""
    downscale: int = 1
    """Whole number by which the photographs of --data are shrunk."""
    split: str = "test"
    """Split of the photographs to measure on."""
    background: Background = "white"
    """What transparent pixels are put over."""

    def run(self) -> None:
        """Measure and print the means."""
        from student.evaluate import evaluate

        data = _data(self.data, self.downscale)
        metrics = evaluate(self.run_folder, self.split, self.background, data)
        print(json.dumps({k: v for k, v in metrics.items() if k != "per_view"}, indent=2))


@dataclass(frozen=True)
class Budget:
    """Print what presets cost per frame: parameters, operations and memory traffic."""

    presets: tyro.conf.Positional[tuple[str, ...]] = ()
    """Which; by default all."""
    size: tuple[int, int] | None = None
    """(height, width) of the picture; by default 128, 400 and 800 pixels a side."""

    def run(self) -> None:
        """Count and print."""
        from student.budget import SIDES, budget_table

        sizes = [(side, side) for side in SIDES] if self.size is None else [self.size]
        print(budget_table(self.presets, sizes))


def _data(path: Path | None, downscale: int) -> DataConfig | None:
    return None if path is None else DataConfig(path, downscale)


def main() -> None:
    """Parse the command line and run its verb."""
    run_command_line("python -m student", Train, PRESETS, (Eval, Budget))


if __name__ == "__main__":
    exit_on_user_error(main)
