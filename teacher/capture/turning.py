"""Whether the camera did nothing but turn on the spot, asked of the matches before cameras are looked for.

    homographies of pairs --the focal length that makes most of them rotations--> shifts --> a turn, or not

Mapping does not fail on such a clip, or not soon: with a wrong focal length and a distorted lens it makes up a path and
a depth, and every camera is registered at a quarter of a pixel. What tells is known earlier. Pictures taken from one
place differ by H = K R K^-1 (Hartley and Zisserman 2004, 8.4). So does a flat scene, filmed on a walk: its pictures
differ by a homography too, but K^-1 H K is R + t n^T / d, whose singular values are 1 in the middle and further from 1
the larger the step t is by the distance d; no one focal length makes them rotations (which is how a turning camera is
calibrated: Hartley 1994, "Self-calibration from multiple views with a rotating camera").
"""

import numpy as np
from jaxtyping import Float

from teacher.capture.model import MAPPED, Comparison

_FEWEST = 5  # pairs that are
_SHARE = 0.85  # of the pairs that are explained by a homography
_STEP = 0.03  # by the distance of what is seen: three quarters of the pairs have less
_FOCAL = (0.4, 3.0)  # in longer sides of the picture: 103 to 19 degrees


def only_turns(compared: Comparison) -> tuple[int, int] | None:
    """(pairs that differ by a turn or something flat, pairs) of a camera that turned on the spot; else None."""
    pairs = len(compared.strong(MAPPED))
    flat = len(compared.homographies)
    if flat < max(_FEWEST, _SHARE * pairs):
        return None
    return (flat, pairs) if np.quantile(steps(compared.homographies), 0.75) < _STEP else None


def steps(homographies: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, " n"]:
    """How far the camera moved between the pictures of each pair, by the distance of a plane that explains it.

    For the focal length at which the median is least. Coordinates are from the picture's middle, in longer sides.
    """
    best = _best(homographies, np.geomspace(*_FOCAL, 24))
    return _steps_at(homographies, _best(homographies, best * np.geomspace(0.91, 1.1, 24)))


def _best(homographies: Float[np.ndarray, "n 3 3"], focal: Float[np.ndarray, " m"]) -> float:
    return float(min(focal, key=lambda f: np.median(_steps_at(homographies, f))))


def _steps_at(homographies: Float[np.ndarray, "n 3 3"], f: float) -> Float[np.ndarray, " n"]:
    K = np.diag([f, f, 1.0])
    s = np.linalg.svd(np.linalg.inv(K) @ homographies @ K, compute_uv=False)
    return (s[:, 0] - s[:, 2]) / np.maximum(s[:, 1], 1e-12)
