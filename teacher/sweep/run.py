"""Going through a sweep's cells, one after the other.

OUTPUT/sweep.json    what all cells have in common; other settings are refused
OUTPUT/<cell>/       a teacher's run folder each, with row.json once it is finished or has failed
OUTPUT/results.csv, table.md, frames.svg, steps.svg (and .png)    written anew after every cell
"""

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from teacher import checkpoint
from teacher.config import to_plain
from teacher.errors import UserError, is_full_disk
from teacher.files import replacing, write_json
from teacher.machine import Machine
from teacher.presets import PRESETS
from teacher.sweep.cells import Row, failed_row, is_finished, run_cell
from teacher.sweep.figure import write_figures
from teacher.sweep.grid import Cell, Grid, Presets, Settings
from teacher.sweep.table import grouped, markdown, read_rows, write_csv
from teacher.train import KINDS

_BAR = "sweep: {desc} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"


@dataclass(frozen=True)
class Sweep:
    """A grid of trainings into the folder `output`; see the module's docstring."""

    settings: Settings
    grid: Grid
    output: Path
    machine: Machine = field(default_factory=Machine)
    save_seconds: float = 30.0
    """Seconds between checkpoints of a cell."""
    known: Presets = field(default_factory=lambda: PRESETS)
    """Presets by name."""

    def run(self) -> list[Row]:
        """Train and evaluate what is not finished yet; the rows of this grid's cells that failed.

        A cell that fails has its reason in the results, and the others go on.

        Raises:
            UserError: the grid, the data or the machine cannot be used, or the folder's sweep has other settings.
            KeyboardInterrupt: a signal ended it early; the same sweep goes on there.
        """
        _refuse_company()
        self.grid.check(self.known)
        self.settings.check()
        self.machine.prepare()
        train = self.settings.all_frames().load().splits["train"]
        cells = self.grid.cells(len(train), self.known)
        self._claim(cells)
        failed = self._work_off([cell for cell in cells if not is_finished(self._folder(cell))])
        rows = self._write()
        title = f"{self.settings.data.resolve().name}: test views on {self.settings.background}"
        write_figures(grouped(rows), self.output, title)
        return failed

    @property
    def table(self) -> str:
        """The means of all cells in the folder, of this grid or others, as Markdown."""
        return (self.output / "table.md").read_text()

    def _write(self) -> list[Row]:
        rows = read_rows(self.output)
        write_csv(rows, self.output / "results.csv")
        with replacing(self.output / "table.md") as partial:
            partial.write_text(markdown(rows, self.settings.keep))
        return rows

    def _folder(self, cell: Cell) -> Path:
        return self.output / cell.name

    def _claim(self, cells: Sequence[Cell]) -> None:
        """Make the folder this sweep's; nothing is begun if any of its runs has other settings."""
        shared, kinds = {"settings": to_plain(self.settings)}, {"settings": Settings}
        known = checkpoint.check_claim(self.output / "sweep.json", shared, kinds)
        for cell in cells:
            data, config = self.settings.configurations(cell, self.save_seconds, self.known)
            plain = to_plain({"data": data, "train": config})
            checkpoint.check_claim(self._folder(cell) / "config.json", plain, KINDS)
        if not known:
            write_json(self.output / "sweep.json", shared)

    def _work_off(self, cells: Sequence[Cell]) -> list[Row]:
        failed, total = [], sum(cell.steps for cell in cells)
        with tqdm(total=total, bar_format=_BAR, disable=not cells) as bar:
            for number, cell in enumerate(cells, 1):
                bar.set_description_str(f"cell {number} of {len(cells)}: {cell}")
                row = self._run_cell(cell)
                if row["error"]:
                    tqdm.write(f"failed: {cell}: {row['error']}", sys.stderr)
                    failed.append(row)
                bar.update(cell.steps)
                self._write()
        return failed

    def _run_cell(self, cell: Cell) -> Row:
        folder, background = self._folder(cell), self.settings.background
        data, config = self.settings.configurations(cell, self.save_seconds, self.known)
        try:
            return run_cell(cell, data, config, background, folder, self.machine)
        except Exception as error:  # whatever it is, the other cells may take hours and be fine
            if isinstance(error, OSError) and is_full_disk(error):
                raise  # they will not be
            if not isinstance(error, UserError):
                with replacing(folder / "error.txt") as partial:
                    partial.write_text(traceback.format_exc())
            return failed_row(cell, error, folder)


def _refuse_company() -> None:
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes > 1:
        remedy = "start it without torchrun, or train single cells with `torchrun -m teacher train`"
        raise UserError("a sweep under torchrun", f"{processes} processes", "one", remedy)
