"""The whole stage: a clip becomes a data set that loads; dry runs, stops and refusals leave what they should."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import teacher.__main__ as command_line
from teacher.cameras import Camera, apply_similarity
from teacher.capture import colmap, matching, poses
from teacher.capture import process as stages
from teacher.capture.colmap import Group, Job
from teacher.capture.process import Options, Request, process
from teacher.capture.settings import FrameSettings, PoseSettings
from teacher.datasets import load_scene
from teacher.demo.scene import still_life
from teacher.errors import UserError
from teacher.rigid import aligning_similarity, differences
from teacher.scene import Scene
from tests.clips import (
    drifting,
    noise_picture,
    orbit,
    pan,
    photographs,
    write_clip,
    write_photographs,
)
from tests.conftest import ROOT

pytest.importorskip("pycolmap", reason="the extra `sfm` is not installed")


def _cameras(scene: Scene) -> dict[str, Camera]:
    return {frame.name: frame.camera for split in scene.splits.values() for frame in split}


def _misfit(found: list[Camera], true: list[Camera]) -> tuple[torch.Tensor, torch.Tensor]:
    """Degrees, and distances in radii of the orbit, after alignment."""
    T = aligning_similarity(found, true)
    angles, distances = differences([apply_similarity(T, camera) for camera in found], true)
    return angles, distances / 4.03


def test_clip_becomes_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run leaves the report only; the real run goes on from its work and finds the true cameras.

    The exposure falls by one stop meanwhile: that costs no camera.
    """
    true = orbit(16, 256, turn=0.3)
    frames = drifting(photographs(still_life(), true, samples=1))
    clip = write_clip(tmp_path / "clip.mp4", frames, fps=4)
    settings = PoseSettings(camera_model="SIMPLE_PINHOLE")
    request = Request(clip, tmp_path / "data", poses=settings, options=Options(dry_run=True))
    process(request)
    held = {path.name for path in request.output.rglob("*")}
    report = {"contact_sheet.png", "sharpness.png", "cameras.png", "report.txt"}
    assert held == {"report", "process.json", *report}

    monkeypatch.setattr(poses, "run_stage", lambda job: pytest.fail("repeated a finished stage"))
    monkeypatch.setattr(stages, "extract", lambda *arguments: pytest.fail("repeated the frames"))
    account = process(Request(clip, tmp_path / "data", poses=settings))
    assert not request.work.exists()
    assert {path.name for path in request.output.iterdir()} == {
        *("transforms.json", "images", "sparse_pc.ply", "process.json", "report")
    }
    said = json.loads((request.output / "process.json").read_text())
    assert said["refused"] is None and len(said["pictures"]) == 16 and said["video"]
    assert "16 of 16 pictures have a camera" in (request.output / "report/report.txt").read_text()
    assert account.model is not None and len(account.model.names) == 16
    scene = load_scene(request.output)
    assert scene.warnings == ()
    found = _cameras(scene)
    angles, distances = _misfit([found[name] for name in sorted(found)], true)
    assert angles.max() < 5 and distances.max() < 0.1  # small pictures of a third of a round

    with pytest.raises(UserError, match="another --output-dir"):
        process(request)


def _refused(request: Request, words: str) -> None:
    with pytest.raises(UserError, match=words):
        process(request)
    assert not request.work.exists() and not request.output.exists()


@pytest.mark.slow
def test_an_orbit_is_found_to_a_percent(tmp_path: Path) -> None:
    """48 frames at 400 px: all registered, position within 1.5 % of the radius, rotation within 1.2 degrees."""
    true = orbit(48, 400)
    clip = write_clip(tmp_path / "clip.mp4", photographs(still_life(), true))
    process(Request(clip, tmp_path / "data"))
    found = _cameras(load_scene(tmp_path / "data"))
    angles, distances = _misfit([found[name] for name in sorted(found)], true)
    assert len(found) == 48 and angles.max() < 1.2 and distances.max() < 0.015


# --- resuming and failing ---


def test_other_settings_start_over(tmp_path: Path) -> None:
    """What an interrupted run left is used by the same command only."""
    clip = write_clip(tmp_path / "clip.mp4", pan(20))
    request = Request(clip, tmp_path / "data")
    stages._claim(request)
    (request.work / "frames.json").write_text("{}")
    stages._claim(request)
    assert (request.work / "frames.json").exists()
    stages._claim(Request(clip, tmp_path / "data", frames=FrameSettings(num_frames_target=50)))
    assert not (request.work / "frames.json").exists()
    (request.work / "frames.json").write_text("{}")
    write_clip(clip, pan(21))
    stages._claim(Request(clip, tmp_path / "data", frames=FrameSettings(num_frames_target=50)))
    assert not (request.work / "frames.json").exists()


