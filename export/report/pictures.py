"""What a view's strip shows, at full size: pictures over their background, then maps of what is lost where.

ViewRecord --shots_of--> Shot ... (truth, teacher, student, an export; error, FLIP, depth of the student)
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from export.compare import maps
from export.compare.records import ViewRecord
from export.report.summary import score

_UNREADABLE = (OSError, SyntaxError, ValueError)
"""What Pillow raises for files that are gone, cut off, or no pictures."""


@dataclass(frozen=True)
class Shot:
    """One picture of a strip."""

    role: str
    """Such as "truth", "student", "error of the student"."""
    pixels: maps.Pixels
    note: str
    """What is said below it, beside its role."""
    scenic: bool
    """Whether it shows the scene itself, and no map."""


def shots_of(record: ViewRecord) -> list[Shot]:
    """The pictures of one view, then its maps; those whose files are gone or damaged are left out."""
    shots = []
    for role in ("truth", "teacher", "student", _export(record.pictures)):
        pixels = None if role not in record.pictures else _over(record, role)
        if pixels is not None:
            shots.append(Shot(role, pixels, "", True))
    roles = [shot.role for shot in shots]
    reference = "truth" if "truth" in roles else "teacher"
    noted = [replace(shot, note=_note(record, shot.role, reference)) for shot in shots]
    return [*noted, *_maps(record, roles, reference)]


def _export(models: Collection[str]) -> str:
    """The export to show: the smaller one, in which more can be lost."""
    return "onnx fp16" if "onnx fp16" in models else "onnx fp32"


def _over(record: ViewRecord, role: str) -> maps.Pixels | None:
    """A picture over its background, or None where it cannot be read."""
    try:
        values = maps.over(record.pictures[role], record.background)
    except _UNREADABLE:
        return None
    return np.rint(255 * values).astype(np.uint8)


def _maps(record: ViewRecord, roles: Collection[str], reference: str) -> list[Shot]:
    """Error, FLIP and depth of the student, or of the teacher where there is no student."""
    model = "student" if "student" in roles else "teacher"
    shots = []
    try:
        if model in roles and reference in roles and model != reference:
            shots = _differences(record, model, reference)
        if model in record.depths:
            limits = maps.depth_limits(record.depths.values())
            pixels = maps.depth_picture(record.depths[model], limits)
            note = f"{limits[0]:.2f} to {limits[1]:.2f} norm units"
            shots.append(Shot(f"depth of the {model}", pixels, note, False))
    except _UNREADABLE:
        pass  # a file that is gone or damaged: the others are shown
    return shots


def _differences(record: ViewRecord, model: str, reference: str) -> list[Shot]:
    pair = (record.pictures[model], record.pictures[reference], record.background)
    error = maps.error_map(*pair, kept=record.kept)
    flip = maps.flip_map(*pair, kept=record.kept)
    mean = score(record, model, reference, "flip")
    note = "" if mean is None else f"mean {mean:.4f}"
    return [
        Shot(f"error of the {model}", error, f"against {reference}", False),
        Shot(f"FLIP of the {model}", flip, note, False),
    ]


def _note(record: ViewRecord, role: str, reference: str) -> str:
    """PSNR against the reference, or the size of a photograph."""
    if role == "truth":
        return f"{record.width} × {record.height}"
    psnr = score(record, role, reference, "psnr")
    return "the reference" if psnr is None else f"{psnr:.2f} dB"
