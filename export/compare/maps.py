"""What is lost where, as pictures: errors, FLIP, depth, alpha, and the bars that say what their colours mean.

    PNG files or uint8 arrays --put over the background, subtract, colour--> uint8 [height, width, 3]
                                                                 ramp, range --> ColourBar

numpy alone: a page shows maps of what is on disk before torch is there. Two pictures must be of one size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from export.compare.colours import coloured
from teacher.flip import flip_error

Picture = Path | UInt8[np.ndarray, "height width _"]
"""RGBA with straight alpha, or RGB: a PNG file or its pixels."""
Mask = Path | Bool[np.ndarray, "height width"] | None
"""Pixels that count, as `ViewRecord.kept` has them; None: all."""
Pixels = UInt8[np.ndarray, "height width 3"]
GAIN = 4.0
"""By how much errors are exaggerated: the last colour is an error of 1 / GAIN."""
DEPTH_UNIT = 1e-4
"""Norm units of one step in a depth picture."""
_BACKGROUNDS = {"white": 1.0, "black": 0.0}
_NOTHING = np.array([236, 236, 236], np.uint8)


@dataclass(frozen=True)
class ColourBar:
    """What the colours of a map mean."""

    pixels: UInt8[np.ndarray, "height width 3"]
    """The colours from left to right."""
    low: float
    """Value of the first colour."""
    high: float
    """Value of the last one; larger values have it too."""
    unit: str
    labels: tuple[tuple[float, str], ...]
    """(fraction of the width, text) of a few values."""
    colours: tuple[tuple[int, int, int], ...]
    """A few of them at equal steps, for those who draw a bar themselves."""


def over(picture: Picture, background: str = "white") -> Float32[np.ndarray, "height width 3"]:
    """The picture over a "white" or "black" background, in [0, 1]."""
    pixels = read(picture).astype(np.float32) / 255
    if pixels.shape[-1] == 3:
        return pixels
    alpha = pixels[..., 3:]
    return pixels[..., :3] * alpha + (1 - alpha) * np.float32(_BACKGROUNDS[background])


def read(picture: Path | np.ndarray) -> np.ndarray:
    """Pixels of a PNG file, whatever its channels and depth; arrays as they are."""
    if isinstance(picture, np.ndarray):
        return picture
    with Image.open(picture) as image:
        return np.asarray(image)


def error_map(
    a: Picture,
    b: Picture,
    background: str = "white",
    gain: float = GAIN,
    *,
    signed: bool = False,
    kept: Mask = None,
) -> Pixels:
    """Difference of `a` from `b` over a background, the mean over the channels, as colours.

    Args:
        a: picture.
        b: its reference.
        background: what transparent pixels are put over.
        gain: the last colour is a difference of 1 / gain.
        signed: blue where `a` is darker, red where it is brighter; else how large the difference is.
        kept: pixels that count; others show none.
    """
    difference = over(a, background) - over(b, background)
    values = difference.mean(-1) if signed else np.abs(difference).mean(-1)
    values = np.where(_mask(kept, values), values, 0) * gain
    return coloured(0.5 + 0.5 * values, "signed") if signed else coloured(values, "error")


def flip_map(
    a: Picture, b: Picture, background: str = "white", gain: float = 1.0, *, kept: Mask = None
) -> Pixels:
    """LDR-FLIP of `a` against its reference `b`, as colours; the last one is 1 / gain."""
    reference, mine = over(b, background), over(a, background)
    filled = np.where(_mask(kept, mine[..., 0])[..., None], mine, reference)
    errors, _ = flip_error(np.ascontiguousarray(filled), np.ascontiguousarray(reference))
    return coloured(errors * gain, "error")


def _mask(kept: Mask, like: np.ndarray) -> np.ndarray:
    return np.ones(like.shape, bool) if kept is None else read_mask(kept)


def read_mask(kept: Path | np.ndarray) -> Bool[np.ndarray, "height width"]:
    """Pixels that count."""
    return np.asarray(read(kept)) > 0


def depths(depth: Path | np.ndarray) -> Float32[np.ndarray, "height width"]:
    """Norm units of a 16-bit depth picture; 0 where nothing was hit."""
    return read(depth).astype(np.float32) * np.float32(DEPTH_UNIT)


def depth_limits(pictures: Iterable[Path | np.ndarray]) -> tuple[float, float]:
    """Range of depth over several pictures, for all models of a view to be seen in the same colours.

    Nearest and farthest that is hit, but for a thousandth of the pixels at both ends; (0, 1) where nothing is.
    """
    hit = np.concatenate([values[values > 0] for values in map(depths, pictures)] or [np.zeros(0)])
    if not hit.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.quantile(hit, (0.001, 0.999)))
    return low, max(high, low + 10 * DEPTH_UNIT)


def depth_picture(depth: Path | np.ndarray, limits: tuple[float, float] | None = None) -> Pixels:
    """Depth as colours, near is dark; pale grey where nothing was hit.

    Args:
        depth: 16-bit PNG file or its pixels, in `DEPTH_UNIT`.
        limits: depth of the first and the last colour; None: this picture's own `depth_limits`.
    """
    values = depths(depth)
    low, high = depth_limits([depth]) if limits is None else limits
    return np.where(
        (values > 0)[..., None], coloured((values - low) / (high - low), "depth"), _NOTHING
    )


def alpha_picture(picture: Picture) -> Pixels:
    """Opacity as grey: white is opaque."""
    pixels = read(picture)
    alpha = pixels[..., 3] if pixels.shape[-1] == 4 else np.full(pixels.shape[:2], 255, np.uint8)
    return np.repeat(alpha[..., None], 3, -1)


def colour_bar(
    kind: str,
    limits: tuple[float, float] | None = None,
    gain: float | None = None,
    size: tuple[int, int] = (256, 12),
) -> ColourBar:
    """The bar of a map.

    Args:
        kind: "error", "signed error", "flip", "depth" or "alpha".
        limits: of depth, in norm units.
        gain: as given to the map; None: its default.
        size: (width, height) of the bar's pixels.
    """
    ramp, unit, default = _BARS[kind]
    if kind == "depth":
        low, high = limits or (0.0, 1.0)
    else:
        high = 1 / (gain or default)
        low = -high if kind == "signed error" else 0.0
    x = np.linspace(0, 1, size[0])
    row = np.repeat(np.rint(255 * x).astype(np.uint8)[:, None], 3, 1)
    row = row if ramp is None else coloured(x, ramp)
    few = row[np.linspace(0, size[0] - 1, 17).round().astype(int)]
    return ColourBar(
        pixels=np.repeat(row[None], size[1], 0),
        low=low,
        high=high,
        unit=unit,
        labels=_labels(low, high, capped=kind in ("error", "flip") and high < 1),
        colours=tuple((int(r), int(g), int(b)) for r, g, b in few),
    )


_BARS: dict[str, tuple[str | None, str, float]] = {
    "error": ("error", "mean absolute difference of sRGB in [0, 1]", GAIN),
    "signed error": ("signed", "mean difference of sRGB in [0, 1]", GAIN),
    "flip": ("error", "LDR-FLIP", 1.0),
    "depth": ("depth", "norm units along the ray", 1.0),
    "alpha": (None, "opacity", 1.0),
}
"""Kind to ramp (None: grey), unit and gain."""


def _labels(low: float, high: float, capped: bool) -> tuple[tuple[float, str], ...]:
    texts = [f"{low + part * (high - low):.3g}" for part in (0.0, 0.5, 1.0)]
    if capped:
        texts[-1] = f"≥ {texts[-1]}"
    return tuple(zip((0.0, 0.5, 1.0), texts, strict=True))


def side_by_side(pictures: Sequence[Pixels], gap: int = 2) -> Pixels:
    """Pictures of one height in a row, white between them."""
    white = np.full((pictures[0].shape[0], gap, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (picture, white)]
    return np.concatenate(parts[:-1], 1)
