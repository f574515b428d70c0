"""`python -m student {train,eval}`: the second stage's command line."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from student.presets import PRESETS, TrainConfig
from teacher.cli import run_command_line
from teacher.errors import exit_on_user_error
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

    def run(self) -> None:
        """Train."""
        from student.train import train

        data = _data(self.data, self.downscale)
        train(self.preset, self.train, self.teacher, self.output, data)


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


def _data(path: Path | None, downscale: int) -> DataConfig | None:
    return None if path is None else DataConfig(path, downscale)


def main() -> None:
    """Parse the command line and run its verb."""
    run_command_line("python -m student", Train, PRESETS, (Eval,))


if __name__ == "__main__":
    exit_on_user_error(main)
