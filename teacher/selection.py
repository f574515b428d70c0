"""Keeping the best weights of a training, chosen by views that nothing is reported on.

    test split --with_judges--> "val": every other view, chooses   "test": the rest, is reported on
    Trainer.judge: PSNR of the averaged weights on judges --> Best: the weights that did best so far

The best of many measurements is better than its weights are: it was chosen for being high. So the number that is
reported must come from other views. Where the data set has a "val" split, that one chooses, and "test" stays whole.
"""

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
    """`scene` with a split that chooses weights: its own, or every other test view, from the first.

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
    return replace(scene, splits={**scene.splits, JUDGES: test[::2], "test": test[1::2]})


def without(scene: Scene, judges: Sequence[str]) -> Scene:
    """`scene` whose test views named in `judges` are those that choose: as a run that kept its best had them."""
    if JUDGES in scene.splits or not judges:
        return scene
    names, test = set(judges), scene.splits["test"]
    chose = tuple(frame for frame in test if frame.name in names)
    rest = tuple(frame for frame in test if frame.name not in names)
    return replace(scene, splits={**scene.splits, JUDGES: chose, "test": rest})


def spread(frames: Sequence[Frame], count: int) -> Sequence[Frame]:
    """At most `count` of `frames`, evenly from the first."""
    return frames[:: max(1, len(frames) // count)][:count]
