"""Gains of training pictures: what they do to colours, whose they are, and that they find an exposure that drifts."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from teacher.cameras import Camera, look_at
from teacher.corrections import GivenCameras
from teacher.demo import write_demo_scene
from teacher.evaluate import evaluate
from teacher.fields.hash_grid import HashGridConfig
from teacher.losses import LossConfig
from teacher.ops.hash_encode import HashGrid
from teacher.optimiser import OptimiserConfig
from teacher.per_image import PerImage, PerImageConfig, amplified, as_exposed
from teacher.presets import PRESETS, DataConfig, TrainConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.scene import Scene
from teacher.train import train
from teacher.trainer import Trainer
from tests.clouds import Clouds, clouds_scene, variant_of

GAINS = PerImageConfig(gains=3, gain_rate=0.5)
SOFT = TrainConfig(
    field=HashGridConfig(HashGrid(levels=3, features=4, log2_size=12, base=8, finest=24), width=16),
    sampler=OccupancyConfig(resolution=16, step=0.06, warmup=32),
    optimiser=OptimiserConfig(warmup=10),
    loss=LossConfig(distortion=0.0, opacity=0.0),
    per_image=GAINS,
    steps=200,
    samples_per_step=1 << 13,
)


def _of(*rows: list[float]) -> PerImage:
    looks = PerImageConfig(gains=3 if len(rows[0]) == 3 else 1).build(len(rows))
    looks.gains.data = torch.tensor(rows)
    return looks


def test_gains_multiply_premultiplied_colours_less_their_mean() -> None:
    """Log gains of 0.3 and -0.1 are +0.2 and -0.2 about their mean; alpha stays."""
    rgba = torch.tensor([[0.2, 0.4, 0.1, 0.9]]).expand(2, 4)
    shown = _of([0.3], [-0.1]).exposed(rgba, torch.tensor([0, 1]))
    expected = rgba[:, :3] * torch.tensor([[0.2], [-0.2]]).exp()
    torch.testing.assert_close(shown, torch.cat([expected, rgba[:, 3:]], -1))


def test_channels_have_gains_of_their_own() -> None:
    looks = _of([0.2, 0.0, -0.2], [-0.2, 0.0, 0.2])
    shown = looks.exposed(torch.tensor([[0.5, 0.5, 0.5, 1.0]]), torch.tensor([1]))
    torch.testing.assert_close(shown[0, :3], 0.5 * torch.tensor([-0.2, 0.0, 0.2]).exp())


def test_nothing_is_whiter_than_white_yet_everything_can_get_darker() -> None:
    """Cut off at alpha, with the gradient of what was not cut off."""
    rgba = torch.tensor([[0.9, 0.5, 0.1, 1.0], [0.5, 0.3, 0.0, 0.55]], requires_grad=True)
    shown = amplified(rgba, torch.tensor([[1.2]]).log())
    torch.testing.assert_close(shown[:, :3].max(-1).values, torch.tensor([1.0, 0.55]))
    shown.sum().backward()
    assert rgba.grad is not None
    torch.testing.assert_close(rgba.grad[:, :3], torch.full((2, 3), 1.2))


def test_gradients_of_gains_leave_their_mean_alone() -> None:
    looks = _of([0.1, 0.0, 0.0], [0.0, 0.2, 0.0], [0.0, 0.0, 0.3])
    looks.exposed(torch.rand(6, 4) * 0.3, torch.tensor([0, 0, 1, 2, 2, 2])).sum().backward()
    assert looks.gains.grad is not None and looks.gains.grad.abs().min() > 0
    torch.testing.assert_close(looks.gains.grad.sum(0), torch.zeros(3), atol=1e-6, rtol=0)


def test_a_held_out_picture_is_compared_in_its_own_exposure() -> None:
    truth = torch.rand(5, 6, 3, generator=torch.Generator().manual_seed(0)) * 0.7
    gain = torch.tensor([0.8, 1.0, 1.3])
    torch.testing.assert_close(as_exposed(truth / gain, truth), truth)
    noise = torch.randn(5, 6, 3, generator=torch.Generator().manual_seed(1)) * 0.05
    best = (as_exposed(truth + noise, truth) - truth).square().mean()
    assert best < noise.square().mean()  # least squares, so not worse than no gain


def test_a_run_without_gains_is_stored_as_ever() -> None:
    looks = PerImageConfig(size=2).build(3)
    assert list(looks.state_dict()) == ["codes"] and list(looks.rows(["a", "b", "c"])) == ["codes"]
    rgba = torch.rand(4, 4)
    assert looks.exposed(rgba, torch.zeros(4, dtype=torch.long)) is rgba


def test_only_training_frames_have_a_look_of_their_own() -> None:
    """The neutral picture is the scene as it is; a training frame's is that times its gain."""
    variant = variant_of(Clouds(), GivenCameras(), 2)
    variant.per_image = _of([0.2, 0.2, 0.2], [-0.2, -0.2, -0.2])
    camera = Camera(
        look_at(torch.tensor([2.5, 0, 0]), torch.zeros(3)), 15.0, 15.0, 6.0, 6.0, 12, 12
    )
    plain, lit, dark = (variant.render_view(camera, k).rgba for k in (None, 0, 1))
    torch.testing.assert_close(dark[..., :3], plain[..., :3] * torch.tensor(-0.2).exp())
    torch.testing.assert_close(lit, amplified(plain, torch.tensor([0.2])))
    assert torch.equal(lit[..., 3], plain[..., 3])


