"""Keeping the best weights of a training, chosen by views that nothing is reported on.

    test split --with_judges--> "val": one view of every two, chooses   "test": the others, are reported on
    Trainer.judge: PSNR of the averaged weights on judges --> Best: the weights that did best so far

The best of many measurements is better than its weights are: it was chosen for being high. So the number that is
reported must come from other views. Where the data set has a "val" split, that one chooses, and "test" stays whole.

Which of two views judges is drawn, by a hash of its name: the same in every run. Every other one would be simpler, but
cameras come in patterns. The built-in scene's go around by 88 degrees each: every other one saw it from front or back,
every fourth from the front alone, and what these chose was up to 0.9 dB worse on the rest than the last step.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor

from teacher.errors import UserError
from teacher.scene import Frame, Scene

Keep = Literal["last", "best"]
JUDGES = "val"
"""The split that chooses."""


@dataclass(frozen=True)
class Best:
    """The averaged weights that did best so far."""

    psnr: float
    """On the judges, over white."""
    step: int
    seconds: float
    """Of training, until then."""
    judges: list[str]
    """Names of the views that said so."""
    weights: dict[str, Tensor]

    def numbers(self) -> dict[str, Any]:
        """All but the weights, as JSON."""
        seconds = round(self.seconds, 2)
        return {"psnr": self.psnr, "step": self.step, "seconds": seconds, "judges": self.judges}


def with_judges(scene: Scene) -> Scene:
    """`scene` with a split that chooses weights: its own, or one of every two test views.

    Raises:
        UserError: there is no such split, and a single test view to take it from.
    """
    if JUDGES in scene.splits:
        return scene
    test = scene.splits["test"]
    if len(test) < 2:
        expected = f'a "{JUDGES}" split, or two test views: one to choose by, one to report on'
        remedy = "--keep last, or hold out more views"
        raise UserError("--keep best", f"{len(test)} test view", expected, remedy)
    pairs = [test[k : k + 2] for k in range(0, len(test) - 1, 2)]  # an odd one out is reported on
    return without(scene, [min(pair, key=_draw).name for pair in pairs])


def without(scene: Scene, judges: Sequence[str]) -> Scene:
    """`scene` whose test views named in `judges` are those that choose: as a run that kept its best had them."""
    if JUDGES in scene.splits or not judges:
        return scene
    names, test = set(judges), scene.splits["test"]
    chose = tuple(frame for frame in test if frame.name in names)
    rest = tuple(frame for frame in test if frame.name not in names)
    return replace(scene, splits={**scene.splits, JUDGES: chose, "test": rest})


def spread(frames: Sequence[Frame], count: int) -> Sequence[Frame]:
    """At most `count` of `frames`, evenly from the first: for the log of a run that keeps the last."""
    return frames[:: max(1, len(frames) // count)][:count]


def drawn(frames: Sequence[Frame], count: int) -> Sequence[Frame]:
    """At most `count` of `frames`, drawn by their names: for judges."""
    return sorted(frames, key=_draw)[:count]


def _draw(frame: Frame) -> bytes:
    return hashlib.blake2b(frame.name.encode(), digest_size=8).digest()
