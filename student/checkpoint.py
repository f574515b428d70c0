"""A student's run folder, and loading what was trained in it.

config.json            preset and TrainConfig, written first; other settings are refused
scene.json             the source of views: box, envelope, cameras, size; export needs no more
model.safetensors      averaged weights: what evaluation, panel and export read
training.safetensors   everything needed to go on, in one file, so that it is of one step
log.jsonl              a row per logged step; rows behind the checkpoint are cut off on resume
progress.json          steps done, seconds, whether the run is complete
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from student.models.base import LightField
from student.presets import TrainConfig
from teacher import checkpoint
from teacher.cameras import Camera
from teacher.config import from_plain
from teacher.files import read_json
from teacher.model import CameraDescription, describe_camera
from teacher.pseudo.envelope import Envelope
from teacher.pseudo.source import Source

_REMEDY = "run `python -m student train` first (the same command resumes an unfinished run)"


@dataclass(frozen=True)
class SourceDescription:
    """scene.json: what a student, its evaluation and its export must know of where the views came
    from.
    """

    name: str
    """The scene's name."""
    source: str
    """What `teacher.pseudo.source.open_source` opened."""
    fingerprint: str
    """Of the source; a student does not go on with the views of another teacher."""
    size: tuple[int, int]
    """(height, width) of the pictures that the student was trained on."""
    aabb: tuple[tuple[float, float, float], tuple[float, float, float]]
    envelope: Envelope
    cameras: tuple[CameraDescription, ...]
    """The training cameras, in the norm frame."""


@dataclass(frozen=True)
class StudentRun:
    """What a run folder says of its student, beside the weights."""

    folder: Path
    preset: str
    config: TrainConfig
    scene: SourceDescription

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the pictures that the student was trained on."""
        return self.scene.size

    @property
    def cameras(self) -> list[Camera]:
        """The training cameras, in the norm frame."""
        return [camera.camera() for camera in self.scene.cameras]


def describe_source(source: Source, path: str, size: tuple[int, int]) -> SourceDescription:
    """The description of `source`, opened from `path`, for pictures of `size`."""
    low, high = (tuple(corner) for corner in source.aabb.tolist())
    cameras = tuple(describe_camera(f"{k:04d}", camera) for k, camera in enumerate(source.cameras))
    return SourceDescription(
        source.name, path, source.fingerprint, size, (low, high), source.envelope, cameras
    )


def load_run(folder: Path) -> StudentRun:
    """What the run in `folder` was trained as; raises UserError where there is none."""
    plain = read_json(folder / "config.json", "a student's configuration", _REMEDY)
    config = from_plain(TrainConfig, plain["train"], f"{folder}/config.json")
    scene = read_json(folder / "scene.json", "a student's scene", _REMEDY)
    description = from_plain(SourceDescription, scene, f"{folder}/scene.json")
    return StudentRun(folder, plain["preset"], config, description)


def load_student(folder: Path) -> tuple[LightField, StudentRun]:
    """The student trained in `folder`, with averaged weights and in evaluation mode, and its run.

    Raises:
        UserError: there is no student yet, a file is damaged, or it was written by another version.
    """
    run = load_run(folder)
    model = run.config.model.build(torch.tensor(run.scene.aabb))
    path = folder / "model.safetensors"
    tensors, _ = checkpoint.load_tensors(path, "a student's weights", _REMEDY)
    checkpoint.fill(model, tensors, path, "student")
    return model.eval(), run
