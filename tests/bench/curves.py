"""Learning curves as an SVG file, and their slope."""

from collections.abc import Mapping, Sequence

from teacher.charts import Axes, Series, chart, to_svg

Curve = Sequence[tuple[float, float]]
"""(minutes, dB), in order."""


def slope(curve: Curve, part: float = 1 / 3) -> float:
    """dB per minute over the last `part` of a curve's time: the least-squares line's.

    Raises:
        ValueError: fewer than two points lie there.
    """
    start = curve[-1][0] * (1 - part)
    last = [(x, y) for x, y in curve if x >= start - 1e-9]
    if len(last) < 2:
        raise ValueError(f"{len(last)} points in the last {part:.0%} of the curve; two are needed")
    x_mean, y_mean = (sum(values) / len(last) for values in zip(*last, strict=True))
    above = sum((x - x_mean) * (y - y_mean) for x, y in last)
    return above / sum((x - x_mean) ** 2 for x, _ in last)


def figure(curves: Mapping[str, Curve], title: str) -> str:
    """The curves as an SVG document, each named with where it ends."""
    series = []
    for name, curve in curves.items():
        minutes, decibels = (tuple(map(float, values)) for values in zip(*curve, strict=True))
        series.append(Series(f"{name} {curve[-1][1]:.1f} dB", minutes, decibels))
    return to_svg(chart(series, Axes("minutes", "dB", title))) + "\n"
