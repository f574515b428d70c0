"""Learning curves as an SVG file, and their slope: no plotting library is worth a dependency here."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 150, 24, 44
COLOURS = ("#0b62a4", "#c4501b", "#2c8a4b", "#7a4fa3", "#555555")

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
    """The curves as an SVG document, each named at its end."""
    points = [point for curve in curves.values() for point in curve]
    right = max(1, round(max(x for x, _ in points)))  # a budget of 15 minutes ends at 14.98
    low, high = min(y for _, y in points), max(y for _, y in points)
    low, high = 2 * (low // 2), 2 * (high // 2 + 1)
    across, down = (WIDTH - LEFT - RIGHT) / right, (HEIGHT - TOP - BOTTOM) / (high - low)

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + x * across, TOP + (high - y) * down

    parts = [_text(LEFT, 15, title)]
    for level in _levels(low, high):
        x, y = place(0, level)
        parts.append(f'<path d="M{x:.1f} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(_text(x - 6, y + 4, f"{level:g}", "end"))
    for minute in range(0, right + 1, max(1, right // 5)):
        x, y = place(minute, low)
        parts.append(_text(x, y + 18, f"{minute}", "middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "minutes", "middle"))
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [place(x, y) for x, y in curve]
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x, y = places[-1]
        parts.append(_text(x + 6, y + 4, f"{name} {curve[-1][1]:.1f} dB", fill=colour))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
    )
    return "\n".join([head, *parts, "</svg>"]) + "\n"


def _levels(low: float, high: float) -> list[float]:
    step = 2 if high - low <= 16 else 5
    return [level for level in range(int(low), int(high) + 1) if level % step == 0]


def _text(x: float, y: float, text: str, anchor: str = "start", fill: str = "#333") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{escape(text)}</text>'
    )
