"""PSNR against training pictures and against steps, with the deviation over seeds as bars."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from teacher.charts import Axes, Series, chart, write_chart
from teacher.sweep.table import Group

Against = Literal["frames", "steps"]
_AXES: dict[Against, str] = {"frames": "training pictures", "steps": "training steps"}


def write_figures(groups: Sequence[Group], output: Path, title: str) -> list[Path]:
    """Write frames.svg, frames.png, steps.svg and steps.png, those that have something to compare.

    Args:
        groups: rows by preset, frames and steps.
        output: folder to write to.
        title: of both.
    """
    written = []
    for against, name in _AXES.items():
        if len({getattr(group, against) for group in groups}) < 2:
            continue
        figure = chart(lines(groups, against), Axes(name, "PSNR, dB", title, log_x=True))
        for suffix in (".svg", ".png"):
            write_chart(output / f"{against}{suffix}", figure)
            written.append(output / f"{against}{suffix}")
    return written


def lines(groups: Sequence[Group], against: Against) -> list[Series]:
    """A line for each preset and value of the other axis, which is named where it has several."""
    other: Against = "steps" if against == "frames" else "frames"
    several = len({getattr(group, other) for group in groups}) > 1
    by_line: dict[tuple[str, int], list[Group]] = {}
    for group in groups:
        by_line.setdefault((group.preset, getattr(group, other)), []).append(group)
    return [
        _series(f"{preset}, {value} {other}" if several else preset, along, against)
        for (preset, value), along in sorted(by_line.items())
    ]


def _series(name: str, groups: Sequence[Group], against: Against) -> Series:
    ordered = sorted(groups, key=lambda group: getattr(group, against))
    found = [spread for group in ordered if (spread := group.spread("psnr"))]
    deviations = tuple(spread.deviation or 0.0 for spread in found)
    bars = None if all(spread.deviation is None for spread in found) else deviations
    places = tuple(float(getattr(group, against)) for group in ordered)
    return Series(name, places, tuple(spread.mean for spread in found), bars)
