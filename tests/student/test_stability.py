"""Temporal stability in closed form: perfection, constant errors, flicker, stillness, noise."""

import math
from itertools import pairwise

import pytest
import torch

from student.stability import LENGTH, STEPS, films, measure_stability, orbit_bursts
from teacher.pseudo.source import Source
from teacher.pseudo.view import View


def _film(frames: int = 7) -> torch.Tensor:
    """A teacher's film whose brightness grows by 0.04 in a frame, and then by 0.06, in turn."""
    steps = torch.tensor([0.0] + [0.04, 0.06] * (frames // 2))[:frames]
    return (0.2 + steps.cumsum(0))[:, None, None, None].expand(-1, 4, 5, 3)


MOTION = math.sqrt((0.04**2 + 0.06**2) / 2)


def _alternating(frames: int = 7) -> torch.Tensor:
    return torch.tensor([1.0, -1.0]).repeat(frames)[:frames, None, None, None]


def test_the_teacher_itself_is_perfectly_stable() -> None:
    found = measure_stability([(_film(), _film())])
    assert (found.stability_db, found.flicker, found.frames) == (100, 0, 7)
    assert found.motion == pytest.approx(MOTION, rel=1e-5)
    assert found.second_difference_student == found.second_difference_teacher
    assert found.second_difference_teacher == pytest.approx(0.02, rel=1e-4)


def test_a_constant_error_is_no_flicker() -> None:
    """However large, and another one at every pixel."""
    error = torch.rand(1, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    found = measure_stability([(_film() + error, _film())])
    assert found.stability_db > 95
    assert found.flicker < 1e-6
    # rounding alone: the second difference is still the teacher's
    assert found.second_difference_student == pytest.approx(0.02, rel=1e-4)


@pytest.mark.parametrize("e", [0.001, 0.01, 0.2])
def test_alternating_errors_are_their_closed_form(e: float) -> None:
    """+e, -e, +e: the residual is 2 e everywhere, and the second difference 4 e on a still scene."""
    found = measure_stability([(_film() + e * _alternating(), _film())])
    assert found.flicker == pytest.approx(2 * e, rel=1e-3)
    assert found.stability_db == pytest.approx(20 * math.log10(MOTION / (2 * e)), abs=0.01)
    grey = torch.full((7, 4, 5, 3), 0.5)
    still = measure_stability([(grey + e * _alternating(), grey)])
    assert still.second_difference_student == pytest.approx(4 * e, rel=1e-3)
    assert still.second_difference_teacher == still.motion == 0
    assert still.stability_db < 0


def test_a_student_that_stands_still_has_no_decibels() -> None:
    """Its residual is the teacher's own motion."""
    found = measure_stability([(_film()[:1].expand(7, -1, -1, -1), _film())])
    assert found.stability_db == pytest.approx(0, abs=1e-3)
    assert found.second_difference_student == 0


def test_independent_noise_adds_up() -> None:
    """Noise of deviation s: the residual's variance is 2 s^2, the second difference's 6 s^2."""
    generator = torch.Generator().manual_seed(0)
    grey = torch.full((12, 40, 40, 3), 0.5)
    noise = 0.01 * torch.randn(grey.shape, generator=generator)
    found = measure_stability([(grey + noise, grey)])
    assert found.flicker == pytest.approx(0.01 * math.sqrt(2), rel=0.01)
    mean_of_absolute_normal = math.sqrt(2 / math.pi)
    expected = 0.01 * math.sqrt(6) * mean_of_absolute_normal
    assert found.second_difference_student == pytest.approx(expected, rel=0.01)


def test_films_are_not_joined() -> None:
    """Between bursts nothing moves: two films count as the mean of both, weighted by their frames."""
    first = (_film(3) + 0.01 * _alternating(3), _film(3))
    jump = (_film(5) * 0.5 + 0.5, _film(5) * 0.5 + 0.5)
    both = measure_stability([first, jump])
    assert both.frames == 8
    assert both.flicker**2 == pytest.approx((2 * 0.02**2 + 4 * 0) / 6, rel=1e-3)


def test_bursts_are_a_degree_apart_and_all_round(ball: Source) -> None:
    bursts = orbit_bursts(ball.envelope, ball.cameras[0])
    assert ball.envelope.whole_orbit and STEPS == 360
    assert [len(burst) for burst in bursts] == [LENGTH] * 4
    pivot = torch.tensor(ball.envelope.pivot)
    azimuth = [
        [math.degrees(math.atan2(*reversed((c.position - pivot)[:2].tolist()))) for c in burst]
        for burst in bursts
    ]
    for burst in azimuth:
        assert [(b - a) % 360 for a, b in pairwise(burst)] == pytest.approx([1] * 5, abs=1e-3)
    turns = [(b[0] - a[0]) % 360 for a, b in pairwise(azimuth)]
    assert turns == pytest.approx([90] * 3, abs=1e-3)
    assert all(ball.envelope.contains(camera) for burst in bursts for camera in burst)


def test_films_are_what_the_page_shows(ball: Source) -> None:
    """Over the background, and clamped as a screen does."""
    bursts = orbit_bursts(ball.envelope, ball.cameras[0])[:1]

    class Overdone:
        def render(self, camera) -> View:
            view = ball.renderer.render(camera)
            return View(view.camera, view.rgba * torch.tensor([9.0, 9.0, 9.0, 1.0]), view.depth)

    ((student, teacher),) = films(Overdone(), ball.renderer, bursts, 1.0)
    assert student.shape == teacher.shape == (LENGTH, 32, 32, 3)
    assert teacher[:, 0, 0].eq(1).all()  # nothing there: white
    assert student.max() == 1 and student.min() >= 0
    assert measure_stability([(teacher, teacher)]).motion > 0