def test_an_interrupted_run_keeps_its_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pan(20))

    def interrupted(job: Job) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(poses, "run_stage", interrupted)
    request = Request(clip, tmp_path / "data")
    with pytest.raises(KeyboardInterrupt):
        process(request)
    assert (request.work / "frames.json").exists() and not request.output.exists()


def test_output_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pan(20))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "holiday.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holiday\.txt"):
        process(Request(clip, tmp_path / "data"))
    assert (tmp_path / "data" / "holiday.txt").read_text() == "mine"


def test_missing_pycolmap_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    clip = write_clip(tmp_path / "clip.mp4", pan(20))
    _refused(Request(clip, tmp_path / "data"), r'pip install "pocketfield\[sfm\]"')


def test_a_failing_stage_says_what_pycolmap_said(tmp_path: Path) -> None:
    """A crash of its process is a message here: pictures that do not exist."""
    job = Job("features", tmp_path, tmp_path, PoseSettings(), (Group(("no.png",), (8, 8)),))
    with pytest.raises(UserError, match=r"stage 'cameras'(.|\n)*--verbose"):
        matching.run_stage(Job("cameras", *(job.folder, job.images, job.settings, job.groups)))


def test_a_stage_does_not_outlive_its_parent() -> None:
    """Killed by whatever signal, the parent closes the pipe; a stage that went on would hold the database."""
    code = "import time; from teacher.capture.colmap import end_with_parent as e; e(); print(); time.sleep(60)"
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None and child.stdin is not None
        child.stdout.readline()
        assert child.poll() is None
        child.stdin.close()
        assert child.wait(30) == 1


def test_jobs_survive_their_file() -> None:
    job = Job(
        *("matches", Path("/a"), Path("/b"), PoseSettings(random_seed=3)),
        (Group(("x.jpg", "y.jpg"), (40, 30), 25.0), Group(("z.jpg",), (30, 40))),
        (("x.jpg", "y.jpg"), ("x.jpg", "z.jpg")),
        True,
        Path("/c"),
    )
    assert Job.load(job.dump()) == job and job.pictures == 3


def test_no_details_are_found_where_a_mask_is_black(tmp_path: Path) -> None:
    """S4-10: features outside the white part: none. COLMAP's name for the mask of p.png is p.png.png."""
    import pycolmap

    images = write_photographs(tmp_path / "images", [noise_picture(120, 160)])
    kept = np.zeros((120, 160), np.uint8)
    kept[:, :80] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(kept).save(tmp_path / "masks" / "p_000.png.png")
    groups = (Group(("p_000.png",), (160, 120)),)
    job = Job("features", tmp_path, images, PoseSettings(), groups, masks=tmp_path / "masks")
    matching.run_stage(job)
    with pycolmap.Database.open(job.database) as database:
        found = database.read_keypoints(1)[:, 0]
    assert len(found) > 50 and found.max() <= 80


@pytest.mark.parametrize("model", list(colmap.PARAMETERS))
def test_known_focal_lengths_are_given_in_colmaps_order(model: str) -> None:
    import pycolmap

    group = Group(("x.jpg",), (400, 300), 350.0)
    values = [float(value) for value in colmap.initial_parameters(model, group).split(",")]
    camera = pycolmap.Camera(model=model, width=400, height=300, params=values)
    assert camera.mean_focal_length() == 350
    assert (camera.principal_point_x, camera.principal_point_y) == (200, 150)


def test_command_line_passes_everything_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Request] = []
    monkeypatch.setattr(command_line, "process", seen.append)
    words = (
        "process --data a.mp4 --output-dir out --num-frames-target 40 --matching-method exhaustive"
    )
    words += " --start 1 --end 9.5 --random-seed 3 --dry-run --checks warn"
    monkeypatch.setattr(sys, "argv", ["teacher", *words.split()])
    command_line.main()
    (request,) = seen
    assert request == Request(
        *(Path("a.mp4"), Path("out"), FrameSettings(40, 1.0, 9.5)),
        PoseSettings("exhaustive", random_seed=3),
        Options("warn", dry_run=True),
    )
