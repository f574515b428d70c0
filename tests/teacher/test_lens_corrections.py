"""Lenses: rays go through the corrected one, pictures share theirs by its fractions, a wrong focal length is found."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from teacher.cameras import Camera, Cameras
from teacher.corrections import CorrectionsConfig, LearnedCameras
from teacher.fields.hash_grid import HashGridConfig
from teacher.lens_corrections import NUMBERS, LearnedLenses, lens_name
from teacher.ops.hash_encode import HashGrid
from teacher.optimiser import OptimiserConfig
from teacher.presets import TrainConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.scene import Frame, Scene
from teacher.trainer import Trainer
from tests.clouds import cameras_around, clouds_scene

ON = CorrectionsConfig(rate=0.1, start=0, intrinsics=0.1)


TINY = TrainConfig(
    field=HashGridConfig(HashGrid(levels=3, features=4, log2_size=11, finest=32), width=16),
    sampler=OccupancyConfig(resolution=16, step=0.06, warmup=32),
    optimiser=OptimiserConfig(warmup=5),
    corrections=CorrectionsConfig(rate=0.1, start=5, intrinsics=0.1),
    steps=15,
    samples_per_step=1 << 11,
    first_rays=256,
)


def with_train(scene: Scene, frames: tuple[Frame, ...]) -> Scene:
    """`scene` with other training frames."""
    return replace(scene, splits={**scene.splits, "train": frames})


def _cameras() -> list[Camera]:
    """Two pictures through one lens, one through a fisheye, one through a pinhole."""
    a, b, c, d = cameras_around(4, size=24)
    phone = {"lens": "opencv", "distortion": (0.05, -0.01, 0.002, 0.001)}
    fisheye = replace(c, lens="fisheye", distortion=(0.02,), cx=11.0)
    return [replace(a, **phone), replace(b, **phone), fisheye, replace(d, fx=40.0)]


def _learned(cameras: Sequence[Camera]) -> LearnedCameras:
    corrections = LearnedCameras(ON, cameras)
    generator = torch.Generator().manual_seed(3)
    lenses = corrections.lenses
    assert isinstance(lenses, LearnedLenses)
    lenses.numbers.data.normal_(0, 0.03, generator=generator)
    corrections.coordinates.data.normal_(0, 0.03, generator=generator)
    return corrections


def test_rays_go_through_the_corrected_lenses() -> None:
    """Cast anew by the corrected cameras, they are the same: each through its own frame's lens."""
    cameras = _cameras()
    corrections = _learned(cameras)
    frames = torch.arange(4).repeat_interleave(5)
    pixels = torch.rand(20, 2, generator=torch.Generator().manual_seed(2)) * 24
    given = Cameras.stack(cameras).rays(frames, pixels)
    rays = corrections(given, frames)
    corrected = [corrections.corrected(camera, k) for k, camera in enumerate(cameras)]
    expected = Cameras.stack(corrected).rays(frames, pixels)
    torch.testing.assert_close(rays.origins, expected.origins)
    torch.testing.assert_close(rays.directions, expected.directions, atol=2e-6, rtol=0)
    assert float((rays.directions - given.directions).detach().norm(dim=-1).min()) > 1e-3
    assert [camera.lens for camera in corrected] == [camera.lens for camera in cameras]


def test_numbers_are_what_they_are_called() -> None:
    camera = replace(cameras_around(1)[0], lens="opencv", distortion=(0.1, 0.2))
    lenses = LearnedLenses([camera])
    lenses.numbers.data = torch.tensor([[0.02, 0.01, 0.05, -0.03, 0.004]])
    found = lenses.applied(camera)
    expected = (camera.fx * 1.03, camera.fy * 1.01, camera.cx + 0.05 * camera.fx)
    assert (found.fx, found.fy, found.cx) == pytest.approx(expected, rel=1e-3)
    assert found.cy == pytest.approx(camera.cy - 0.03 * camera.fy, rel=1e-5)
    assert found.distortion[:2] == pytest.approx((0.104, 0.2), rel=1e-5)
    assert list(lenses.summary()[lens_name(camera)]) == list(NUMBERS)


