"""Which frames of a clip are worth keeping: sharp ones that differ from each other.

    glances --clearly blurred--> out --nearly the same as the last one kept--> out
            --equal windows of progress--> the sharpest of each

* Blurred: much less sharp than the sharp ones among its neighbours in time (so a clip that is soft throughout keeps
  its frames). Where the picture moves far while all frames are blurred, or merely show what is plainer than what was
  shown before, the sharpest are kept all the same: cameras are found through overlap.
* The same: `change` estimates how far the picture has moved, as a fraction of its width, from the difference of two
  thumbnails by their gradients (Lucas and Kanade 1981, with every pixel's error counted as motion).
* Progress: half time, half change, so that quick parts of the path get more frames than slow ones.
* The first and the last frame that are not blurred are always kept.

Nothing is drawn at random: the same clip gives the same frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from teacher.capture.video import Glance

Fate = Literal["kept", "blurred", "same", "passed over"]

BLURRED = 0.75
"""Sharpness, of that of the sharp frames nearby, below which a frame is dropped."""
SAME = 0.002
"""Motion, in widths of the picture, below which two frames count as the same: 2 pixels of 1000."""
BRIDGE = 0.04
"""Motion, in widths of the picture, across which blurred frames are not all dropped."""
_NEARBY = 0.75  # seconds on either side, and at least four frames
_NOISE = 0.3  # of 255: mean gradient below which thumbnails say nothing about motion

Thumbnail = UInt8[np.ndarray, "height width"]


@dataclass(frozen=True)
class Choice:
    """What became of every frame, in the clip's order."""

    fates: tuple[Fate, ...]

    @property
    def kept(self) -> list[int]:
        """Positions of the frames that are kept."""
        return [k for k, fate in enumerate(self.fates) if fate == "kept"]

    def count(self, fate: Fate) -> int:
        """How many frames met this fate."""
        return self.fates.count(fate)


def choose(glances: Sequence[Glance], target: int) -> Choice:
    """At most `target` (from 2) frames; fewer where fewer differ."""
    sharp = np.array([glance.sharpness for glance in glances])
    seconds = np.array([glance.seconds for glance in glances])
    clear = _bridged(glances, sharp, blurred(seconds, sharp))
    distinct, steps = _distinct(glances, clear)
    kept = set(_sharpest_of_windows(seconds, sharp, distinct, steps, target))
    blurry, different = set(range(len(glances))) - set(clear.tolist()), set(distinct)
    fates: list[Fate] = [
        "kept"
        if k in kept
        else "blurred"
        if k in blurry
        else "passed over"
        if k in different
        else "same"
        for k in range(len(glances))
    ]
    return Choice(tuple(fates))


def blurred(
    seconds: Float[np.ndarray, " frames"], sharp: Float[np.ndarray, " frames"]
) -> Bool[np.ndarray, " frames"]:
    """Which frames are clearly less sharp than the upper quartile of those around them."""
    reference = np.empty_like(sharp)
    for k, now in enumerate(seconds):
        low, high = np.searchsorted(seconds, (now - _NEARBY, now + _NEARBY))
        low, high = max(0, min(low, k - 4)), max(high, k + 5)
        reference[k] = np.quantile(sharp[low:high], 0.75)
    return sharp < BLURRED * reference


def _bridged(
    glances: Sequence[Glance],
    sharp: Float[np.ndarray, " frames"],
    blurry: Bool[np.ndarray, " frames"],
) -> Int[np.ndarray, " clear"]:
    """The frames that are not blurred, and of every BRIDGE of motion without one the sharpest."""
    kept = ~blurry
    ends = [-1, *np.flatnonzero(kept).tolist(), len(glances)]
    for before, after in pairwise(ends):
        run = range(before + 1, after)
        steps = [change(glances[k - 1].thumbnail, glances[k].thumbnail) for k in run if k > 0]
        pieces = int(sum(steps) / BRIDGE)
        if pieces:
            for piece in np.array_split(np.array(run), min(pieces, len(run))):
                kept[piece[np.argmax(sharp[piece])]] = True
    return np.flatnonzero(kept)


def change(a: Thumbnail, b: Thumbnail) -> float:
    """How far the picture moved from `a` to `b`, roughly, in widths; brightness does not count."""
    x, y = a.astype(np.float32), b.astype(np.float32)
    x, y = x - x.mean(), y - y.mean()
    mean = (x + y) / 2
    slope = float(np.hypot(*np.gradient(mean)).mean()) if min(mean.shape) > 1 else 0.0
    return float(np.abs(x - y).mean()) / (slope + _NOISE) / max(a.shape)


def _distinct(
    glances: Sequence[Glance], clear: Int[np.ndarray, " clear"]
) -> tuple[list[int], list[float]]:
    """Frames that differ from the one kept before, and by how much; the last clear frame is always among them."""
    kept, steps = [int(clear[0])], [0.0]
    for k in map(int, clear[1:]):
        moved = change(glances[kept[-1]].thumbnail, glances[k].thumbnail)
        if moved >= SAME:
            kept.append(k)
            steps.append(moved)
    last = int(clear[-1])
    if kept[-1] != last:  # in place of the frame it is the same as, unless that is the first one
        if len(kept) == 1:
            kept, steps = [*kept, last], [*steps, 0.0]
        else:
            kept[-1] = last
    return kept, steps


def _sharpest_of_windows(
    seconds: Float[np.ndarray, " frames"],
    sharp: Float[np.ndarray, " frames"],
    distinct: list[int],
    steps: list[float],
    target: int,
) -> list[int]:
    """First, last, and the sharpest frame of each of `target` - 2 equal windows of progress between them."""
    if len(distinct) <= target:
        return distinct
    shares = [
        part / part[-1] if part[-1] > 0 else np.linspace(0, 1, len(distinct))
        for part in (seconds[distinct] - seconds[distinct[0]], np.cumsum(steps))
    ]
    progress = np.mean(shares, 0)
    window = np.minimum((progress * (target - 2)).astype(int), target - 3)
    best: dict[int, int] = {}
    for place in range(1, len(distinct) - 1):
        k, w = distinct[place], int(window[place])
        if w not in best or sharp[k] > sharp[best[w]]:
            best[w] = k
    return [distinct[0], *sorted(best.values()), distinct[-1]]
