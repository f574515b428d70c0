"""Synthetic captures: clips with known flaws, orbits of the built-in scene with known cameras, unrelated photographs.

pan(...) --blurred, repeated, drifting, ...--> frames --write_clip--> .mp4
orbit(...) --photographs of a StillLife--> frames and true cameras
"""

import dataclasses
import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageFilter

from teacher.cameras import Camera, look_at
from teacher.demo.materials import InlaidWood, Plain, PrintedBox
from teacher.demo.scene import DISTANCE, FIELD_OF_VIEW, TARGET, still_life
from teacher.demo.textures import chips, label
from teacher.demo.things import StillLife
from teacher.demo.tracer import render

Frame = UInt8[np.ndarray, "height width 3"]
BOX_HALF = 0.29


def noise_picture(height: int, width: int, seed: int = 0, smoothing: int = 1) -> Frame:
    """Random colour texture, a little smoothed so that it survives a codec."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 3 + 1, width // 3 + 1, 3), np.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    return np.array(image.filter(ImageFilter.GaussianBlur(smoothing)))


def pan(count: int, size: tuple[int, int] = (96, 128), step: int = 3, seed: int = 0) -> list[Frame]:
    """A window that slides over a texture by `step` pixels a frame."""
    height, width = size
    wall = noise_picture(height, width + step * count, seed)
    return [np.ascontiguousarray(wall[:, step * k : step * k + width]) for k in range(count)]


def blur(frame: Frame, radius: float = 2.5) -> Frame:
    """The frame out of focus."""
    return np.array(Image.fromarray(frame).filter(ImageFilter.GaussianBlur(radius)))


def drifting(frames: Sequence[Frame], stops: float = 1.0) -> list[Frame]:
    """The frames as a camera takes them whose exposure falls by `stops` from the first to the last."""
    drifted = []
    for k, frame in enumerate(frames):
        gain = 2.0 ** (-stops * k / max(1, len(frames) - 1))
        linear = (frame / 255.0) ** 2.2 * gain
        drifted.append((linear ** (1 / 2.2) * 255 + 0.5).astype(np.uint8))
    return drifted


def write_clip(
    path: Path,
    frames: Sequence[Frame],
    *,
    fps: int = 30,
    seconds: Sequence[float] | None = None,
    rotation: int = 0,
) -> Path:
    """H.264 of good quality; `seconds` are the frames' own times, where they are not evenly spaced."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "12", "preset": "ultrafast"}
        stream.codec_context.thread_count = 1
        if rotation:
            stream.set_display_rotation(rotation)
        tick = Fraction(1, fps if seconds is None else 1000)
        stream.codec_context.time_base = tick
        for k, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels)
            frame.pts = k if seconds is None else round(seconds[k] * 1000)
            frame.time_base = tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def orbit(count: int, size: int, turn: float = 1.0) -> list[Camera]:
    """One round (or `turn` of it) about the still life, up and down on the way, as somebody with a phone walks."""
    focal, target = 0.5 * size / math.tan(0.5 * FIELD_OF_VIEW), torch.tensor(TARGET)
    cameras = []
    for k in range(count):
        azimuth = 2 * math.pi * turn * k / count
        elevation = math.radians(28 + 12 * math.sin(2 * azimuth + 0.5))
        flat = math.cos(elevation)
        away = [flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(elevation)]
        pose = look_at(target + DISTANCE * torch.tensor(away), target)
        cameras.append(Camera(pose, focal, focal, size / 2, size / 2, size, size))
    return cameras


def photographs(scene: StillLife, cameras: Sequence[Camera], samples: int = 2) -> list[Frame]:
    """What the cameras see, on white."""
    frames = []
    for camera in cameras:
        rgba = render(scene, camera, samples).rgba
        rgb = rgba[..., :3] + (1 - rgba[..., 3:])
        frames.append((rgb.clamp(0, 1) * 255 + 0.5).byte().numpy())
    return frames


@cache
def repeating() -> StillLife:
    """The still life with the same label on all faces of its box, on plain wood."""
    things, print_ = [], label(0, "NeLF", 256)
    for thing in still_life().things:
        albedo = thing.material.albedo
        if thing.name == "box":
            albedo = PrintedBox((print_,) * 6, BOX_HALF)
        if thing.name == "table":
            albedo = InlaidWood(chips(0, 64, seed=7), 1.25)
        material = dataclasses.replace(thing.material, albedo=albedo)
        things.append(dataclasses.replace(thing, material=material))
    return dataclasses.replace(still_life(), things=tuple(things))


@cache
def symmetric() -> StillLife:
    """Of that only the box, in the middle of the table: all four sides look the same. Mapping folds it into one."""
    things = {thing.name: thing for thing in repeating().things}
    box = dataclasses.replace(things["box"], position=(0.0, 0.0, BOX_HALF), yaw=0.0)
    return dataclasses.replace(repeating(), things=(things["table"], box))


@cache
def bare() -> StillLife:
    """A plain grey ball: nothing that could be found again."""
    gold = next(thing for thing in still_life().things if thing.name == "gold")
    grey = dataclasses.replace(gold.material, f0=(0.0,) * 3, albedo=Plain((0.4, 0.4, 0.4)))
    ball = dataclasses.replace(gold, material=grey, position=(0.0, 0.0, 0.3))
    return dataclasses.replace(still_life(), things=(ball,))


def turning(count: int, size: int) -> list[Frame]:
    """A camera that turns on the spot in a large textured room: windows of one panorama, correctly projected."""
    wall = noise_picture(size * 2, size * 8, seed=5).astype(np.float32)
    focal, half = float(size), size / 2
    v, u = np.mgrid[0:size, 0:size] + 0.5
    frames = []
    for k in range(count):
        azimuth = np.arctan2(u - half, focal) + math.radians(80) * k / count
        height = (v - half) / np.hypot(u - half, focal)
        x = ((azimuth + 0.6) / 2.8 * wall.shape[1]).astype(int).clip(0, wall.shape[1] - 1)
        y = ((height * 0.9 + 1) / 2 * wall.shape[0]).astype(int).clip(0, wall.shape[0] - 1)
        frames.append(wall[y, x].astype(np.uint8))
    return frames


def write_photographs(folder: Path, frames: Sequence[Frame]) -> Path:
    """PNG files p_000.png, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"p_{k:03}.png")
    return folder
