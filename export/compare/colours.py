"""Colours for numbers: ramps whose lightness grows evenly, so that equal steps of a value look like equal steps.

They are drawn in OKLab (Björn Ottosson 2020), a space in which distances are about as large as they look, from a
lightness that is linear in the value, and hue and strength at a few places between.
"""

from functools import cache

import numpy as np
from jaxtyping import Float, UInt8

Table = UInt8[np.ndarray, "256 3"]

_LMS = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
# value in [0, 1]: lightness, strength (chroma), hue in degrees
_RAMPS: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    "error": (  # black, violet, red, orange, pale yellow: nothing wrong is dark
        (0.0, 0.0, 0.0, 300.0),
        (0.25, 0.245, 0.13, 310.0),
        (0.5, 0.49, 0.19, 370.0),
        (0.75, 0.735, 0.165, 415.0),
        (1.0, 0.98, 0.06, 470.0),
    ),
    "depth": (  # deep blue, teal, green, yellow: near is dark
        (0.0, 0.25, 0.12, 280.0),
        (0.35, 0.49, 0.10, 235.0),
        (0.7, 0.73, 0.14, 150.0),
        (1.0, 0.94, 0.15, 105.0),
    ),
    "below": ((0.0, 0.45, 0.2, 262.0), (1.0, 0.97, 0.0, 262.0)),
    "above": ((0.0, 0.97, 0.0, 27.0), (1.0, 0.45, 0.2, 27.0)),
}


@cache
def table(ramp: str) -> Table:
    """256 sRGB colours of "error", "depth" or "signed" (blue, white at the middle, red)."""
    if ramp == "signed":
        return np.concatenate([_colours("below", 128), _colours("above", 128)])
    return _colours(ramp, 256)


def coloured(values: Float[np.ndarray, "*shape"], ramp: str) -> UInt8[np.ndarray, "*shape 3"]:
    """Values in [0, 1] as colours; what is outside gets the first or the last."""
    place = np.clip(np.nan_to_num(values) * 255 + 0.5, 0, 255).astype(np.uint8)
    return table(ramp)[place]


def _colours(ramp: str, count: int) -> UInt8[np.ndarray, "count 3"]:
    at, lightness, chroma, hue = np.array(_RAMPS[ramp]).T
    x = np.linspace(0, 1, count)
    turn = np.radians(np.interp(x, at, hue))
    strength = np.interp(x, at, chroma)
    lab = np.stack([np.interp(x, at, lightness), strength * np.cos(turn), strength * np.sin(turn)])
    light = np.clip(_RGB @ (_LMS @ lab) ** 3, 0, 1)
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * srgb.T).astype(np.uint8)
