"""Video files, read as a stream: a glance at every frame, then the pixels of the chosen ones.

    file --decode--> frames --luma, shrunk--> Glance (sharpness, thumbnail)      first pass
                            --turned, sRGB--> pixels of the chosen frames        second pass

Never more than a few frames are in memory, whatever the clip's length: two passes cost less than keeping frames that
are not chosen. Time is that of the frames' own stamps, so a variable frame rate needs no care. Colour: `colour.py`.
"""

import math
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from teacher.capture.colour import to_srgb
from teacher.capture.settings import cores
from teacher.capture.sharpness import sharpness
from teacher.errors import UserError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

MEASURED_SIDE = (
    640  # longest side on which sharpness is measured: a blur below it harms no training
)
THUMBNAIL_SIDE = 96
_BAD_SHARE = 0.1  # of the frames may be damaged, or missing, before the file counts as damaged


@dataclass(frozen=True)
class Glance:
    """What is kept of a frame that may or may not be chosen."""

    index: int
    """Number among the frames that could be decoded, from 0."""
    seconds: float
    """Since the clip's first frame."""
    sharpness: float
    thumbnail: UInt8[np.ndarray, "height width"]
    """Luma, as stored (not turned)."""


@dataclass(frozen=True)
class Clip:
    """A video file, from `start` to `end` seconds."""

    path: Path
    start: float | int = 0
    end: float | int | None = None

    def glances(self, progress: Callable[[int], object] = lambda done: None) -> list[Glance]:
        """Every frame between `start` and `end`, measured; `progress` is told how many there are so far.

        Raises:
            UserError: the file is no video, is damaged, or has nothing between `start` and `end`.
        """
        _check_span(self)
        found: list[Glance] = []
        seconds = 0.0
        for index, seconds, frame in self._frames():
            if seconds >= self.start:
                found.append(_glance(index, seconds, frame))
                progress(len(found))
        if not found:
            given = f"start {self.start:g} s, but it ends at {seconds:.1f} s"
            remedy = "choose an earlier --start"
            raise UserError(f"video {self.path}", given, "a start within the clip", remedy)
        return found

    def pictures(
        self, indices: Collection[int], longest_side: int
    ) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
        """(index, upright sRGB pixels) of the given frames, no side longer than `longest_side`."""
        wanted, last = set(indices), max(indices, default=-1)
        aspect = self._pixel_aspect()
        for index, _, frame in self._frames():
            if index in wanted:
                size = _shown_size(frame, aspect, longest_side)
                yield index, _upright(to_srgb(frame, *size), frame.rotation)
            if index >= last:
                return

    def _pixel_aspect(self) -> float:
        with _opened(self.path) as container:
            return float(container.streams.video[0].sample_aspect_ratio or 1)

    def _frames(self) -> Iterator[tuple[int, float, "VideoFrame"]]:
        """(index, seconds since the first frame, frame), up to `end`."""
        with _opened(self.path) as container:
            first, rate = None, float(container.streams.video[0].average_rate or 30)
            for index, frame in enumerate(_decoded(container, self.path)):
                stamp = index / rate if frame.time is None else float(frame.time)
                first = stamp if first is None else first
                if self.end is not None and stamp - first > self.end:
                    return
                yield index, stamp - first, frame


def _check_span(clip: Clip) -> None:
    if clip.start < 0 or (clip.end is not None and clip.end <= clip.start):
        end = "the clip's end" if clip.end is None else f"{clip.end:g} s"
        raise UserError(
            f"part of {clip.path}",
            f"from {clip.start:g} s to {end}",
            "0 <= start < end, in seconds",
            "mend --start and --end, or leave them out",
        )


@contextmanager
def _opened(path: Path) -> Iterator["InputContainer"]:
    """The file, if it is one that has a video stream."""
    import av.error

    if not path.is_file():
        raise UserError(
            f"video {path}", "no such file", "a video file", "check the path given as --data"
        )
    if path.stat().st_size == 0:
        raise _unreadable(path, "an empty file")
    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, OSError) as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    with container:
        if not container.streams.video:
            raise _unreadable(path, "no video in it")
        codec = container.streams.video[0].codec_context
        codec.thread_count, codec.thread_type = cores(), "AUTO"
        yield container


def _decoded(container: "InputContainer", path: Path) -> Iterator["VideoFrame"]:
    """Frames that decode; too many that do not are an error."""
    import av.error

    good = bad = 0
    seconds = 0.0
    stream = container.streams.video[0]
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                break
            frames = packet.decode()
        except av.error.FFmpegError:
            bad += 1
            if bad > 100 + good:
                break
            continue
        for frame in frames:
            if frame.is_corrupt:
                bad += 1
            else:
                good += 1
                seconds = float(frame.time or 0)
                yield frame
    if good == 0 or bad > _BAD_SHARE * (good + bad):
        raise _unreadable(path, f"{bad} of {good + bad} frames are damaged")
    _check_whole(path, stream, good + bad, seconds)


def _check_whole(path: Path, stream: "VideoStream", frames: int, seconds: float) -> None:
    """Raise where the file announces more than it holds: half a copy, whose index comes first, decodes without error.

    Both numbers must say so: an edit list hides frames, and the last frame may be shown for long.
    """
    if not stream.frames or not stream.duration or stream.time_base is None:
        return  # not every format says
    length = float(stream.duration * stream.time_base)
    least = 1 - _BAD_SHARE
    if frames < least * stream.frames and seconds < least * length:
        given = (
            f"it ends after {frames} of {stream.frames} frames ({seconds:.1f} of {length:.1f} s)"
        )
        raise _unreadable(path, given)


def _unreadable(path: Path, problem: str) -> UserError:
    return UserError(
        f"video {path}",
        problem,
        "a complete video file that FFmpeg reads (mp4, mov, webm, mkv, ...)",
        "copy the file from the phone again; if it plays there, export it as mp4 (H.264)",
    )


def _glance(index: int, seconds: float, frame: "VideoFrame") -> Glance:
    measured = _luma(frame, MEASURED_SIDE)
    return Glance(index, seconds, sharpness(measured), _luma(frame, THUMBNAIL_SIDE))


def _luma(frame: "VideoFrame", longest_side: int) -> UInt8[np.ndarray, "height width"]:
    width, height = fitted(frame.width, frame.height, longest_side)
    return frame.reformat(width, height, "gray", interpolation="AREA").to_ndarray()


def _shown_size(frame: "VideoFrame", aspect: float, longest_side: int) -> tuple[int, int]:
    """(width, height) before turning; `aspect` is a stored pixel's width by its height, shown ones are square."""
    return fitted(frame.width * max(aspect, 1.0), frame.height / min(aspect, 1.0), longest_side)


def fitted(width: float | int, height: float | int, longest_side: int) -> tuple[int, int]:
    """Whole numbers in the same proportion, the larger one at most `longest_side`."""
    scale = min(1.0, longest_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _upright(
    pixels: UInt8[np.ndarray, "stored_height stored_width 3"], rotation: int
) -> UInt8[np.ndarray, "height width 3"]:
    """As the file's display matrix asks: turned counter-clockwise by `rotation` degrees, to the nearest quarter."""
    return np.ascontiguousarray(np.rot90(pixels, math.floor(rotation / 90 + 0.5) % 4))
