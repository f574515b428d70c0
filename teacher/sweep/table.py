"""All rows of a sweep as results.csv, and their mean and deviation over seeds as table.md.

Deviations are of the sample (n - 1); one seed has none, and none is printed.
"""

import csv
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from teacher.files import replacing
from teacher.sweep.cells import COLUMNS, KEY, Row, read_row

_DIGITS = {"psnr": 2, "ssim": 4, "ms_ssim": 4, "flip": 4, "lpips": 4}


class Spread(NamedTuple):
    """Mean and deviation of a figure over seeds."""

    mean: float
    deviation: float | None
    """None: there is one seed only."""
    n: int

    def text(self, digits: int, sign: str = "") -> str:
        """As a table has it."""
        mean = f"{self.mean:{sign}.{digits}f}"
        return mean if self.deviation is None else f"{mean} ± {self.deviation:.{digits}f}"


def spread_of(values: Sequence[float]) -> Spread:
    """Mean and sample deviation of at least one value."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return Spread(statistics.fmean(values), deviation, len(values))


@dataclass(frozen=True)
class Group:
    """Rows that differ in their seed alone, without those that failed."""

    preset: str
    frames: int
    steps: int
    rows: tuple[Row, ...]

    def spread(self, column: str) -> Spread | None:
        """Mean and deviation of a column; None where it holds no numbers."""
        found = [row.get(column) for row in self.rows]
        values = [float(value) for value in found if isinstance(value, int | float)]
        return spread_of(values) if values else None

    def gain(self) -> Spread:
        """By how many dB the weights that were kept are better than the last step's."""
        return spread_of([row["psnr"] - row["last_psnr"] for row in self.rows])


def read_rows(output: Path) -> list[Row]:
    """The rows of all cells in the folder `output`, of whichever grid, in the order of their keys."""
    rows = [read_row(path.parent) for path in output.glob("*/row.json")]
    return sorted((row for row in rows if row), key=lambda row: [row[key] for key in KEY])


def grouped(rows: Sequence[Row]) -> list[Group]:
    """Rows by preset, frames and steps."""
    groups: dict[tuple[str, int, int], list[Row]] = {}
    for row in rows:
        if not row["error"]:
            groups.setdefault((row["preset"], row["frames"], row["steps"]), []).append(row)
    return [Group(*key, tuple(found)) for key, found in sorted(groups.items())]


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """One line per cell."""
    with replacing(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def markdown(rows: Sequence[Row], keep: str) -> str:
    """The table of means, what its figures are of, and the cells that failed."""
    groups = grouped(rows)
    parts = [_head(groups, keep), _table(groups)] if groups else ["No cell is finished."]
    failed = [row for row in rows if row["error"]]
    if failed:
        parts.append("\n".join(["Failed:", "", *map(_failure, failed)]))
    return "\n\n".join(parts) + "\n"


def _head(groups: Sequence[Group], keep: str) -> str:
    row = groups[0].rows[0]
    rows = [row for group in groups for row in group.rows]
    devices = sorted({f"{row['device']} (torch threads: {row['threads']})" for row in rows})
    kept = "weights of the last step"
    if keep == "best":
        kept = "the best weights, chosen by views that are not among these"
    return (
        f"Mean ± standard deviation over n seeds. {row['views']} views of the {row['split']} split at "
        f"{row['width']}×{row['height']} on {row['background']}, {kept}; training seconds and rays/s on "
        f"{'; '.join(devices)}."
    )


def _table(groups: Sequence[Group]) -> str:
    metrics = [name for name in _DIGITS if any(group.spread(name) for group in groups)]
    titles = [name.upper().replace("_", "-") for name in metrics]
    head = ["preset", "frames", "steps", "n", *titles, "kept − last, dB", "best step", "seconds"]
    lines = [[*head, "rays/s"], ["---"] + ["---:"] * len(head)]
    return "\n".join(
        f"| {' | '.join(line)} |" for line in lines + [_line(g, metrics) for g in groups]
    )


def _line(group: Group, metrics: Sequence[str]) -> list[str]:
    figures = [_text(group.spread(name), _DIGITS[name]) for name in metrics]
    costs = [
        _text(group.spread(name), 0)
        for name in ("best_step", "training_seconds", "rays_per_second")
    ]
    what = [f"`{group.preset}`", str(group.frames), str(group.steps), str(len(group.rows))]
    return [*what, *figures, group.gain().text(2, "+"), *costs]


def _text(spread: Spread | None, digits: int) -> str:
    return "–" if spread is None else spread.text(digits)


def _failure(row: Row) -> str:
    cell = ", ".join(f"{key} {row[key]}" for key in KEY)
    return f"- {cell}: {row['error']}"
