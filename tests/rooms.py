"""A room filmed from within: closed, textured, with furniture along its walls; loops and turns of a camera in it.

    room() -> boxes --photographs_of(cameras)--> frames      loop(...), turn(...) -> true cameras

    python -m tests.rooms room.mp4      the walk that README's figures are of: make page VIDEO=room.mp4

Rays meet axis-aligned boxes (the room is one, seen from inside), whose six faces carry painted textures and a fixed
shade each. Metres; +z is up, the floor is z = 0, the room's middle is x = y = 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFilter

from teacher.cameras import Camera, look_at
from tests.clips import Frame, write_clip

WIDTH, LENGTH, HEIGHT = 4.0, 4.8, 2.5
EYE = 1.25
"""Height at which a phone is held, metres."""
RADIUS = WIDTH / 4
TEXELS = 220
"""A metre."""
_SHADE = (0.82, 0.9, 0.96, 0.78, 0.7, 1.0)  # of the faces -x, +x, -y, +y, -z, +z

Paint = Float[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class Block:
    """An axis-aligned box with a texture for each of its faces -x, +x, -y, +y, -z, +z."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    faces: tuple[Paint, ...]
    """sRGB, row 0 at the top (or at +y, of a face that lies flat)."""


def mottled(height: int, width: int, colour: Sequence[float], seed: int, contrast: float) -> Paint:
    """A colour with grains of many sizes, as plaster, carpet or a weathered board have them."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for size, weight in ((3, 0.35), (7, 0.6), (18, 1.0), (50, 1.0)):
        small = rng.normal(size=(height // size + 2, width // size + 2, 1)) + 0.4 * rng.normal(
            size=(height // size + 2, width // size + 2, 3)
        )
        for c in range(3):
            layer = Image.fromarray(small[..., c].astype(np.float32))
            total[..., c] += weight * np.array(
                layer.resize((width, height), Image.Resampling.BICUBIC)
            )
    return (np.array(colour) + contrast * total / 2).clip(0.02, 0.98)


def framed(
    paint: Paint, seed: int, count: int, metres: tuple[float, float] = (0.35, 0.75)
) -> Paint:
    """The wall with `count` pictures hung on it, no two alike."""
    rng = np.random.default_rng(seed)
    height, width = paint.shape[:2]
    sheet = Image.fromarray((paint * 255).astype(np.uint8))
    for k in range(count):
        w, h = (int(v) for v in rng.uniform(*metres, 2) * TEXELS)
        at = int((k + 0.15 + 0.3 * rng.random()) * width / count)
        down = int(rng.uniform(0.18, 0.45) * height)
        picture = Image.new("RGB", (w, h), tuple(int(v) for v in rng.integers(60, 240, 3)))
        pen = ImageDraw.Draw(picture)
        for _ in range(14):
            x, y = rng.uniform(0, w), rng.uniform(0, h)
            r = rng.uniform(0.05, 0.25) * w
            ink = tuple(int(v) for v in rng.integers(10, 250, 3))
            shape = (pen.ellipse, pen.rectangle)[int(rng.integers(2))]
            shape((x - r, y - r * rng.uniform(0.4, 1), x + r, y + r), fill=ink)
        pen.rectangle((0, 0, w - 1, h - 1), outline=(40, 28, 18), width=5)
        sheet.paste(picture, (at, down))
    return np.array(sheet.filter(ImageFilter.GaussianBlur(0.7))) / 255.0


def planks(height: int, width: int, seed: int) -> Paint:
    """A floor of boards of different wood."""
    rng = np.random.default_rng(seed)
    paint = mottled(height, width, (0.5, 0.36, 0.24), seed, 0.07)
    board = int(0.14 * TEXELS)
    for y in range(0, height, board):
        start = -int(rng.integers(TEXELS))
        while start < width:
            end = start + int(rng.uniform(0.6, 1.4) * TEXELS)
            tone = rng.uniform(0.7, 1.25)
            paint[y : y + board, max(start, 0) : max(end, 0)] *= tone
            paint[y : y + board, max(end - 2, 0) : max(end, 0)] *= 0.4
            start = end
        paint[y : y + 2] *= 0.4
    return paint.clip(0.02, 0.98)


def _block(
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    colour: Sequence[float],
    seed: int,
) -> Block:
    """Furniture: mottled boards with stickers on its sides."""
    size = np.subtract(high, low)
    faces = []
    for face in range(6):
        u, v = ((1, 2), (0, 2), (0, 1))[face // 2]
        height, width = (max(8, round(TEXELS * size[axis])) for axis in (v, u))
        paint = mottled(height, width, colour, seed * 10 + face, 0.1)
        if face < 4:
            paint = framed(paint, seed * 10 + face, 1 + width // 100, (0.12, 0.3))
        faces.append(paint)
    return Block(low, high, tuple(faces))


@cache
def room() -> tuple[Block, ...]:
    """The room, seen from inside, and what stands in it."""
    x, y = WIDTH / 2, LENGTH / 2
    tall, wide, long = (round(TEXELS * size) for size in (HEIGHT, WIDTH, LENGTH))
    tones = ((0.78, 0.7, 0.55), (0.55, 0.66, 0.7), (0.66, 0.72, 0.56), (0.75, 0.6, 0.56))
    walls = [
        framed(mottled(tall, across, tone, k, 0.08), 30 + k, 5)
        for k, (tone, across) in enumerate(zip(tones, (long, long, wide, wide), strict=True))
    ]
    floor = planks(long, wide, 5)
    ceiling = mottled(long, wide, (0.85, 0.84, 0.8), 6, 0.07)
    hull = Block((-x, -y, 0.0), (x, y, HEIGHT), (*walls, floor, ceiling))
    things = (
        _block((-x, -1.3, 0), (-x + 0.45, -0.2, 0.85), (0.45, 0.28, 0.18), 11),  # a sideboard
        _block((-x + 0.08, -1.0, 0.85), (-x + 0.33, -0.72, 1.2), (0.7, 0.2, 0.2), 12),
        _block((-x, 0.9, 0), (-x + 0.35, 1.7, 1.9), (0.3, 0.42, 0.5), 13),  # a shelf
        _block((x - 0.55, 0.2, 0), (x, 1.6, 0.5), (0.62, 0.5, 0.3), 14),
        _block((x - 0.4, -1.5, 0), (x, -0.9, 1.3), (0.28, 0.4, 0.3), 15),
        _block((-0.9, y - 0.5, 0), (0.3, y, 0.75), (0.55, 0.45, 0.55), 16),
        _block((-0.5, y - 0.4, 0.75), (-0.15, y - 0.15, 1.05), (0.85, 0.75, 0.3), 17),
        _block((0.9, y - 0.45, 0), (1.4, y, 1.6), (0.42, 0.34, 0.3), 18),
        _block((-0.2, -y, 0), (1.1, -y + 0.5, 0.9), (0.36, 0.36, 0.46), 19),
        _block((0.2, -y + 0.1, 0.9), (0.5, -y + 0.35, 1.3), (0.8, 0.5, 0.3), 20),
        _block((-1.4, -y, 0), (-0.9, -y + 0.4, 0.45), (0.6, 0.55, 0.5), 21),
    )
    return (hull, *things)


def _camera(place: Sequence[float], ahead: Sequence[float], size: int, degrees: float) -> Camera:
    focal = 0.5 * size / math.tan(math.radians(degrees) / 2)
    position = torch.tensor(place)
    pose = look_at(position, position + torch.tensor(ahead))
    return Camera(pose, focal, focal, size / 2, size / 2, size, size)


def loop(count: int, size: int, degrees: float = 70.0, turn: float = 1.0) -> list[Camera]:
    """A walk round the middle of the room, looking outward at the walls; hands sway a little."""
    cameras = []
    for k in range(count):
        at = 2 * math.pi * turn * k / count
        r = RADIUS * (1 + 0.08 * math.sin(3 * at))
        place = (r * math.cos(at), r * math.sin(at), EYE + 0.12 * math.sin(2 * at + 0.4))
        look = at + 0.12 * math.sin(4 * at)
        tilt = -0.18 + 0.12 * math.sin(3 * at + 1.0)
        cameras.append(_camera(place, (math.cos(look), math.sin(look), tilt), size, degrees))
    return cameras


def turn(count: int, size: int, degrees: float = 70.0) -> list[Camera]:
    """One full turn on the spot in the middle of the room."""
    cameras = []
    for k in range(count):
        at = 2 * math.pi * k / count
        tilt = -0.18 + 0.12 * math.sin(3 * at + 1.0)
        cameras.append(_camera((0.0, 0.0, EYE), (math.cos(at), math.sin(at), tilt), size, degrees))
    return cameras


def photographs_of(blocks: Sequence[Block], cameras: Sequence[Camera]) -> list[Frame]:
    """What the cameras see; four rays a pixel. The first block is seen from inside."""
    return [_photograph(blocks, camera) for camera in cameras]


def _photograph(blocks: Sequence[Block], camera: Camera, fine: int = 2) -> Frame:
    T = camera.T_world_camera.numpy()
    v, u = (np.mgrid[0 : camera.height * fine, 0 : camera.width * fine] + np.float32(0.5)) / fine
    local = [(u - camera.cx) / camera.fx, -(v - camera.cy) / camera.fy, -np.ones_like(u)]
    rays = (T[:3, :3] @ np.stack(local).reshape(3, -1)).astype(np.float32)
    rays[np.abs(rays) < 1e-9] = 1e-9
    best, colour = np.full(rays.shape[1], np.inf, np.float32), np.zeros((rays.shape[1], 3))
    for k, block in enumerate(blocks):
        _trace(block, T[:3, 3], rays, best, colour, inside=k == 0)
    tall, wide = camera.height, camera.width
    small = colour.reshape(tall, fine, wide, fine, 3).mean((1, 3))
    return (small * 255 + 0.5).clip(0, 255).astype(np.uint8)


def _trace(
    block: Block,
    origin: Float[np.ndarray, "3"],
    rays: Float[np.ndarray, "3 n"],
    best: Float[np.ndarray, " n"],
    colour: Float[np.ndarray, "n 3"],
    inside: bool,
) -> None:
    """Where the rays meet `block` before `best`, write distance and colour (slabs, as in Kay and Kajiya 1986)."""
    low, high = np.array(block.low, np.float32), np.array(block.high, np.float32)
    spans = [
        np.stack([low[k] - origin[k], high[k] - origin[k]])[:, None] / rays[k] for k in range(3)
    ]
    ends = [span.max(0) if inside else span.min(0) for span in spans]
    t = np.minimum.reduce(ends) if inside else np.maximum.reduce(ends)
    hit = t < best
    if not inside:
        hit &= (t > 0) & (t < np.minimum.reduce([span.max(0) for span in spans]))
    mine = np.flatnonzero(hit)
    best[mine] = t[mine]
    axis = np.select([ends[0][mine] == t[mine], ends[1][mine] == t[mine]], [0, 1], 2)
    upper = (rays[axis, mine] > 0) == inside
    for face in range(6):
        here = mine[(axis == face // 2) & (upper == bool(face % 2))]
        a, b = ((1, 2), (0, 2), (0, 1))[face // 2]
        u, v = (
            (origin[k] + best[here] * rays[k, here] - low[k]) / (high[k] - low[k]) for k in (a, b)
        )
        shade = _SHADE[face ^ 1 if inside else face]
        colour[here] = shade * _looked_up(block.faces[face], u, 1 - v)


def _looked_up(
    paint: Paint, u: Float[np.ndarray, " n"], v: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n 3"]:
    """Bilinear interpolation at shares of the width and height."""
    height, width = paint.shape[:2]
    x, y = (u * width - 0.5).clip(0, width - 1.001), (v * height - 0.5).clip(0, height - 1.001)
    i, j = x.astype(int), y.astype(int)
    fx, fy = (x - i)[:, None], (y - j)[:, None]
    top = (1 - fx) * paint[j, i] + fx * paint[j, i + 1]
    low = (1 - fx) * paint[j + 1, i] + fx * paint[j + 1, i + 1]
    return (1 - fy) * top + fy * low


def write(output: tyro.conf.Positional[Path], frames: int = 56, size: int = 400) -> None:
    """Film a walk round the room, looking outwards."""
    write_clip(output, photographs_of(room(), loop(frames, size)), fps=5)


if __name__ == "__main__":
    tyro.cli(write)
