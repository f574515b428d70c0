"""What a run's own files say about it, read without torch; what they do not say is None.

config.json, scene.json, progress.json, manifest.json -> Facts
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.run_checks import Damage, read_object
from export.runs import Run


@dataclass(frozen=True)
class Training:
    """How long a stage was trained."""

    step: int | None
    seconds: float | None
    complete: bool
    preset: str | None = None


@dataclass(frozen=True)
class Facts:
    """Of one run."""

    scene: str
    teacher: Training | None
    student: Training | None
    created: str | None
    """When its bundle was written: UTC, ISO 8601."""
    versions: dict[str, str]
    """Of the packages that wrote the bundle."""
    photographs: str | None
    """Folder of the pictures that the teacher was trained on."""

    def training(self, model: str) -> Training | None:
        """Of what renders as `model`: exports are as old as their student."""
        return self.teacher if model == "teacher" else self.student


def facts_of(run: Run) -> Facts:
    """What the files of `run` say."""
    manifest = _object(run.bundle, "manifest.json")
    provenance = manifest.get("provenance") or {}
    scenes = [_object(stage, "scene.json").get("name") for stage in (run.student, run.teacher)]
    names = [name for name in (*scenes, provenance.get("scene")) if isinstance(name, str)]
    data = _object(run.teacher, "config.json").get("data") or {}
    return Facts(
        scene=names[0] if names else "unknown",
        teacher=_training(run.teacher),
        student=_training(run.student),
        created=provenance.get("created"),
        versions={str(k): str(v) for k, v in (provenance.get("versions") or {}).items()},
        photographs=data.get("data") if isinstance(data, dict) else None,
    )


def _training(stage: Path | None) -> Training | None:
    if stage is None:
        return None
    progress = _object(stage, "progress.json")
    step, seconds = progress.get("step"), progress.get("seconds")
    return Training(
        step=step if isinstance(step, int) else None,
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        complete=bool(progress.get("complete")),
        preset=_object(stage, "config.json").get("preset"),
    )


def _object(folder: Path | None, name: str) -> dict[str, Any]:
    """The JSON object in `folder`, or an empty one: what is damaged is among the run's lacks."""
    if folder is None:
        return {}
    try:
        return read_object(folder / name)
    except Damage:
        return {}
