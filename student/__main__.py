"""`python -m student {train,eval}`: the second stage's command line."""

import dataclasses
import difflib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Union

import tyro

from student.presets import PRESETS, TrainConfig
from teacher.errors import UserError, exit_on_user_error
from teacher.presets import DataConfig

Background = Literal["white", "black"]


_TrainArgument = Annotated[TrainConfig, tyro.conf.arg(name="")]


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
    train: _TrainArgument

    def run(self) -> None:
        """Train."""
        from student.train import train

        data = _data(self.data, self.downscale)
        train(self.preset, self.train, self.teacher, self.output, data)


@dataclass(frozen=True)
class Eval:
    """Measure a student on held-out views, against photographs and against its teacher; writes
    eval/.
    """

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


def _train_command(name: str) -> Any:
    """`train NAME`: `Train` with the preset's values as defaults."""
    description, preset = PRESETS[name]
    field = ("train", _TrainArgument, dataclasses.field(default=preset))
    kind = dataclasses.make_dataclass(
        name, [field], bases=(Train,), namespace={"preset": name}, frozen=True, kw_only=True
    )
    subcommand = tyro.conf.subcommand(name, description=description, prefix_name=False)
    return Annotated[kind, subcommand]


def _check_preset(arguments: Sequence[str]) -> None:
    """Name the presets in our own words: the parser's message for this is hard to read."""
    if len(arguments) < 2 or arguments[0] != "train":
        return
    name = arguments[1]
    if name in PRESETS or name.startswith("-"):
        return
    close = difflib.get_close_matches(name, PRESETS, 1)
    remedy = (
        f"did you mean {close[0]!r}?" if close else "`python -m student train --help` says more"
    )
    raise UserError("preset", repr(name), f"one of {', '.join(PRESETS)}", remedy)


def main() -> None:
    """Parse the command line and run its verb."""
    _check_preset(sys.argv[1:])
    train = tyro.conf.subcommand("train", description=Train.__doc__, prefix_name=False)
    evaluation = tyro.conf.subcommand("eval", prefix_name=False)
    presets = Union[tuple(_train_command(name) for name in PRESETS)]  # noqa: UP007 - at run time
    verbs: Any = Union[Annotated[presets, train], Annotated[Eval, evaluation]]  # noqa: UP007
    tyro.cli(
        verbs,
        prog="python -m student",
        config=(tyro.conf.AvoidSubcommands,),
    ).run()


if __name__ == "__main__":
    exit_on_user_error(main)
