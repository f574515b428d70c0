"""What renders a picture, by the content of its files: the same hash means the same picture. Nothing of torch here.

    weights, configuration, box   -> teacher, student
    file of the bundle            -> ONNX

Paths are no part of it: a run that was moved, copied or written again with the same bytes is the same.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from export.compare.records import MODELS
from export.run_checks import BUNDLE_SCHEMA
from export.runs import Run
from teacher.crop import files as crops
from teacher.errors import UserError
from teacher.files import read_json, sha256

PRECISIONS: dict[str, Literal["fp32", "fp16"]] = {"onnx fp32": "fp32", "onnx fp16": "fp16"}
"""Models of the bundle and how its manifest calls them; another precision is a line here and in `MODELS`."""
_RENDERING = 1
"""Goes up when the same files come to render otherwise."""


def content(path: Path) -> str:
    """SHA-256 of a file; read again only where its size or time of change is another."""
    status = path.stat()
    return _content(path.absolute(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _content(path: Path, size: int, changed: int) -> str:
    return sha256(path)


def digest(value: object) -> str:
    """Hash of a JSON value."""
    text = json.dumps(value, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def fingerprint(teacher: Path) -> str:
    """Of the teacher in that run folder, as `teacher.pseudo.source.open_source` gives it."""
    return crops.fingerprint(teacher, content(teacher / "model.safetensors"))


def scene_of(student: Path) -> dict[str, Any]:
    """A student's scene.json as plain JSON; raises UserError."""
    return read_json(student / "scene.json", "a student's scene", "train the student again")


def onnx_file(bundle: Path, model: str) -> tuple[Path, tuple[int, int]]:
    """File of `model` in the bundle, the fastest form for a CPU, and the (width, height) it computes.

    Raises:
        UserError: the bundle has no such model.
    """
    remedy = "write the bundle again with `python -m export bundle`"
    manifest = read_json(bundle / "manifest.json", f"the bundle {bundle}", remedy)
    if manifest["schema"] != BUNDLE_SCHEMA:
        given = f"schema {manifest['schema']}"
        raise UserError(f"the bundle {bundle}", given, f"schema {BUNDLE_SCHEMA}", remedy)
    for entry in manifest["models"]:
        if entry["precision"] == PRECISIONS[model]:
            sampled = entry.get("sampled")
            name = entry["file"] if sampled is None else sampled["file"]
            return bundle / name, (entry["width"], entry["height"])
    known = ", ".join(entry["precision"] for entry in manifest["models"])
    raise UserError(f"the bundle {bundle}", f"models in {known}", PRECISIONS[model], remedy)


def identities(run: Run, models: Sequence[str] = MODELS) -> dict[str, str]:
    """Content hashes of those of `models` whose files are there."""
    found: dict[str, str] = {}
    for model in models:
        try:
            parts = _PARTS[model](run)
        except (UserError, OSError, KeyError, TypeError):
            continue  # opening it says what is wrong
        if parts is not None:
            found[model] = digest([_RENDERING, model, parts])
    return found


def _teacher(run: Run) -> list[Any] | None:
    if run.teacher is None:
        return None if run.student is None else _oracle(run.student)
    config = read_json(run.teacher / "config.json", "a teacher's configuration", "train it")
    files = [content(run.teacher / name) for name in ("model.safetensors", "scene.json")]
    crop = run.teacher / crops.NAME
    return [config["train"], *files, *([content(crop)] if crop.exists() else [])]


def _oracle(student: Path) -> list[Any]:
    """What the student learnt from, where that is no trained teacher: the built-in scene, or stored views."""
    return [scene_of(student)["fingerprint"]]


def _student(run: Run) -> list[Any] | None:
    if run.student is None:
        return None
    config = read_json(run.student / "config.json", "a student's configuration", "train it")
    weights = content(run.student / "model.safetensors")
    return [config["train"]["model"], scene_of(run.student)["aabb"], weights]


def _onnx(model: str) -> Callable[[Run], list[Any] | None]:
    def parts(run: Run) -> list[Any] | None:
        return None if run.bundle is None else [content(onnx_file(run.bundle, model)[0])]

    return parts


_PARTS: Mapping[str, Callable[[Run], list[Any] | None]] = {
    "teacher": _teacher,
    "student": _student,
    **{model: _onnx(model) for model in PRECISIONS},
}
