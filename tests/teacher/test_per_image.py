"""Appearance codes: which code belongs to what, and that they take up what differs between pictures."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from teacher.fields.hash_grid import HashGridConfig
from teacher.losses import LossConfig
from teacher.ops.hash_encode import HashGrid
from teacher.optimiser import OptimiserConfig
from teacher.per_image import PerImageConfig
from teacher.presets import TrainConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.trainer import Trainer
from tests.clouds import clouds_scene

SOFT = TrainConfig(
    field=HashGridConfig(HashGrid(levels=3, features=4, log2_size=12, base=8, finest=24), width=16),
    sampler=OccupancyConfig(resolution=16, step=0.06, warmup=32),
    optimiser=OptimiserConfig(warmup=10),
    loss=LossConfig(distortion=0.0, opacity=0.0),
    steps=400,
    samples_per_step=1 << 13,
)


def test_no_codes_are_no_columns() -> None:
    codes = PerImageConfig().build(3)
    assert codes(torch.tensor([0, 2, 2, 1])).shape == (4, 0)
    assert codes.neutral().shape == codes.of(1).shape == (0,)


def test_each_ray_gets_its_picture_s_code_and_sends_its_gradient_there() -> None:
    codes = PerImageConfig(size=2).build(3)
    codes.codes.data = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    frames = torch.tensor([2, 0, 2])
    assert codes(frames).tolist() == [[5.0, 6.0], [1.0, 2.0], [5.0, 6.0]]
    (codes(frames) * torch.tensor([[1.0], [10.0], [100.0]])).sum().backward()
    assert codes.codes.grad is not None
    assert codes.codes.grad.tolist() == [[10.0, 10.0], [0.0, 0.0], [101.0, 101.0]]
    assert codes.of(1).tolist() == [3.0, 4.0] and not codes.of(1).requires_grad


@pytest.mark.parametrize(("neutral", "expected"), [("mean", [3.0, 4.0]), ("zero", [0.0, 0.0])])
def test_the_neutral_code_is_the_mean_or_zero(neutral: str, expected: list[float]) -> None:
    config = replace(PerImageConfig(size=2), neutral=neutral)
    codes = config.build(3)
    codes.codes.data = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert codes.neutral().tolist() == expected


def test_codes_take_up_exposure(tmp_path: Path) -> None:
    """Training pictures between half and full brightness, held-out ones in between: without codes the field explains
    brightness by the direction of view and by haze, with codes the mean code gives back the scene.
    """
    gains = torch.linspace(0.5, 1.0, 24)[
        torch.randperm(24, generator=torch.Generator().manual_seed(1))
    ]
    scene = clouds_scene(tmp_path, 24, 3, [*gains.tolist(), 0.75, 0.75, 0.75])
    held_out, training = [], []
    for size in (0, 4):
        trainer = Trainer(scene, replace(SOFT, per_image=PerImageConfig(size=size)))
        while trainer.step < SOFT.steps:
            trainer.train_step()
        teacher = trainer.teacher()
        held_out.append(sum(teacher.psnrs(scene.splits["test"])) / 3)
        training.append(sum(teacher.psnrs(scene.splits["train"])) / 24)
    assert held_out[1] > held_out[0] + 4
    assert training[1] > training[0] + 2
