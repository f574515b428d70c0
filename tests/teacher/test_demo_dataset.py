"""The demo scene on disk: layout, exact maps, resuming, refusing."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from teacher.cameras import apply_similarity
from teacher.datasets import load_scene
from teacher.demo import dataset, write_demo_scene
from teacher.demo.dataset import TEST_OFFSET, TRAIN_OFFSET
from teacher.demo.scene import orbit_cameras, still_life
from teacher.demo.tracer import render, trace_surfaces
from teacher.errors import UserError
from teacher.scene import premultiply

SIZE, TRAIN, TEST = 24, 3, 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    write_demo_scene(folder, size=SIZE, train=TRAIN, test=TEST)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_layout_is_that_of_nerf_synthetic(folder: Path):
    """transforms_*.json with names without extension, and one RGBA PNG for each."""
    for split, count in (("train", TRAIN), ("test", TEST)):
        transforms = json.loads((folder / f"transforms_{split}.json").read_text())
        assert transforms["camera_angle_x"] == pytest.approx(0.6911112)
        names = [frame["file_path"] for frame in transforms["frames"]]
        assert names == [f"./{split}/r_{k:03d}" for k in range(count)]
        assert all((folder / f"{name}.png").is_file() for name in names)


def test_loader_gives_back_the_cameras_and_pictures(folder: Path):
    """Through the data-set loader: poses up to T_norm_world, pixels up to 8 bits."""
    scene = load_scene(folder)
    for split, offset, samples in (("train", TRAIN_OFFSET, 3), ("test", TEST_OFFSET, 4)):
        frames = scene.splits[split]
        for frame, camera in zip(frames, orbit_cameras(len(frames), SIZE, offset), strict=True):
            moved = apply_similarity(scene.T_norm_world, camera).T_world_camera
            torch.testing.assert_close(frame.camera.T_world_camera, moved, atol=1e-5, rtol=0)
            assert frame.camera.fx == pytest.approx(camera.fx)
        rgba = premultiply(frames[-1].picture.rgba())
        truth = render(still_life(), orbit_cameras(len(frames), SIZE, offset)[-1], samples).rgba
        torch.testing.assert_close(rgba, truth, atol=1.01 / 255, rtol=0)


def test_test_views_come_with_exact_geometry(folder: Path):
    """They are what `trace_surfaces` gives; training views have none."""
    assert not list((folder / "train").glob("*.npz"))
    names = json.loads((folder / "demo.json").read_text())["instances"]
    assert names == ["nothing", *(thing.name for thing in still_life().things)]
    for k, camera in enumerate(orbit_cameras(TEST, SIZE, TEST_OFFSET)):
        maps = trace_surfaces(still_life(), camera)
        with np.load(folder / "test" / f"r_{k:03d}.npz") as stored:
            np.testing.assert_array_equal(stored["depth"], maps.depth.numpy())
            np.testing.assert_array_equal(stored["normals"], maps.normals.numpy())
            np.testing.assert_array_equal(stored["instances"], maps.instances.numpy())


def test_stopped_run_is_finished_by_the_same_call(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """After a stop there is no camera file; then what is missing is rendered, to the same bytes."""
    rendered = []

    def stopping(scene: object, camera: object, samples: int) -> object:
        if len(rendered) == 2:
            raise KeyboardInterrupt
        rendered.append(camera)
        return render(still_life(), camera, samples)  # type: ignore[arg-type]

    monkeypatch.setattr(dataset, "render", stopping)
    with pytest.raises(KeyboardInterrupt):
        write_demo_scene(tmp_path, size=SIZE, train=TRAIN, test=TEST)
    assert not list(tmp_path.glob("transforms_*.json"))
    assert len(list(tmp_path.rglob("*.png"))) == 2

    again = []
    monkeypatch.setattr(
        dataset, "render", lambda scene, camera, s: again.append(camera) or render(scene, camera, s)
    )
    write_demo_scene(tmp_path, size=SIZE, train=TRAIN, test=TEST)
    assert len(again) == TRAIN + TEST - 2
    assert contents(tmp_path) == contents(folder)


def test_folder_of_another_size_is_refused(folder: Path):
    """Mixed sizes in one data set are never written."""
    with pytest.raises(UserError, match=r"'size': 24(.|\n)*'size': 32"):
        write_demo_scene(folder, size=32, train=TRAIN, test=TEST)


def test_impossible_numbers_are_refused(tmp_path: Path):
    """The message names the number."""
    with pytest.raises(UserError, match="demo scene's test"):
        write_demo_scene(tmp_path, test=0)
    assert not list(tmp_path.iterdir())


def test_test_cameras_are_not_training_cameras():
    """The nearest training camera of any test camera is some degrees away."""
    train = torch.stack([c.forward for c in orbit_cameras(100, 8, TRAIN_OFFSET)])
    test = torch.stack([c.forward for c in orbit_cameras(20, 8, TEST_OFFSET)])
    nearest = (test @ train.T).amax(1).clamp(-1, 1).acos()
    assert nearest.min() > 0.02
