"""Phases of a budget, and a clock that keeps back what its end needs."""

import itertools

import pytest

from student.schedule import Clock, factor_at, passed, shrunk_size


def test_pictures_grow_at_the_fractions_given() -> None:
    stages = ((0.25, 4), (0.5, 2))
    fractions = (0.0, 0.2499, 0.25, 0.4999, 0.5, 1.0)
    assert [factor_at(stages, f) for f in fractions] == [4, 4, 2, 2, 1, 1]
    assert factor_at((), 0.0) == 1


@pytest.mark.parametrize("size", [(128, 128), (756, 1008), (100, 68), (8, 16)])
@pytest.mark.parametrize("factor", [1, 2, 4, 64])
def test_shrunk_sizes_are_whole_blocks(size: tuple[int, int], factor: int) -> None:
    """And no larger than asked for, by less than a block too small."""
    for side, small in zip(size, shrunk_size(size, factor, 4), strict=True):
        assert small % 4 == 0 and small >= 4
        assert small == 4 or side / factor - 4 < small <= side / factor


def test_each_mark_is_passed_once_however_large_the_steps() -> None:
    """Five marks, steps of 0.07 and of 0.3: each mark once, the last at the end."""
    ends = [0.07 * k for k in range(16)]
    hits = [now for before, now in itertools.pairwise(ends) if passed(before, now, 5)]
    assert hits == pytest.approx([0.21, 0.42, 0.63, 0.84, 1.05])
    assert not passed(1.0, 1.3, 5), "what is over is over"


class Time:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_clock_goes_on_where_an_earlier_sitting_stopped() -> None:
    time = Time()
    clock = Clock(60.0, before=20.0, now=time)
    time.now += 5
    assert clock.seconds == pytest.approx(25)


def test_the_longest_of_each_kind_is_kept_back() -> None:
    """Measuring took 2 and 3 seconds, saving 1: another 4 are kept for the end; never above half."""
    time = Time()
    clock = Clock(60.0, now=time)
    assert clock.kept_back == 0
    for what, seconds in (("measuring", 2), ("saving", 1), ("measuring", 3), ("measuring", 1)):
        with clock.lasting(what):
            time.now += seconds
    assert clock.kept_back == pytest.approx(4)
    with clock.lasting("saving"):
        time.now += 100
    assert clock.kept_back == 30
