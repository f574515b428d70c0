"""Captures of which no data set can be made, each with the words that its refusal must contain.

    CAPTURES["cut in the middle"].make(folder) -> path of a clip or a folder of photographs

`python -m tests.bench.bench_refusals` prints what the command says to each; the tests run the small ones.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

from teacher.cameras import Camera, look_at
from teacher.demo.scene import FIELD_OF_VIEW, TARGET, still_life
from tests import rooms
from tests.clips import (
    Frame,
    noise_picture,
    orbit,
    pan,
    photographs,
    repeating,
    symmetric,
    turning,
    write_clip,
    write_photographs,
)

REAL = Path(__file__).parents[2] / "shared" / "data"


@dataclass(frozen=True)
class BadCapture:
    """One capture: how it is made, and a pattern of what must be said of it."""

    make: Callable[[Path], Path]
    says: str
    slow: bool = False
    """Whether cameras are looked for in so many pictures that it takes more than a few seconds."""


# --- files that are no videos, or not whole ---


def _empty_file(folder: Path) -> Path:
    path = folder / "empty.mp4"
    path.write_bytes(b"")
    return path


def _garbage(folder: Path) -> Path:
    path = folder / "garbage.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(50_000))
    return path


def _garbage_header(folder: Path) -> Path:
    path = write_clip(folder / "header.mp4", pan(60))
    content = path.read_bytes()
    path.write_bytes(np.random.default_rng(0).bytes(4096) + content[4096:])
    return path


def _cut(folder: Path) -> Path:
    """Copied half: the index, which a phone writes last, is missing."""
    path = write_clip(folder / "cut.mp4", pan(60))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def _cut_after_index(folder: Path) -> Path:
    """Copied half, where the index comes first, as in files made for the web: the first half can be shown."""
    path = index_first(write_clip(folder / "web.mp4", pan(60)))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def _torn(folder: Path) -> Path:
    """The middle is lost."""
    path = write_clip(folder / "torn.mp4", pan(60))
    content = path.read_bytes()
    low, high = (int(share * len(content)) for share in (0.3, 0.75))
    path.write_bytes(content[:low] + bytes(high - low) + content[high:])
    return path


def _sound(folder: Path) -> Path:
    path = folder / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        for k in range(40):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 44100, 1024 * k, Fraction(1, 44100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def index_first(path: Path) -> Path:
    """Rewrite an mp4 file so that its index (moov) comes before the pictures (mdat)."""
    with av.open(str(path)) as source:
        moved = path.with_name(f"first_{path.name}")
        with av.open(str(moved), "w", options={"movflags": "faststart"}) as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(source.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
    moved.replace(path)
    return path


# --- clips that show too little ---


def _clip(
    name: str, frames: Callable[[], Sequence[Frame]], fps: int = 30
) -> Callable[[Path], Path]:
    return lambda folder: write_clip(folder / f"{name}.mp4", frames(), fps=fps)


def _black() -> list[Frame]:
    return [np.zeros((96, 128, 3), np.uint8)] * 40


def turning_in_the_scene(count: int, size: int) -> list[Frame]:
    """The still life from one place, the camera turned to and fro by hand: nothing moves against anything else."""
    focal, target = 0.5 * size / math.tan(0.5 * FIELD_OF_VIEW), torch.tensor(TARGET)
    cameras = []
    for k in range(count):
        turn = 2 * math.pi * k / count
        at = target + torch.tensor([2.2, 0.4, 1.3])
        aim = target + torch.tensor(
            [0.25 * math.cos(turn), 0.7 * math.sin(turn), 0.2 * math.cos(turn)]
        )
        cameras.append(Camera(look_at(at, aim), focal, focal, size / 2, size / 2, size, size))
    return photographs(still_life(), cameras)


def _turned(count: int) -> list[Frame]:
    """All round on the spot: mapping makes a path and a depth of it, at a quarter of a pixel."""
    return rooms.photographs_of(rooms.room(), rooms.turn(count, 400))


def tiled_floor(count: int, size: int, tiles: int = 12) -> list[Frame]:
    """A floor of one tile over and over, and nothing else, filmed on a walk round its middle."""
    tile = noise_picture(96, 96, seed=3)
    cameras = orbit(count, size)
    v, u = np.mgrid[0:size, 0:size] + 0.5
    frames = []
    for camera in cameras:
        T = camera.T_world_camera.double().numpy()
        local = np.stack(
            [(u - camera.cx) / camera.fx, -(v - camera.cy) / camera.fy, -np.ones_like(u)], -1
        )
        rays = local @ T[:3, :3].T
        reach = -T[2, 3] / np.minimum(rays[..., 2], -1e-6)
        place = (T[:2, 3] + reach[..., None] * rays[..., :2]) * tiles / 4
        x, y = ((place[..., axis] % 1 * 96).astype(int) % 96 for axis in (0, 1))
        on_floor = (rays[..., 2] < -1e-3) & (np.abs(place) < tiles / 2).all(-1)
        frames.append(np.where(on_floor[..., None], tile[y, x], 255).astype(np.uint8))
    return frames


# --- photographs ---


def unrelated(size: int = 300) -> list[Frame]:
    """Twelve pictures of eight scenes: noise, renderings, and parts of real photographs where there are some."""
    pictures = [noise_picture(size, size, seed=k) for k in range(4)]
    pictures += photographs(still_life(), orbit(8, size)[1:2], samples=1)
    pictures += photographs(symmetric(), orbit(8, size)[3:4], samples=1)
    pictures += turning(4, size)[:1]
    for name, at in (
        ("fox/images/0001.jpg", 0),
        ("fox/images/0044.jpg", 600),
        ("lego/train/r_0.png", 100),
    ):
        if (REAL / name).is_file():
            with Image.open(REAL / name) as opened:
                picture = opened.convert("RGB").crop((0, at, size, at + size))
            pictures.append(np.array(picture))
    pictures += [
        np.ascontiguousarray(noise_picture(size, size, 20 + k, 3)[::-1])
        for k in range(12 - len(pictures))
    ]
    return pictures


def _folder_of(name: str, frames: Callable[[], Sequence[Frame]]) -> Callable[[Path], Path]:
    return lambda folder: write_photographs(folder / name, frames())


def two_scenes() -> list[Frame]:
    """Ten photographs of one scene, ten of another: neither has a camera for most."""
    floor = tiled_floor(1, 300)  # unlike both
    first = photographs(still_life(), orbit(30, 300)[:10], samples=1)
    return first + [noise_picture(300, 300, 50 + k) for k in range(9)] + floor


def _empty_folder(folder: Path) -> Path:
    (folder / "nothing").mkdir()
    return folder / "nothing"


def _texts(folder: Path, name: str = "texts", suffix: str = "txt") -> Path:
    texts = folder / name
    texts.mkdir()
    for k in range(8):
        (texts / f"note_{k}.{suffix}").write_text("bread, milk")
    return texts


def _texts_named_jpg(folder: Path) -> Path:
    return _texts(folder, "misnamed", "jpg")


CAPTURES: dict[str, BadCapture] = {
    "zero bytes": BadCapture(_empty_file, "complete video file"),
    "garbage": BadCapture(_garbage, "complete video file"),
    "garbage header": BadCapture(_garbage_header, "complete video file"),
    "cut in the middle": BadCapture(_cut, "complete video file"),
    "cut, index first": BadCapture(_cut_after_index, "complete video file"),
    "middle lost": BadCapture(_torn, "damaged"),
    "sound only": BadCapture(_sound, "no video in it"),
    "black": BadCapture(_clip("black", _black), "blank"),
    "three frames": BadCapture(_clip("three", lambda: pan(3)), "3 frames"),
    "on a tripod": BadCapture(_clip("still", lambda: [pan(1)[0]] * 40), "tripod"),
    "empty folder": BadCapture(_empty_folder, "empty folder"),
    "text files": BadCapture(_texts, r"only \.txt"),
    "text files named .jpg": BadCapture(_texts_named_jpg, r"note_0\.jpg"),
    "turn on the spot": BadCapture(_clip("turn", lambda: turning(12, 240), 5), "turn on the spot"),
    "unrelated photographs": BadCapture(
        _folder_of("unrelated", unrelated), "photographs of one scene"
    ),
    "half of another scene": BadCapture(
        _folder_of("two", two_scenes), "photographs of one scene", slow=True
    ),
    "turn in the scene, 48 frames": BadCapture(
        _clip("look", lambda: turning_in_the_scene(48, 400)), "turn on the spot", slow=True
    ),
    "turn in a whole room, 12 frames": BadCapture(
        _clip("dozen", lambda: _turned(12), 5), "turn on the spot", slow=True
    ),
    "turn in a whole room, 48 frames": BadCapture(
        _clip("round", lambda: _turned(48), 5), "turn on the spot", slow=True
    ),
    "same label on all sides, 48 frames": BadCapture(
        _clip("label", lambda: photographs(repeating(), orbit(48, 400))), "look the same", slow=True
    ),
    "box of four equal sides, 48 frames": BadCapture(
        _clip("box", lambda: photographs(symmetric(), orbit(48, 400))), "look the same", slow=True
    ),
}
