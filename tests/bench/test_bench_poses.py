"""The study of wrong cameras makes them as wrong as it says, and measures that whatever frame they are in."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from teacher.cameras import apply_similarity
from teacher.rigid import rotate
from tests.bench.bench_poses import errors, perturbed, radius
from tests.clouds import clouds_scene


def test_cameras_are_as_wrong_as_it_says(tmp_path: Path) -> None:
    """Two degrees and 2 % of the radius each, less what a similarity makes up for; held-out cameras stay."""
    scene = clouds_scene(tmp_path, train=40, test=1)
    lost = perturbed(scene, 2.0, 0.02, seed=3)
    found = errors(scene.cameras(), lost.cameras())
    assert 1.9 < found["degrees"] <= 2.0 and 1.8 < found["percent"] < 2.05
    assert lost.splits["test"] == scene.splits["test"]
    again = perturbed(scene, 2.0, 0.02, seed=3)
    assert errors(lost.cameras(), again.cameras())["degrees"] < 1e-3


def test_errors_do_not_depend_on_the_frame(tmp_path: Path) -> None:
    scene = clouds_scene(tmp_path, train=12, test=1)
    truth, lost = scene.cameras(), perturbed(scene, 1.0, 0.01, seed=1).cameras()
    T = torch.eye(4)
    T[:3, :3] = 2.5 * rotate(torch.tensor([0.3, 0.2, -0.4]).expand(3, 3), torch.eye(3)).T
    T[:3, 3] = torch.tensor([1.0, -2.0, 0.5])
    elsewhere = [apply_similarity(T, camera) for camera in lost]
    here, there = errors(truth, lost), errors(truth, elsewhere)
    assert there == pytest.approx(here, rel=0.03)  # scale tells how turns and places are weighed
    assert radius(elsewhere) == pytest.approx(2.5 * radius(lost), rel=1e-4)
    nothing = errors(truth, [replace(camera) for camera in truth])
    assert nothing["degrees"] < 1e-3 and nothing["percent"] < 1e-3
