"""How sharp a picture is, as a number that can be compared between the frames of a clip.

The standard deviation of the Laplacian by that of the luma: what fine structure there is, relative to all structure.
Brightness and contrast cancel, so that a drifting exposure does not look like blur. (The Laplacian's variance as a
measure of focus: Pech-Pacheco et al. 2000; the min-max normalisation within each frame that some tools use makes
frames incomparable.)
"""

import numpy as np
from jaxtyping import UInt8

_FLOOR = 2.0  # of 255: below this contrast a picture is noise, and not sharp


def sharpness(luma: UInt8[np.ndarray, "height width"]) -> float:
    """From 0 (nothing fine in it, or nothing at all) to about 1 (a phone's sharpest frames) and more (noise)."""
    y = luma.astype(np.float32)
    laplacian = y[:-2, 1:-1] + y[2:, 1:-1] + y[1:-1, :-2] + y[1:-1, 2:] - 4 * y[1:-1, 1:-1]
    return float(laplacian.std() / np.hypot(y.std(), _FLOOR)) if laplacian.size else 0.0


def contrast(luma: UInt8[np.ndarray, "height width"]) -> float:
    """Standard deviation of the luma, of 255."""
    return float(luma.astype(np.float32).std())
