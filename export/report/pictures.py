"""What a view's strip shows, at full size: pictures over their background, then maps of what is lost where.

ViewRecord --shots_of--> Shot ... (truth, teacher, student, an export; error, FLIP, depth of the student)
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from export.compare.records import ViewRecord
from export.report.summary import score

Pixels = UInt8[np.ndarray, "height width 3"]
GAIN = 4.0
"""By how much errors are exaggerated."""


@dataclass(frozen=True)
class Shot:
    """One picture of a strip."""

    role: str
    """Such as "truth", "student", "error of the student"."""
    pixels: Pixels
    note: str
    """What is said below it, beside its role."""
    scenic: bool
    """Whether it shows the scene itself, and no map."""


def shots_of(record: ViewRecord) -> list[Shot]:
    """The pictures of one view; those whose files are gone or damaged are left out."""
    pictures = {}
    for role in ("truth", "teacher", "student", _export(record.pictures)):
        path = record.pictures.get(role)
        pixels = None if path is None else read_over(path, record.background)
        if pixels is not None:
            pictures[role] = pixels
    reference = "truth" if "truth" in pictures else "teacher"
    return [
        Shot(role, pixels, _note(record, role, reference), True)
        for role, pixels in pictures.items()
    ]


def _export(models: Collection[str]) -> str:
    """The export to show: the smaller one, in which more can be lost."""
    return "onnx fp16" if "onnx fp16" in models else "onnx fp32"


def read_over(path: Path, background: str) -> Pixels | None:
    """A straight-alpha PNG put over white or black, or None where it cannot be read."""
    try:
        with Image.open(path) as image:
            rgba = np.asarray(image.convert("RGBA"), np.float32)
    except (OSError, SyntaxError, ValueError):
        return None
    alpha = rgba[..., 3:] / 255
    behind = 255.0 if background == "white" else 0.0
    return np.rint(rgba[..., :3] * alpha + behind * (1 - alpha)).astype(np.uint8)


def _note(record: ViewRecord, role: str, reference: str) -> str:
    """PSNR against the reference, or the size of a photograph."""
    if role == "truth":
        return f"{record.width} × {record.height}"
    psnr = score(record, role, reference, "psnr")
    return "the reference" if psnr is None else f"{psnr:.2f} dB"
