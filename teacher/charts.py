"""Line and scatter charts as SVG text or a PNG file: one look for sweeps, reports and studies.

    Series ... --chart--> matplotlib Figure --to_svg--> text for an HTML page
                                            --write_chart--> .svg or .png, atomically

matplotlib is imported by the functions: a machine that only trains does without its half second.
"""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teacher.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes as SubAxes
    from matplotlib.figure import Figure

COLOURS = ("#0b62a4", "#c4501b", "#2c8a4b", "#7a4fa3", "#555555", "#b8860b")
"""Told apart by people who see fewer colours, on white."""
_NAMED = 10


@dataclass(frozen=True)
class Series:
    """Points of one name and colour."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    spread: tuple[float, ...] | None = None
    """Standard deviation of each y, drawn as a bar; None: none is drawn."""
    labels: tuple[str, ...] | None = None
    """A word beside each point."""
    joined: bool = True
    """Whether a line joins the points, in order."""


@dataclass(frozen=True)
class Axes:
    """What a chart says around its series."""

    x: str
    y: str
    title: str = ""
    log_x: bool = False


def chart(series: Sequence[Series], axes: Axes) -> "Figure":
    """The chart of `series`; no series makes an empty one that says so."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    area = figure.add_subplot()
    for number, one in enumerate(series):
        colour, line = COLOURS[number % len(COLOURS)], "-" if one.joined else "none"
        marker = "o" if len(one.x) <= 30 or not one.joined else ""
        area.errorbar(
            *(one.x, one.y, one.spread),
            **{"label": str(number), "color": colour, "linestyle": line, "marker": marker},
            **{"markersize": 4, "capsize": 3, "linewidth": 1.6},
        )
        for x, y, label in zip(one.x, one.y, one.labels or (), strict=False):
            near = {"xytext": (5, 4), "textcoords": "offset points", "fontsize": 8}
            area.annotate(label, (x, y), **near, parse_math=False)
    if not series:
        area.text(0.5, 0.5, "nothing to draw", ha="center", transform=area.transAxes)
    area.set(xlabel=axes.x, ylabel=axes.y, title=axes.title)
    if axes.log_x:
        _log_x(area, sorted({x for one in series for x in one.x}))
    area.grid(color="#dddddd", linewidth=0.6)
    area.set_axisbelow(True)
    area.spines[["top", "right"]].set_visible(False)
    if series:
        legend = area.legend(fontsize=8, frameon=False)
        for text, one in zip(legend.get_texts(), series, strict=True):
            text.set_parse_math(False)  # names are folders': "_x" would be hidden, "$x$" a formula
            text.set_text(one.name)
    return figure


def _log_x(area: "SubAxes", places: Sequence[float]) -> None:
    """A logarithmic axis that names few values themselves: nobody reads 5 between two powers of ten."""
    area.set_xscale("log")
    if 0 < len(places) <= _NAMED:
        area.set_xticks(places, [f"{x:g}" for x in places])
        area.set_xticks([], minor=True)


def to_svg(figure: "Figure") -> str:
    """The `<svg>` element alone, with text as text; the same chart always gives the same bytes."""
    import matplotlib

    buffer = io.StringIO()
    with (
        matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "pocketfield"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's own fonts draw the text
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def write_chart(path: Path, figure: "Figure") -> None:
    """Write `figure` as its suffix says (.svg or .png)."""
    with replacing(path) as partial:
        if path.suffix == ".svg":
            partial.write_text(to_svg(figure))
        else:
            figure.savefig(partial, format=path.suffix[1:], dpi=150)