def test_held_out_pictures_share_the_lens_whatever_their_size() -> None:
    """A stranger's camera is left alone, and one whose distortion was taken out gets none back."""
    cameras = _cameras()
    corrections = _learned(cameras)
    assert isinstance(corrections.lenses, LearnedLenses) and len(corrections.lenses.names) == 3
    applied = corrections.lenses.applied
    small = cameras[1].resized(12, 12)
    assert applied(small).fractions == pytest.approx(applied(cameras[0]).fractions, rel=1e-6)
    assert corrections.aligned(cameras[0]).fractions == applied(cameras[0]).fractions
    flat = applied(cameras[0].undistorted())
    assert flat.lens == "pinhole" and flat.fractions == applied(cameras[0]).fractions
    odd = replace(cameras[0], fx=33.3, fy=33.7, cx=11.7, cy=12.1)
    assert {lens_name(odd.resized(k, k)) for k in range(1, 200)} == {lens_name(odd)}
    stranger = replace(cameras[0], fx=77.0)
    assert applied(stranger) is stranger


def test_lenses_alone_leave_poses_alone() -> None:
    cameras = _cameras()
    corrections = CorrectionsConfig(intrinsics=0.1, start=3).build(cameras)
    rays, frames = cameras[0].rays(), torch.zeros(24 * 24, dtype=torch.long)
    corrections.update(2)
    assert corrections(rays, frames) is rays
    corrections.update(3)
    cast = corrections(rays, frames)
    cast.directions[:, 0].sum().backward()
    gradients = {name: p.grad for name, p in corrections.named_parameters()}
    assert gradients["coordinates"] is None
    assert gradients["lenses.numbers"] is not None and gradients["lenses.numbers"][0].any()


def test_a_checkpoint_s_lenses_are_found_by_name(tmp_path: Path) -> None:
    """Read with other pictures, of which one was taken through a new lens; what is left keeps its numbers."""
    scene = clouds_scene(tmp_path, train=8, test=1)
    wide = {"frame 1", "frame 5"}
    frames = tuple(
        replace(f, camera=replace(f.camera, fx=20.0)) if f.name in wide else f
        for f in scene.splits["train"]
    )
    tele = replace(frames[0], name="new", camera=replace(frames[0].camera, fx=60.0))
    old = Trainer(with_train(scene, frames[:4]), TINY)
    for _ in range(TINY.steps):
        old.train_step()
    new = Trainer(with_train(scene, (tele, frames[5], frames[2])), TINY)
    new.load(*old.state())
    for part in ("variant", "optimiser.first", "optimiser.average"):
        name = f"{part}.corrections.lenses.numbers"
        were, now = old.state()[0][name], new.state()[0][name]
        assert were.any(dim=1).tolist() == [True, True]
        assert not now[0].any() and torch.equal(now[1:], were.flip(0))
    new.train_step()


def test_corrections_json_names_the_lenses(tmp_path: Path) -> None:
    scene = clouds_scene(tmp_path / "clouds", train=4, test=1)
    trainer = Trainer(scene, TINY)
    for _ in range(TINY.steps):
        trainer.train_step()
    trainer.teacher().save(tmp_path)
    written = json.loads((tmp_path / "corrections.json").read_text())["lenses"]
    corrections = trainer.teacher().variant.corrections
    camera = scene.cameras()[0]
    found = corrections.corrected(camera, 0)
    assert list(written) == [lens_name(camera)]
    numbers = written[lens_name(camera)]
    expected = camera.fx * math.exp(numbers["focal"] + numbers["aspect"])
    assert found.fx == pytest.approx(expected, rel=1e-5) and found.fx != camera.fx
