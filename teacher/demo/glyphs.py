"""A stroke font for the printed box: glyphs are pen paths, and text is the set of points near them.

Drawing our own letters keeps the scene the same wherever it is rendered: font files, and the
libraries that rasterise them, differ from machine to machine. A glyph's em box is 1 high; x runs
right, y up.
"""

import math
from itertools import pairwise

import numpy as np
from jaxtyping import Float

Stroke = tuple[tuple[float, float], ...]

_ADVANCE = 0.24  # gap between glyphs, in ems
_ARC_STEP = math.radians(15)


def _arc(x: float, y: float, rx: float, ry: float, start: float, stop: float) -> Stroke:
    """Points of an ellipse around (x, y), from `start` to `stop` degrees, +y being 90."""
    a, b = math.radians(start), math.radians(stop)
    steps = max(2, math.ceil(abs(b - a) / _ARC_STEP))
    angles = [a + (b - a) * k / steps for k in range(steps + 1)]
    return tuple((x + rx * math.cos(t), y + ry * math.sin(t)) for t in angles)


def _bowl(low: float, high: float, width: float) -> Stroke:
    """A half ring open to the left, as in P, from (0, high) round to (0, low)."""
    r = 0.5 * (high - low)
    return ((0.0, high), *_arc(width - r, low + r, r, r, 90.0, -90.0), (0.0, low))


GLYPHS: dict[str, tuple[Stroke, ...]] = {
    "A": (((0.0, 0.0), (0.35, 1.0), (0.7, 0.0)), ((0.13, 0.36), (0.57, 0.36))),
    "B": (((0.0, 0.0), (0.0, 1.0)), _bowl(0.53, 1.0, 0.5), _bowl(0.0, 0.53, 0.58)),
    "E": (((0.5, 1.0), (0.0, 1.0), (0.0, 0.0), (0.5, 0.0)), ((0.0, 0.52), (0.42, 0.52))),
    "F": (((0.5, 1.0), (0.0, 1.0), (0.0, 0.0)), ((0.0, 0.52), (0.42, 0.52))),
    "G": ((*_arc(0.4, 0.5, 0.4, 0.5, 48.0, 320.0), (0.72, 0.45), (0.45, 0.45)),),
    "L": (((0.0, 1.0), (0.0, 0.0), (0.5, 0.0)),),
    "N": (((0.0, 0.0), (0.0, 1.0), (0.6, 0.0), (0.6, 1.0)),),
    "O": (_arc(0.4, 0.5, 0.4, 0.5, 0.0, 360.0),),
    "P": (((0.0, 0.0), (0.0, 1.0)), _bowl(0.45, 1.0, 0.56)),
    "R": (((0.0, 0.0), (0.0, 1.0)), _bowl(0.45, 1.0, 0.56), ((0.28, 0.45), (0.58, 0.0))),
    "U": (((0.0, 1.0), *_arc(0.3, 0.3, 0.3, 0.3, 180.0, 360.0), (0.6, 1.0)),),
    "W": (((0.0, 1.0), (0.22, 0.0), (0.45, 0.8), (0.68, 0.0), (0.9, 1.0)),),
    "X": (((0.0, 0.0), (0.6, 1.0)), ((0.0, 1.0), (0.6, 0.0))),
    "Y": (((0.0, 1.0), (0.32, 0.48), (0.64, 1.0)), ((0.32, 0.48), (0.32, 0.0))),
    "e": (((0.02, 0.32), (0.5, 0.32), *_arc(0.26, 0.3, 0.25, 0.3, 4.0, 310.0)),),
    "0": (_arc(0.31, 0.5, 0.31, 0.5, 0.0, 360.0),),
    "3": (
        _arc(0.27, 0.75, 0.25, 0.25, 150.0, -90.0),
        _arc(0.27, 0.26, 0.28, 0.26, 90.0, -150.0),
    ),
    "6": (_arc(0.29, 0.3, 0.29, 0.3, 0.0, 360.0), _arc(0.58, 0.42, 0.58, 0.58, 90.0, 190.0)),
}


def text_strokes(text: str) -> tuple[list[Stroke], float]:
    """The strokes of `text` set on one line from x = 0, and its width, in ems."""
    strokes: list[Stroke] = []
    x = 0.0
    for character in text:
        glyph = GLYPHS[character]
        strokes += [tuple((x + u, v) for u, v in stroke) for stroke in glyph]
        x += max(u for stroke in glyph for u, _ in stroke) + _ADVANCE
    return strokes, x - _ADVANCE


def text_width(text: str) -> float:
    """Width of `text`, in ems."""
    return text_strokes(text)[1]


def distance_to_stroke(
    x: Float[np.ndarray, "*grid"], y: Float[np.ndarray, "*grid"], stroke: Stroke
) -> Float[np.ndarray, "*grid"]:
    """Distance of the points (x, y) from a polyline."""
    nearest = np.full_like(x, np.inf)
    for (x0, y0), (x1, y1) in pairwise(stroke):
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        nearest = np.minimum(nearest, np.hypot(x - x0 - along * dx, y - y0 - along * dy))
    return nearest


def text_distance(
    x: Float[np.ndarray, "*grid"], y: Float[np.ndarray, "*grid"], text: str
) -> Float[np.ndarray, "*grid"]:
    """Distance of the points (x, y) from the pen's path of `text`, centred on x = 0, in ems."""
    strokes, width = text_strokes(text)
    distances = [distance_to_stroke(x + 0.5 * width, y, stroke) for stroke in strokes]
    return np.minimum.reduce(distances)
