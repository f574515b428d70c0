"""What `teacher eval` says where cameras were corrected: PSNR from where the teacher believes, and as given."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from teacher import checkpoint
from teacher.corrections import CorrectionsConfig, GivenCameras, LearnedCameras
from teacher.demo import write_demo_scene
from teacher.errors import UserError
from teacher.evaluate import evaluate
from teacher.fields.hash_grid import HashGridConfig
from teacher.fields.window import Window
from teacher.model import Teacher
from teacher.ops.hash_encode import HashGrid
from teacher.presets import DataConfig, TrainConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.train import train

TINY = TrainConfig(
    field=HashGridConfig(HashGrid(levels=3, features=4, log2_size=11, finest=32), width=16),
    sampler=OccupancyConfig(resolution=16, step=0.06, warmup=32),
    steps=16,
    samples_per_step=1 << 11,
    first_rays=256,
    eval_every=16,
    eval_views=1,
)
CORRECTED = replace(
    TINY,
    field=replace(TINY.field, window=Window(coarse=1)),
    corrections=CorrectionsConfig(rate=0.1, start=4, intrinsics=0.1),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    """The built-in scene at 24 pixels."""
    folder = tmp_path_factory.mktemp("scene")
    write_demo_scene(folder, size=24, train=6, test=2)
    return DataConfig(folder, aabb=((-1.3, -1.3, -0.15), (1.3, 1.3, 1.1)))


def test_both_are_measured_where_cameras_were_corrected(data: DataConfig, tmp_path: Path) -> None:
    train(data, CORRECTED, tmp_path)
    teacher, frames = Teacher.load(tmp_path), data.load().splits["test"]
    corrections = teacher.variant.corrections
    assert isinstance(corrections, LearnedCameras)
    numbers = next(corrections.lenses.parameters())
    assert bool(numbers.any()) and bool(corrections.coordinates.any())
    with torch.no_grad():
        numbers[:, 2] += 0.4  # of a focal length
    teacher.save(tmp_path)
    metrics = evaluate(tmp_path, "test", "white")
    assert metrics["cameras"] == "aligned with the corrected"
    assert metrics["mean"]["psnr"] == pytest.approx(mean(teacher.psnrs(frames)), abs=1e-6)
    teacher.variant.corrections = GivenCameras()
    given = mean(teacher.psnrs(frames))
    assert metrics["psnr_from_given_cameras"] == pytest.approx(given, abs=1e-6)
    assert abs(given - metrics["mean"]["psnr"]) > 0.1
    written = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert written["psnr_from_given_cameras"] == metrics["psnr_from_given_cameras"]


def test_given_cameras_are_measured_once(data: DataConfig, tmp_path: Path) -> None:
    train(data, TINY, tmp_path)
    metrics = evaluate(tmp_path, "test", "white")
    assert metrics["cameras"] == "given" and "psnr_from_given_cameras" not in metrics


def mean(values: list[float]) -> float:
    """Arithmetic."""
    return sum(values) / len(values)


def test_weights_of_another_version_are_named(data: DataConfig, tmp_path: Path) -> None:
    """Corrections used to be saved under another name, and meant something else."""
    train(data, CORRECTED, tmp_path)
    path = tmp_path / "model.safetensors"
    tensors, _ = checkpoint.load_tensors(path, "a teacher", "")
    tensors["corrections.tangents"] = tensors.pop("corrections.coordinates")
    checkpoint.save_tensors(path, tensors, {})
    with pytest.raises(UserError, match=r"model\.safetensors"):
        Teacher.load(tmp_path)
