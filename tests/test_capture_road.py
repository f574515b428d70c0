"""From a clip to a bundle: a fifth of a round about the built-in scene is filmed, and the page may show that fifth."""

import dataclasses
import math
import sys
from pathlib import Path

import pytest
import torch

from export.__main__ import main as export_main
from export.manifest import Manifest, read_manifest
from student.__main__ import main as student_main
from teacher.__main__ import main as teacher_main
from teacher.cameras import Camera
from teacher.datasets import load_scene
from teacher.demo.scene import still_life
from teacher.scene import Scene
from tests.clips import orbit, photographs, write_clip

pytest.importorskip("pycolmap", reason="the extra `sfm` is not installed")
pytestmark = (
    pytest.mark.slow
)  # half a minute; tests/test_pipeline.py has the stages after the first

TURN, FRAMES, SIZE = 0.2, 12, 200  # fewer or smaller frames are not all registered on every machine
TEACHER = (
    *("--max-side", "32", "--steps", "60", "--samples-per-step", "4096", "--eval-every", "60"),
    *("--field.width", "16", "--field.grid.log2-size", "12", "--sampler.resolution", "32"),
)
STUDENT = ("--steps", "30", "--size", "32", "32", "--pool.capacity", "24", "--eval-views", "1")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder that the clip has gone through, from the first command line to the last."""
    folder = tmp_path_factory.mktemp("run")
    cameras = orbit(FRAMES, SIZE, TURN)
    clip = write_clip(folder / "clip.mp4", photographs(still_life(), cameras, samples=1), fps=4)
    patch = pytest.MonkeyPatch()
    for main, command, extra in (
        (teacher_main, f"process --data {clip} --output-dir {folder}/scene", ()),
        (teacher_main, f"train capture --data {folder}/scene --output {folder}/teacher", TEACHER),
        (student_main, f"train test --teacher {folder}/teacher --output {folder}/student", STUDENT),
        (export_main, f"bundle --student {folder}/student --output {folder}/bundle", ()),
        (export_main, f"verify --bundle {folder}/bundle", ()),
    ):
        patch.setattr(sys, "argv", ["python -m stage", *command.split(), *extra])
        main()
    patch.undo()
    return folder


@pytest.fixture(scope="module")
def scene(run: Path) -> Scene:
    """What was found, as the teacher reads it."""
    return load_scene(run / "scene")


@pytest.fixture(scope="module")
def manifest(run: Path) -> Manifest:
    """What the page is told; reading it checks its schema."""
    return read_manifest(run / "bundle")


def test_every_frame_has_a_camera(scene: Scene) -> None:
    assert sum(len(frames) for frames in scene.splits.values()) == FRAMES
    assert scene.warnings == ()


def test_visitors_stay_where_was_filmed(scene: Scene, manifest: Manifest) -> None:
    """Every camera that was trained on is allowed; led a quarter of the circle on, none is."""
    filmed = scene.cameras("train")
    assert all(manifest.envelope.contains(camera) for camera in filmed)
    for quarters in (1, 2, 3):
        assert not any(
            manifest.envelope.contains(_turned(camera, manifest, 0.5 * math.pi * quarters))
            for camera in filmed
        )


def _turned(camera: Camera, manifest: Manifest, angle: float) -> Camera:
    """The camera led round the vertical through the envelope's pivot."""
    pivot = torch.tensor(manifest.envelope.pivot)
    c, s = math.cos(angle), math.sin(angle)
    R = torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    pose = camera.T_world_camera.clone()
    pose[:3, :3] = R @ pose[:3, :3]
    pose[:3, 3] = pivot + R @ (pose[:3, 3] - pivot)
    return dataclasses.replace(camera, T_world_camera=pose)
