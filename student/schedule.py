"""What changes over a budget, and how much of it is used up.

Everything is said in fractions of the budget, be it minutes or steps, so that a run of any length
goes through the same phases.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

_MOST_KEPT_BACK = 0.5  # of a budget, for what follows the last step
_ROUNDING = 1e-9  # a mark that is reached is passed

Stages = Sequence[tuple[float, int]]
"""(fraction of the budget, factor): until then, pictures are smaller by the factor."""


def factor_at(stages: Stages, fraction: float) -> int:
    """By how much pictures are smaller once `fraction` of the budget is used up; 1 behind all."""
    return next((factor for until, factor in stages if fraction < until), 1)


def shrunk_size(size: tuple[int, int], factor: int, step: int) -> tuple[int, int]:
    """(height, width) of pictures about `factor` times smaller: positive multiples of `step`."""
    height, width = (max(step, side // factor // step * step) for side in size)
    return height, width


def passed(before: float, now: float, points: int) -> bool:
    """Whether one of `points` marks, evenly over [0, 1] with the last at 1, lies in (before, now].

    >>> passed(0.2, 0.3, 4), passed(0.3, 0.4, 4), passed(0.9, 1.2, 4)
    (True, False, True)
    """
    marks = [int(min(1.0, fraction) * points + _ROUNDING) for fraction in (before, now)]
    return marks[0] < marks[1]


class Clock:
    """Seconds of a run, earlier sittings included, and how many to keep back for its end.

    Args:
        limit: the budget in seconds.
        before: seconds that earlier sittings took.
        now: tells the time, in seconds.
    """

    def __init__(
        self, limit: float, before: float = 0.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit, self._now = limit, now
        self._start = now() - before
        self._lasted: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self._now() - self._start

    @contextmanager
    def lasting(self, what: str) -> Iterator[None]:
        """Note how long the block takes: the run ends with such a `what`, too."""
        start = self._now()
        yield
        self._lasted[what] = max(self._lasted.get(what, 0.0), self._now() - start)

    @property
    def kept_back(self) -> float:
        """Seconds to keep for one more of each thing that the run ends with."""
        return min(_MOST_KEPT_BACK * self.limit, sum(self._lasted.values(), 0.0))
