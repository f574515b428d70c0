"""Whether a reconstruction is true: "registered" with a small reprojection error is not enough.

    Model --strays--> cameras to drop
    Model, Comparison --findings--> measured numbers, each with the limits beyond which it warns or refuses

What fools reprojection errors: repeated textures fold the model (different sides are put into one place), a camera
turning on the spot has no depth, one camera may be thrown far off while it counts as registered. Hence

* contradictions: pairs of pictures whose many matched details the model does not have as the same points, "many" by
  what these pictures share with their best partners: a small pattern that is there twice harms nothing. In true models
  there are almost none; where different sides look alike, up to two fifths of all pairs (docs/capture.md has the
  measurements, and Zach et al. 2010, "Disambiguating Visual Relations Using Loop Constraints" the idea);
* jumps: neighbouring frames of a video that are not neighbouring cameras;
* depth: the angle between the rays of a point, which a turn on the spot does not give.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from teacher.capture.model import Comparison, Model, Pair, median

Verdict = Literal["good", "doubtful", "wrong"]

STRONG = 30
"""Matches from which a pair of pictures is a witness."""
_BEST = 4  # partners of a picture that say how much a strong pair shares
_GRAVE = (
    0.25  # of that: a contradicting pair with less is about some small thing that is there twice
)
_AGREES = 0.3  # share of a witness's matches that a true model has as the same points
_FAR = 4.0  # times the median distance from the cameras' middle: thrown off
_FEW_POINTS = 12  # a camera held by fewer points is held by luck
_SPIKE = 5.0  # times its neighbours' steps


@dataclass(frozen=True)
class Finding:
    """One measured number and what it means."""

    name: str
    value: float
    verdict: Verdict
    says: str
    """The number in a sentence."""


@dataclass(frozen=True)
class Limits:
    """Where a number starts to be doubtful and where it is wrong; larger is worse unless doubtful > wrong."""

    doubtful: float
    wrong: float

    def judge(self, value: float) -> Verdict:
        """The verdict on `value`."""
        sign = 1.0 if self.wrong >= self.doubtful else -1.0
        if sign * value >= sign * self.wrong:
            return "wrong"
        return "doubtful" if sign * value >= sign * self.doubtful else "good"


REGISTERED = Limits(0.9, 0.5)  # share of the pictures that have a camera
CONTRADICTIONS = Limits(0.03, 0.08)  # share of the witnesses
JUMPS = Limits(0.02, 0.06)  # share of a video's steps
DEPTH = Limits(4.0, 1.5)  # degrees, median over points of the widest angle between their rays
ERROR = Limits(1.5, 2.5)  # pixels at 1000, mean reprojection error
TRACKS = Limits(2.6, 2.05)  # mean pictures per point


def strays(model: Model, ordered: bool) -> dict[str, str]:
    """Cameras that cannot be right, by picture, with the reason."""
    distance = _distances(model.positions)
    far = distance > _FAR * max(median(distance), 1e-12)
    few = model.points_per_image < _FEW_POINTS
    errors = model.error_per_image
    bad = errors > max(3 * median(errors), 2.0)
    spike = _spikes(model.positions) if ordered else np.zeros(len(model.names), bool)
    reasons: dict[str, str] = {}
    for k, name in enumerate(model.names):
        if far[k]:
            reasons[name] = f"{distance[k] / median(distance):.0f} times as far out as the others"
        elif few[k]:
            reasons[name] = f"held by {model.points_per_image[k]} points only"
        elif bad[k]:
            reasons[name] = f"reprojection error of {errors[k]:.1f} pixels"
        elif spike[k]:
            reasons[name] = "far from the frames before and after it"
    return reasons


def _distances(positions: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    return np.linalg.norm(positions - np.median(positions, 0), axis=1)


def _spikes(positions: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]:
    """Cameras far from both neighbours, which are near each other."""
    spike = np.zeros(len(positions), bool)
    if len(positions) < 5:
        return spike
    step = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    across = np.linalg.norm(positions[2:] - positions[:-2], axis=1)
    usual = np.maximum(across, median(step))
    spike[1:-1] = np.minimum(step[:-1], step[1:]) > _SPIKE * usual
    return spike


def findings(
    model: Model, compared: Comparison, total: int, order: Sequence[str] | None
) -> list[Finding]:
    """What there is to say about a model of `total` pictures; `order`: a video's frames as they were filmed."""
    shown = max((max(lens.width, lens.height) for lens in model.lenses), default=1000)
    error = float(model.errors.mean()) * 1000 / max(shown, 1000) if len(model.errors) else 0.0
    share = len(model.names) / total
    asked = witnesses(compared)
    against = contradicting(compared)
    contradiction = len(against) / max(len(asked), 1)
    angle = median(ray_angles(model))
    tracks = float(model.track_lengths.mean()) if len(model.points) else 0.0
    found = [
        Finding(
            *("registered", share, REGISTERED.judge(share)),
            f"{len(model.names)} of {total} pictures have a camera",
        ),
        Finding(
            *("contradictions", contradiction, CONTRADICTIONS.judge(contradiction)),
            f"{len(against)} of {len(asked)} pairs of pictures that look alike contradict the cameras",
        ),
        Finding(
            *("depth", angle, DEPTH.judge(angle)),
            f"points are seen from directions {angle:.1f} degrees apart (median)",
        ),
        Finding(
            *("error", error, ERROR.judge(error)),
            f"points are off by {error:.2f} pixels on average, at 1000 pixels",
        ),
        Finding(
            *("tracks", tracks, TRACKS.judge(tracks)),
            f"a point is seen in {tracks:.1f} pictures on average",
        ),
    ]
    if order is not None:
        jumps, steps = path_jumps(model, order)
        share = len(jumps) / max(steps, 1)
        verdict = JUMPS.judge(share) if len(jumps) > 1 else "good"
        says = f"{len(jumps)} of {steps} neighbouring frames are not neighbouring cameras"
        found.append(Finding("jumps", share, verdict, says))
    return found