@pytest.fixture(scope="module")
def stops() -> torch.Tensor:
    """Log gains of 16 pictures, down to half as bright; no picture is brighter than the clouds are."""
    even = torch.linspace(0.5, 1.0, 16).log()
    return even[torch.randperm(16, generator=torch.Generator().manual_seed(1))]


def _trained(scene: Scene, config: TrainConfig) -> Trainer:
    trainer = Trainer(scene, config)
    while trainer.step < config.steps:
        trainer.train_step()
    return trainer


def test_gains_find_the_exposure_of_each_picture(tmp_path: Path, stops: torch.Tensor) -> None:
    """And then held-out pictures of the mean exposure are predicted as they are.

    Most of them: of single pictures so far apart, a dark one may as well be a side of the clouds that is dark.
    """
    mean = float(stops.mean().exp())
    scene = clouds_scene(tmp_path, 16, 3, [*stops.exp().tolist(), mean, mean, mean])
    held_out = []
    for looks in (PerImageConfig(), GAINS):
        trainer = _trained(scene, replace(SOFT, per_image=looks))
        held_out.append(sum(trainer.teacher().psnrs(scene.splits["test"])) / 3)
        found = trainer.teacher().variant.per_image
    assert held_out[1] > held_out[0] + 2
    error = found.log_gains().mean(1) - (stops - stops.mean())
    assert error.abs().median() < 0.2 * (stops - stops.mean()).abs().median()


def test_gains_find_their_frames_by_name(tmp_path: Path) -> None:
    """A checkpoint read with other pictures: those in common keep their gains, a new one begins without."""
    scene = clouds_scene(tmp_path, 8, 1)
    train, short = scene.splits["train"], replace(SOFT, steps=20)
    old = _trained(replace(scene, splits={**scene.splits, "train": train[:6]}), short)
    now = (train[7], *reversed(train[2:6]))
    new = Trainer(replace(scene, splits={**scene.splits, "train": now}), short)
    new.load(*old.state())
    for part in ("variant", "optimiser.first", "optimiser.average"):
        rows, before = (t.state()[0][f"{part}.per_image.gains"] for t in (new, old))
        assert torch.equal(rows[1:], before[2:].flip(0)) and not rows[0].any()
        assert before[2:].any()


def test_eval_says_what_held_out_pictures_are_in_their_own_exposure(tmp_path: Path) -> None:
    """A run whose scene has the wrong brightness; without gains nothing is said."""
    write_demo_scene(tmp_path / "scene", size=24, train=6, test=2)
    data = DataConfig(tmp_path / "scene", aabb=((-1.3, -1.3, -0.15), (1.3, 1.3, 1.1)))
    short = replace(SOFT, steps=16, samples_per_step=1 << 11, first_rays=256, eval_views=1)
    for name, looks in (("without", PerImageConfig()), ("with", GAINS)):
        train(data, replace(short, per_image=looks), tmp_path / name)
    metrics = evaluate(tmp_path / "with", "test", "white")
    assert metrics["psnr_own_exposures"] > metrics["mean"]["psnr"] + 0.1
    assert "psnr_own_exposures" not in evaluate(tmp_path / "without", "test", "white")


def test_no_preset_gives_pictures_looks_of_their_own() -> None:
    """On real captures and at full length they cost decibels (docs/poses.md)."""
    assert not any(config.per_image.size for _, config in PRESETS.values())
    assert not any(config.per_image.gains for _, config in PRESETS.values())
