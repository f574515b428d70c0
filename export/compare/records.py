"""What is known of one view of one run after the comparison: plain values and files, nothing of torch.

`export.compare.batch` writes them into the cache; panel, report and CSV only read them.
"""

from dataclasses import dataclass
from pathlib import Path

MODELS = ("teacher", "student", "onnx fp32", "onnx fp16")
"""What can be compared, in the order in which it is shown."""
REFERENCES = ("truth", "teacher", "student")
"""What models are compared with: photographs; the teacher (its pupils); the student in torch (its exports)."""

Scores = dict[str, float | str]
"""Metric to value, or to the reason why there is none ("n/a (...)"): see `teacher.metrics.METRICS`."""


@dataclass(frozen=True)
class Novelty:
    """How far a camera is from those that were trained on; 0 at any of them."""

    degrees: float
    """Smallest angle at the point of interest between its direction and that of a training camera."""
    distance: float
    """Distance to the nearest training camera, in units of that camera's distance to the point of interest."""


@dataclass(frozen=True)
class ViewRecord:
    """One camera through everything that a run has."""

    run: str
    name: str
    split: str
    background: str
    width: int
    height: int
    novelty: Novelty
    pictures: dict[str, Path]
    """"truth" (where there is one) and models to straight-alpha RGBA PNG files."""
    depths: dict[str, Path]
    """Models to 16-bit depth PNG files, 1e-4 norm units, 0 where nothing was hit."""
    scores: dict[str, dict[str, Scores]]
    """Reference to model to scores: `scores["truth"]["student"]["psnr"]`."""
    milliseconds: dict[str, float]
    """Models to the time of rendering this view."""
    sizes: dict[str, tuple[int, int]]
    """Models to the (width, height) they compute; where it is not the view's, pictures were resampled."""
    kept: Path | None = None
    """PNG file, white where pixels count; None: all do."""