def witnesses(compared: Comparison) -> list[Pair]:
    """Pairs of pictures with enough matches, of which enough came to something in the model."""
    return [pair for pair in compared.strong(STRONG) if pair.either >= STRONG // 2]


def contradicting(compared: Comparison) -> list[Pair]:
    """Witnesses whose matches the model has as different points, and that match about as well as true partners."""
    agreeing: dict[str, list[int]] = defaultdict(list)
    against = []
    for pair in witnesses(compared):
        if pair.same < _AGREES * pair.either:
            against.append(pair)
        else:
            agreeing[pair.first].append(pair.matches)
            agreeing[pair.second].append(pair.matches)
    usual = {name: median(sorted(shared)[-_BEST:]) for name, shared in agreeing.items()}
    return [
        pair
        for pair in against
        if pair.matches >= _GRAVE * min(usual.get(pair.first, 0), usual.get(pair.second, 0))
    ]


def path_jumps(model: Model, order: Sequence[str]) -> tuple[list[str], int]:
    """(frames after which the camera jumps, steps looked at): a step is many times those around it.

    A step over frames without a camera may be as many times longer.
    """
    place = {name: k for k, name in enumerate(order)}
    at = np.array([place[name] for name in model.names])
    step = np.linalg.norm(np.diff(model.positions, axis=0), axis=1) / np.maximum(np.diff(at), 1)
    jumps = []
    for k, length in enumerate(step):
        around = np.delete(step[max(0, k - 6) : k + 7], min(k, 6))
        usual = max(median(around), 0.3 * median(step))
        if length > _SPIKE * max(usual, 1e-12):
            jumps.append(model.names[k])
    return jumps, len(step)


def ray_angles(model: Model) -> Float[np.ndarray, " points"]:
    """For each point, twice the largest angle between a ray to it and the mean of its rays, in degrees."""
    rays = model.points[model.seen_point] - model.positions[model.seen_image]
    rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-12)
    mean = np.zeros_like(model.points)
    np.add.at(mean, model.seen_point, rays)
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    half = np.zeros(len(model.points))
    chord = np.linalg.norm(rays - mean[model.seen_point], axis=1)
    np.maximum.at(half, model.seen_point, 2 * np.arcsin((chord / 2).clip(0, 1)))
    return np.degrees(2 * half)
