"""NVIDIA's LDR-FLIP (Andersson et al. 2020) of arrays, without torch: what flips to the eye when pictures alternate."""

import numpy as np
from jaxtyping import Float32


def flip_error(
    image: Float32[np.ndarray, "height width 3"], reference: Float32[np.ndarray, "height width 3"]
) -> tuple[Float32[np.ndarray, "height width"], float]:
    """Error of every pixel and its mean, in [0, 1], at the tool's default viewing distance (67 pixels per degree)."""
    import flip_evaluator

    # the fourth argument: numbers, not the tool's own colours
    errors, mean, _ = flip_evaluator.evaluate(reference, image, "LDR", applyMagma=False)
    return np.ascontiguousarray(errors[..., 0]), float(mean)
