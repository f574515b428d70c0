"""Temporal stability: how much of a student's change from frame to frame is not the scene's.

Student S and teacher T render the same frames of a camera that moves, put over the same background.
With means over pixels, channels and frames,

    motion   m^2 = mean (T[t+1] - T[t])^2
    flicker  r^2 = mean ((S[t+1] - S[t]) - (T[t+1] - T[t]))^2
    stability    = 10 log10(m^2 / r^2) dB, 100 dB standing for equality

A constant error is no flicker: what is wrong but moves along with the scene does not shimmer. An
error that alternates between +e and -e has r = 2 e. A student that stands still has 0 dB. The
figure depends on the step between frames, so that is fixed: 1/360 of the envelope's orbit
(`teacher.paths`), in bursts spread over it.

Second differences, mean |X[t+1] - 2 X[t] + X[t-1]|, judge a renderer by itself: larger than the
teacher's, it shimmers; smaller, it blurs.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera
from teacher.metrics import mse_to_psnr
from teacher.paths import orbit
from teacher.pseudo.envelope import Envelope
from teacher.pseudo.view import ViewRenderer
from teacher.scene import composite_over

STEPS = 360
"""Frames of a whole orbit: one degree between them, where the envelope goes all the way round."""
BURSTS = 4
"""Places on the orbit at which frames are rendered."""
LENGTH = 6
"""Consecutive frames at each."""
_STILL = 1e-12  # mean square of a motion that is none

Film = Float[Tensor, "_ height width 3"]


@dataclass(frozen=True)
class Stability:
    """Temporal stability of a student beside its teacher; see the module's docstring."""

    frames: int
    """Rendered by each."""
    stability_db: float
    """Of the teacher's motion over the student's flicker."""
    motion: float
    """RMS of the teacher's change from frame to frame."""
    flicker: float
    """RMS of the student's change beyond the teacher's."""
    second_difference_student: float
    second_difference_teacher: float


def measure_stability(films: Iterable[tuple[Film, Film]]) -> Stability:
    """Stability over all `films`, pairs of (student, teacher) of at least three frames each."""
    frames, sums, counts = 0, torch.zeros(4, dtype=torch.float64), torch.zeros(4)
    for student, teacher in films:
        changes = student.diff(dim=0), teacher.diff(dim=0)
        squares = [(changes[0] - changes[1]).square(), changes[1].square()]
        parts = squares + [change.diff(dim=0).abs() for change in changes]
        sums += torch.stack([part.double().sum() for part in parts])
        counts += torch.tensor([part.numel() for part in parts])
        frames += len(student)
    flicker, motion, of_student, of_teacher = (sums / counts).tolist()
    decibels = mse_to_psnr(flicker / max(motion, _STILL))
    return Stability(frames, decibels, motion**0.5, flicker**0.5, of_student, of_teacher)


def orbit_bursts(envelope: Envelope, like: Camera) -> list[list[Camera]]:
    """Bursts of consecutive cameras, evenly spread over the envelope's orbit."""
    cameras = orbit(envelope, like, STEPS)
    starts = [burst * STEPS // BURSTS for burst in range(BURSTS)]
    return [cameras[start : start + LENGTH] for start in starts]


def films(
    student: ViewRenderer,
    teacher: ViewRenderer,
    bursts: Iterable[list[Camera]],
    background: float,
) -> Iterator[tuple[Film, Film]]:
    """What both renderers show of each burst, clamped to [0, 1]."""
    for cameras in bursts:
        yield _film(student, cameras, background), _film(teacher, cameras, background)


def _film(renderer: ViewRenderer, cameras: list[Camera], background: float) -> Film:
    pictures = (composite_over(renderer.render(camera).rgba, background) for camera in cameras)
    return torch.stack([picture.clamp(0, 1) for picture in pictures])
