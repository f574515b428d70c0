"""Textures of the still life, computed, never loaded: lacquered wood, inlaid chips, printed labels.

`Texture` is a picture in linear colour, sampled at (u, v) in [0, 1]^2 with v upwards. The painters
work on sRGB values with coverage from signed distances, so every edge is anti-aliased.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from teacher.demo.glyphs import text_distance, text_width

_EARLY_WOOD = torch.tensor((0.42, 0.19, 0.070))[:, None]
_LATE_WOOD = torch.tensor((0.12, 0.042, 0.014))[:, None]

Paint = Float[np.ndarray, "height width channels"]

_INK = (
    (0.78, 0.20, 0.12),
    (0.12, 0.31, 0.67),
    (0.08, 0.47, 0.24),
    (0.55, 0.24, 0.63),
    (0.75, 0.43, 0.08),
    (0.12, 0.12, 0.12),
)
_PAPER = (
    (0.91, 0.89, 0.82),
    (0.80, 0.86, 0.91),
    (0.93, 0.84, 0.75),
    (0.84, 0.91, 0.81),
    (0.91, 0.81, 0.86),
    (0.88, 0.88, 0.88),
)


def linear_from_srgb(srgb: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The sRGB transfer function's inverse (IEC 61966-2-1)."""
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(linear: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The sRGB transfer function (IEC 61966-2-1)."""
    curve = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, curve)


@dataclass(frozen=True)
class Texture:
    """A picture, bilinearly interpolated; outside [0, 1]^2 its border goes on."""

    texels: Float[Tensor, "channels height width"]

    def sample(self, u: Float[Tensor, " n"], v: Float[Tensor, " n"]) -> Float[Tensor, "channels n"]:
        """Values at (u, v): u to the right, v upwards from the lower left corner."""
        grid = torch.stack([2 * u - 1, 1 - 2 * v], -1)[None, None]
        return torch.nn.functional.grid_sample(
            self.texels[None], grid, padding_mode="border", align_corners=False
        )[0, :, 0]


def wood(p: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
    """Linear colour inside a block of wood: wavy rings around a trunk that lies along +x.

    A solid texture (Perlin 1985): the grain on the rim of a board continues that of its top.
    """
    x, y, z = p
    wobble = torch.sin(2.3 * x + 1.7 * y) + 0.5 * torch.sin(5.1 * y - 3.7 * x + 1.3)
    wobble = wobble + 0.25 * torch.sin(9.7 * x + 6.1 * y + 2.1)
    rings = ((0.45 * x).square() + (y - 0.35).square() + (z + 0.5).square()).sqrt() + 0.05 * wobble
    phase = 0.5 + 0.5 * torch.sin(64 * rings)
    fibre = torch.sin(150 * y + 9 * wobble) * torch.sin(2.3 * x + 40 * y)
    late = (0.85 * phase.square() + 0.12 * fibre).clamp(
        0, 1
    )  # late wood: the dark, dense part of a ring
    return _EARLY_WOOD + (_LATE_WOOD - _EARLY_WOOD) * late


def chips(count: int, size: int, seed: int) -> Texture:
    """`count` polygons of many colours, scattered over a square: premultiplied linear RGBA."""
    rng = np.random.default_rng(seed)
    paint = np.zeros((size, size, 4))
    for _ in range(count):
        centre, radius = rng.uniform(0, size, 2), rng.uniform(0.004, 0.0145) * size
        corners, turn = int(rng.integers(3, 7)), rng.uniform(0, 2 * np.pi)
        _stamp_polygon(paint, centre, radius, corners, turn, rng.uniform(0.12, 0.92, 3))
    rgba = torch.from_numpy(paint).float()
    rgb = linear_from_srgb(rgba[..., :3]) * rgba[..., 3:]
    return Texture(torch.cat([rgb, rgba[..., 3:]], -1).permute(2, 0, 1).contiguous())


def label(face: int, word: str, size: int) -> Texture:
    """One printed side of the box: frame, word, bar code and coloured dots; each face differs."""
    rng = np.random.default_rng(face)
    y, x = np.mgrid[0:size, 0:size]
    x, y = (x + 0.5) / size, 1 - (y + 0.5) / size
    paint = np.broadcast_to(np.array(_PAPER[face]), (size, size, 3)).copy()
    _fill(
        paint, np.abs(np.maximum(np.abs(x - 0.5), np.abs(y - 0.5)) - 0.46) - 0.012, _INK[face - 1]
    )
    em = min(0.30, 0.74 / text_width(word))
    pen = em * text_distance((x - 0.5) / em, (y - 0.69) / em + 0.5, word)
    _fill(paint, pen - 0.09 * em, _INK[face])
    _fill(paint, _bar_code(x, y, rng), (0.08, 0.08, 0.10))
    for _ in range(22):
        (cx, cy), radius = rng.uniform((0.10, 0.10), (0.90, 0.28)), rng.uniform(0.010, 0.026)
        _fill(paint, np.hypot(x - cx, y - cy) - radius, rng.uniform(0.08, 0.86, 3))
    return Texture(linear_from_srgb(torch.from_numpy(paint).float()).permute(2, 0, 1).contiguous())


def _bar_code(
    x: Float[np.ndarray, "height width"],
    y: Float[np.ndarray, "height width"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "height width"]:
    """Signed distance to a row of bars of random widths and gaps."""
    distance = np.full_like(x, np.inf)
    left = 0.12
    while left < 0.84:
        width = rng.uniform(0.012, 0.05)
        distance = np.minimum(distance, np.abs(x - left - width / 2) - width / 2)
        left += width + rng.uniform(0.012, 0.04)
    return np.maximum(distance, np.abs(y - 0.40) - 0.07)


def _fill(
    paint: Paint,
    distance: Float[np.ndarray, "height width"],
    colour: tuple[float, float, float] | np.ndarray,
) -> None:
    """Paint where `distance` (in units of the picture's width) is negative, one texel soft."""
    cover = np.clip(0.5 - distance * paint.shape[1], 0, 1)[..., None]
    paint += cover * (np.asarray(colour) - paint)


def _stamp_polygon(
    paint: Paint,
    centre: np.ndarray,
    radius: float,
    corners: int,
    turn: float,
    colour: np.ndarray,
) -> None:
    """Paint a regular polygon, in texels, onto the RGBA picture `paint` (straight alpha)."""
    low = np.maximum(np.floor(centre - radius - 1), 0).astype(int)
    high = np.minimum(np.ceil(centre + radius + 1), paint.shape[0]).astype(int)
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]] + 0.5
    sector = 2 * np.pi / corners
    angle = np.arctan2(y - centre[1], x - centre[0]) - turn
    angle = (angle + 0.5 * sector) % sector - 0.5 * sector
    apothem = radius * np.cos(0.5 * sector)
    distance = np.hypot(x - centre[0], y - centre[1]) * np.cos(angle) - apothem
    cover = np.clip(0.5 - distance, 0, 1)[..., None]
    patch = paint[low[1] : high[1], low[0] : high[0]]
    patch[..., :3] = np.where(cover > 0, colour, patch[..., :3])
    patch[..., 3:] = np.maximum(patch[..., 3:], cover)
