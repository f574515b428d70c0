"""Which trainings a sweep consists of: the cells of a grid, and what they have in common."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from teacher.errors import UserError
from teacher.presets import PRESETS, DataConfig, TrainConfig
from teacher.selection import Keep
from teacher.subset import EVERYTHING, Choice, count_of, read_amount

Presets = Mapping[str, tuple[str, TrainConfig]]
Background = Literal["white", "black"]
Corners = tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class Cell:
    """One training."""

    preset: str
    frames: int
    """Training pictures."""
    steps: int
    seed: int

    @property
    def name(self) -> str:
        """Its folder's."""
        return f"{self.preset}_frames-{self.frames}_steps-{self.steps}_seed-{self.seed}"

    def __str__(self) -> str:
        return f"{self.preset}, {self.frames} frames, {self.steps} steps, seed {self.seed}"


@dataclass(frozen=True)
class Grid:
    """All combinations of these."""

    presets: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    steps: tuple[int, ...] = ()
    """None: each preset's own."""
    train_frames: tuple[str, ...] = (EVERYTHING,)
    """As `DataConfig.train_frames`."""

    def check(self, known: Presets = PRESETS) -> None:
        """Raise UserError for what needs no look at the data to be wrong."""
        for name in self.presets:
            if name not in known:
                raise UserError("--presets", name, f"some of {', '.join(known)}", "choose of these")
        for amount in self.train_frames:
            read_amount(amount)
        for steps in self.steps:
            if steps < 1:
                raise UserError("--steps", str(steps), "whole numbers from 1", "leave it out")
        if not self.presets or not self.seeds or not self.train_frames:
            expected = "at least one preset, one seed and one number of frames"
            raise UserError("the grid", "no cell", expected, "leave out the empty option")

    def cells(self, total: int, known: Presets = PRESETS) -> list[Cell]:
        """The cells for a scene of `total` training pictures, each once.

        One seed after another: a sweep that is cut short has looked at the whole grid, though less often.
        """
        cells = [
            Cell(preset, _frames(amount, total), steps, seed)
            for seed, preset, amount in product(self.seeds, self.presets, self.train_frames)
            for steps in self.steps or (known[preset][1].steps,)
        ]
        return list(dict.fromkeys(cells))


def _frames(amount: str, total: int) -> int:
    """As many as were asked for even if there are not so many: that cell says so, and the others go on."""
    asked = read_amount(amount)
    return asked if isinstance(asked, int) else count_of(amount, total)


@dataclass(frozen=True)
class Settings:
    """What the cells of a sweep have in common, and what makes their figures comparable."""

    data: Path
    """Data set folder or its transforms.json."""
    downscale: int = 1
    """Whole number by which pictures are shrunk when read."""
    aabb: Corners | None = None
    """Lower and upper corner of the box to model, in the data set's units; None: found from the data."""
    splits: Path | None = None
    """JSON file of picture names by split; None: the data set's own splits."""
    choose: Choice = "first_last"
    """Which pictures: the first, the last and evenly between; the middles of equal parts; or around a circle."""
    keep: Keep = "best"
    """Weights to measure: the best on views that are not reported on, or those of the last step."""
    measurements: int = 10
    """How often a training measures itself on held-out views; the best weights are chosen of so many."""
    judges: int = 8
    """Held-out views it measures itself on, at most."""
    background: Background = "white"
    """What transparent pixels are put over."""

    def check(self) -> None:
        """Raise UserError for what needs no look at the data to be wrong."""
        for name, value in (("measurements", self.measurements), ("judges", self.judges)):
            if value < 1:
                expected = "a whole number from 1"
                raise UserError(f"--{name}", str(value), expected, "leave it out")

    def all_frames(self) -> DataConfig:
        """The data of a cell that uses all training pictures."""
        return DataConfig(
            self.data, self.downscale, self.aabb, splits=self.splits, choose=self.choose
        )

    def configurations(
        self, cell: Cell, save_seconds: float, known: Presets = PRESETS
    ) -> tuple[DataConfig, TrainConfig]:
        """What `teacher.train.train` takes for `cell`."""
        config = dataclasses.replace(
            known[cell.preset][1],
            seed=cell.seed,
            steps=cell.steps,
            keep=self.keep,
            eval_every=max(1, -(-cell.steps // self.measurements)),
            eval_views=self.judges,
            save_seconds=save_seconds,
        )
        return dataclasses.replace(self.all_frames(), train_frames=str(cell.frames)), config
