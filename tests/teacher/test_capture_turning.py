"""A turn on the spot is known by its homographies; what is flat, or filmed in small steps, is not taken for one."""

import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from jaxtyping import Float

from teacher.capture import matching, poses
from teacher.capture.colmap import NO_START, Job
from teacher.capture.colmap import cameras as map_cameras
from teacher.capture.frames import Frames, Picture, extract
from teacher.capture.matching import NoStartError
from teacher.capture.model import Comparison, Pair
from teacher.capture.settings import FrameSettings, PoseSettings
from teacher.capture.turning import only_turns, steps
from teacher.capture.verdict import without_model
from teacher.errors import UserError
from tests.clips import turning, write_clip
from tests.conftest import ROOT

FOCAL = 0.83


def _about(axis: Float[np.ndarray, "3"], degrees: float) -> Float[np.ndarray, "3 3"]:
    """Rodrigues' formula."""
    x, y, z = axis / np.linalg.norm(axis)
    S = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = math.radians(degrees)
    return np.eye(3) + math.sin(angle) * S + (1 - math.cos(angle)) * S @ S


def _turns(
    count: int, step: float, noise: float = 1e-4, seed: int = 0
) -> Float[np.ndarray, "n 3 3"]:
    """K (R + t n^T / d) K^-1 for random turns of up to 40 degrees and steps of length `step` d, of any scale."""
    rng = np.random.default_rng(seed)
    K, found = np.diag([FOCAL, FOCAL, 1.0]), []
    for _ in range(count):
        R = _about(rng.normal(size=3) * (0.3, 1, 0.3), rng.uniform(3, 40))
        t, normal = rng.normal(size=3), rng.normal(size=3) * (0.3, 0.3, 1)
        plane = np.outer(t / np.linalg.norm(t), normal / np.linalg.norm(normal))
        H = K @ (R + step * plane) @ np.linalg.inv(K)
        found.append(rng.uniform(0.5, 2) * (H + noise * rng.normal(size=(3, 3))))
    return np.array(found).reshape(-1, 3, 3)


def _compared(homographies: Float[np.ndarray, "n 3 3"], others: int = 0) -> Comparison:
    pairs = [Pair(f"p_{k}", f"p_{k + 1}", 60, panoramic=True) for k in range(len(homographies))]
    pairs += [Pair("p_0", f"q_{k}", 60) for k in range(others)]
    names = {f"p_{k}": 900 for k in range(20)}
    return Comparison(names, tuple(pairs), homographies=homographies)


def test_a_turn_has_no_steps_whatever_the_focal_length() -> None:
    assert steps(_turns(60, 0.0)).max() < 0.005


@pytest.mark.parametrize("step", [0.05, 0.1, 0.3])
def test_steps_are_seen_before_something_flat(step: float) -> None:
    """Their length, by the distance of the plane, but for what a wrong focal length takes away."""
    assert 0.6 * step < np.median(steps(_turns(80, step))) < 1.05 * step


def test_only_turns_are_turns() -> None:
    assert only_turns(_compared(_turns(60, 0.0))) == (60, 60)
    assert only_turns(_compared(_turns(60, 0.0, noise=2e-3), others=9)) == (60, 69)
    assert (
        only_turns(_compared(_turns(60, 0.1))) is None
    )  # a poster on the floor, filmed on a walk round it
    assert only_turns(_compared(_turns(60, 0.0), others=40)) is None  # others have depth
    assert only_turns(_compared(_turns(4, 0.0))) is None
    assert only_turns(_compared(_turns(0, 0.0), others=30)) is None


def test_small_steps_before_something_flat_are_no_turn() -> None:
    """A slow walk: neighbouring frames differ by a hundredth of the distance, those compared further off by more."""
    offsets = (1, 2, 3, 4, 5, 6, 8, 16, 32)
    walk = np.concatenate([_turns(20, 0.01 * offset, seed=offset) for offset in offsets])
    assert only_turns(_compared(walk)) is None


def test_a_turn_is_told_without_looking_for_cameras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mapping may take half an hour over such a clip, or come up with a path and a depth that never were."""
    clip = write_clip(tmp_path / "clip.mp4", turning(8, 160), fps=5)
    frames = extract(clip, tmp_path / "images", FrameSettings())
    run, seen = poses.run_stage, []

    def noted(job: Job) -> None:
        seen.append(job.stage)
        run(job)

    monkeypatch.setattr(poses, "run_stage", noted)
    solution = poses.solve(tmp_path, frames, PoseSettings())
    assert seen == ["features", "matches"] and solution.model is None
    error = without_model(clip, frames, solution.compared)
    assert "turn on the spot only" in error.given and "do not turn on the spot" in error.remedy


@pytest.mark.parametrize(("begins", "code"), [(False, NO_START), (True, 0)])
def test_mapping_that_finds_no_start_is_ended(begins: bool, code: int) -> None:
    """By processor time: a busy machine ends nothing that would have begun."""
    code_lines = (
        "import threading, time; from teacher.capture.colmap import end_without",
        "begun = threading.Event(); end_without(begun, 0.3)",
        "begun.set()" if begins else "",
        "while time.process_time() < 1.5: pass",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(code_lines)], cwd=ROOT, check=False)
    assert done.returncode == code


def test_a_stage_tells_that_there_was_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = subprocess.Popen
    gone = [sys.executable, "-c", f"raise SystemExit({NO_START})"]
    monkeypatch.setattr(matching.subprocess, "Popen", lambda command, **rest: ends(gone, **rest))
    with pytest.raises(NoStartError):
        matching.run_stage(Job("cameras", tmp_path, tmp_path, PoseSettings()))
    with pytest.raises(UserError, match="code 3"):
        matching.run_stage(Job("features", tmp_path, tmp_path, PoseSettings()))


def test_no_start_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fruitless(job: Job) -> None:
        raise NoStartError

    known = _compared(_turns(60, 0.1))
    monkeypatch.setattr(poses, "run_stage", fruitless)
    monkeypatch.setattr(poses, "comparison", lambda *arguments: known)
    for stage in ("features", "matches"):
        (tmp_path / "colmap").mkdir(exist_ok=True)
        (tmp_path / "colmap" / stage).touch()
    frames = Frames(True, tuple(Picture(f"p_{k}", 0.3) for k in range(20)), (), 20)
    solution = poses.solve(tmp_path, frames, PoseSettings())
    assert solution.model is None and solution.compared is known
    assert "or show something flat" in without_model("clip", frames, known).given


def test_the_largest_model_comes_first(tmp_path: Path) -> None:
    """COLMAP's first one may hold two pictures while the second has all."""

    def found(count: int) -> SimpleNamespace:
        return SimpleNamespace(
            num_reg_images=lambda: count,
            write_binary=lambda folder: (folder / "size").write_text(str(count)),
        )

    colmap = SimpleNamespace(
        IncrementalPipelineOptions=SimpleNamespace,
        incremental_mapping=lambda *given, **rest: {0: found(2), 1: found(48), 2: found(9)},
    )
    job = Job("cameras", tmp_path, tmp_path, PoseSettings())
    map_cameras(job, colmap)
    sizes = [(tmp_path / "models" / str(k) / "size").read_text() for k in range(3)]
    assert sizes == ["48", "9", "2"]
