"""Corrections move rays as cameras would, feel the renderer's true gradient, do not drift, and find lost poses."""

import copy
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

import teacher.render
from teacher import checkpoint
from teacher.cameras import Camera, Cameras, apply_similarity, point_of_interest, project
from teacher.corrections import CorrectionsConfig, GivenCameras, LearnedCameras
from teacher.fields.hash_grid import HashGridConfig
from teacher.losses import LossConfig
from teacher.model import Teacher, as_described, describe_scene
from teacher.ops.composite import reference
from teacher.ops.hash_encode import HashGrid
from teacher.optimiser import FieldOptimiser, Group, OptimiserConfig
from teacher.per_image import PerImageConfig
from teacher.presets import TrainConfig
from teacher.rays import Rays
from teacher.rigid import aligning_similarity, differences, gauge_directions, moved, rotate
from teacher.samplers.occupancy import OccupancyConfig
from teacher.scene import Scene
from teacher.train import save
from teacher.trainer import Trainer
from teacher.variant import Variant
from tests.clouds import Clouds, cameras_around, clouds_scene, variant_of

ON = CorrectionsConfig(rate=0.1, start=0)


def _learned(cameras: Sequence[Camera], seed: int, size: float = 0.05) -> LearnedCameras:
    corrections = LearnedCameras(ON, cameras)
    generator = torch.Generator().manual_seed(seed)
    corrections.coordinates.data.normal_(0, size, generator=generator)
    return corrections


def test_rate_zero_is_the_given_cameras_and_costs_nothing() -> None:
    cameras = cameras_around(3)
    given = CorrectionsConfig().build(cameras)
    rays = cameras[0].rays()
    assert type(given) is GivenCameras and not list(given.parameters())
    assert given(rays, torch.zeros(len(rays), dtype=torch.long)) is rays
    assert given.corrected(cameras[0], 0) is given.aligned(cameras[0]) is cameras[0]
    assert given.summary(["a"]) == {}


def test_rays_are_those_of_the_corrected_cameras() -> None:
    """Each ray follows its own frame."""
    cameras = cameras_around(4)
    corrections = _learned(cameras, 1)
    frames = torch.arange(4).repeat_interleave(3)
    pixels = torch.rand(12, 2, generator=torch.Generator().manual_seed(2)) * 12
    rays = corrections(Cameras.stack(cameras).rays(frames, pixels), frames)
    corrected = [corrections.corrected(camera, k) for k, camera in enumerate(cameras)]
    expected = Cameras.stack(corrected).rays(frames, pixels)
    torch.testing.assert_close(rays.origins, expected.origins)
    torch.testing.assert_close(rays.directions, expected.directions, atol=1e-6, rtol=0)
    angles, _ = differences(cameras, corrected)
    assert float(angles.min()) > 1


def test_vectors_rest_until_their_start() -> None:
    cameras = cameras_around(2)
    corrections = LearnedCameras(replace(ON, start=7), cameras)
    rays, frames = cameras[0].rays(), torch.zeros(144, dtype=torch.long)
    corrections.update(6)
    assert corrections(rays, frames) is rays
    corrections.update(7)
    assert corrections(rays, frames).directions.requires_grad


def test_what_moves_all_cameras_alike_is_projected_out() -> None:
    """Vectors along the gauge move nothing; others take the scene nowhere on average, and keep the cameras' spread."""
    cameras = cameras_around(6)
    corrections = LearnedCameras(ON, cameras)
    centres = torch.stack([camera.position for camera in cameras])
    along = (gauge_directions(centres) @ torch.randn(7)).reshape(6, 6, 1)
    corrections.coordinates.data = torch.linalg.solve(corrections.basis, along)[:, :, 0]
    assert float(corrections.motions().detach().abs().max()) < 1e-5
    motions = _learned(cameras, 3).motions().detach()
    w, v = motions.split(3, -1)
    assert float(motions.abs().max()) > 0.05
    torch.testing.assert_close(w.mean(0), torch.zeros(3), atol=1e-6, rtol=0)
    target = point_of_interest(cameras)
    carried = v + torch.linalg.cross(w, target - centres)
    torch.testing.assert_close(carried.mean(0), torch.zeros(3), atol=1e-6, rtol=0)
    assert abs(float((v * (centres - centres.mean(0))).sum())) < 1e-6


def test_held_out_views_follow_what_the_cameras_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All cameras tilt upwards about their own centres, and the scene is higher: pictures stay almost the same.

    No similarity undoes that. The one that is nearest to the cameras would look for the scene where it was.
    """
    scene = clouds_scene(tmp_path, train=8, test=2)
    up, tilted = torch.tensor([0.0, 0.0, 0.1]), LearnedCameras(ON, scene.cameras())
    place = torch.stack([camera.position for camera in tilted.cameras])
    axis = torch.linalg.cross(-place, up.expand_as(place)) / place.square().sum(-1, keepdim=True)
    T = torch.eye(4)
    T[:3, 3] = up
    motions = torch.cat([axis, torch.zeros_like(axis)], -1)
    monkeypatch.setattr(tilted, "motions", lambda: motions)
    higher = Teacher(variant_of(Clouds(T), tilted, 8), describe_scene(scene))
    test = scene.splits["test"]
    moved_test = [tilted.aligned(frame.camera) for frame in test]
    nearest = aligning_similarity(
        scene.cameras(), [moved(c, m) for c, m in zip(scene.cameras(), motions, strict=True)]
    )
    views = [replace(f, camera=apply_similarity(nearest, f.camera)) for f in test]
    given = Teacher(variant_of(Clouds(T), GivenCameras(), 8), describe_scene(scene))
    print(higher.psnrs(test), given.psnrs(views), moved_test[0].position - test[0].camera.position)
    assert min(higher.psnrs(test)) > max(given.psnrs(views)) + 3


class Score(nn.Module):
    """How far a batch is from arbitrary targets, as a function of the variant's parameters."""

    def __init__(self, variant: Variant, cameras: Sequence[Camera]) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(6)
        self.variant = variant
        self.frames = torch.arange(len(cameras)).repeat_interleave(5)
        pixels = 3 + 6 * torch.rand(len(self.frames), 2, generator=generator)
        self.rays = Cameras.stack(cameras).rays(self.frames, pixels)
        self.target = torch.rand(len(pixels), 4, generator=generator)

    def forward(self) -> Float[Tensor, ""]:
        kind = next(self.parameters()).dtype
        rays = Rays(self.rays.origins.to(kind), self.rays.directions.to(kind))
        rendering = self.variant.render_batch(rays, self.frames, torch.zeros(len(rays)))
        return (rendering.rgba - self.target).square().sum()


def test_the_renderer_s_gradient_is_that_of_finite_differences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of it in float64 by gradcheck; then the float32 op against that."""
    cameras = cameras_around(3)
    corrections = _learned(cameras, 5)
    score = Score(variant_of(Clouds(), corrections, 3), cameras)
    score().backward()
    single = corrections.coordinates.grad
    assert single is not None

    monkeypatch.setattr(teacher.render, "composite", reference.composite)
    twin = copy.deepcopy(score).double()

    def exact_score(coordinates: Float[Tensor, "3 6"]) -> Float[Tensor, ""]:
        return functional_call(twin, {"variant.corrections.coordinates": coordinates}, ())

    coordinates = corrections.coordinates.detach().double().requires_grad_()
    assert torch.autograd.gradcheck(exact_score, coordinates)
    (exact,) = torch.autograd.grad(exact_score(coordinates), coordinates)
    largest = float(exact.abs().max())
    assert largest > 0.1
    torch.testing.assert_close(single.double(), exact, atol=1e-4 * largest, rtol=0)


class Drifted(LearnedCameras):
    """Corrections that have all moved by one rigid motion: turned by `w`, then shifted by `shift`."""

    w, shift = torch.tensor([0.06, -0.04, 0.05]), torch.tensor([0.05, 0.1, -0.08])

    def motions(self) -> Float[Tensor, "frames 6"]:
        centres = torch.stack([camera.position for camera in self.cameras])
        turn = self.w.expand_as(centres)
        return torch.cat([turn, rotate(turn, centres) + self.shift - centres], -1)


def test_held_out_pictures_are_measured_from_aligned_cameras(tmp_path: Path) -> None:
    """A scene that drifted rigidly with its cameras scores as if nothing had happened: there is no gauge in PSNR."""
    scene = clouds_scene(tmp_path, train=8, test=1)
    drifted = Drifted(ON, scene.cameras())
    T = torch.eye(4)
    T[:3, :3] = rotate(drifted.w.expand(3, 3), torch.eye(3)).T
    T[:3, 3] = drifted.shift
    teacher = Teacher(variant_of(Clouds(T), drifted, 8), describe_scene(scene))
    unmoved = Teacher(variant_of(Clouds(T), GivenCameras(), 8), describe_scene(scene))
    test, train = scene.splits["test"], scene.splits["train"]
    assert unmoved.psnrs(test)[0] < 25
    assert teacher.psnrs(test)[0] > 45  # what 8 bits leave
    assert min(teacher.psnrs(train)) > 45


def test_a_group_has_a_start_a_rate_and_an_end_of_its_own() -> None:
    """Under a constant gradient Adam's steps are as long as the rate; before `start` none is taken or remembered."""
    module = nn.Linear(2, 2, bias=False)
    before = module.weight.detach().clone()
    config = OptimiserConfig(learning_rate=1.0, final=0.5, warmup=0)
    optimiser = FieldOptimiser(module, {"weight": Group(rate=0.1, final=0.01, start=3)}, config)
    for step in range(8):
        module.weight.grad = torch.ones(2, 2)
        optimiser.step(step, 8)
        assert module.weight.grad is None
        way = sum(0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * k / 5)) for k in range(step - 2))
        torch.testing.assert_close(module.weight.data, before - 0.1 * way)


def test_a_pull_is_half_the_sum_of_squares_in_the_loss() -> None:
    """(w - 1)² / 2 + w² / 8 is least at w = 4/5."""
    module = nn.Linear(2, 2, bias=False)
    config = OptimiserConfig(learning_rate=0.1, warmup=0)
    optimiser = FieldOptimiser(module, {"weight": Group(pull=0.25)}, config)
    for step in range(300):
        (0.5 * (module.weight - 1).square()).sum().backward()
        optimiser.step(step, 300)
    torch.testing.assert_close(module.weight.data, torch.full((2, 2), 0.8), atol=1e-3, rtol=0)


TINY = TrainConfig(
    field=HashGridConfig(HashGrid(levels=4, features=4, log2_size=12, finest=64), width=16),
    sampler=OccupancyConfig(resolution=32, step=0.04, warmup=32),
    optimiser=OptimiserConfig(warmup=10),
    per_image=PerImageConfig(size=2),
    corrections=CorrectionsConfig(rate=0.1, start=10),
    steps=40,
    samples_per_step=1 << 11,
    first_rays=256,
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """The clouds at 24 pixels."""
    return clouds_scene(tmp_path_factory.mktemp("clouds"), train=24, test=3)


def _trained(scene: Scene, config: TrainConfig, steps: int | None = None) -> Trainer:
    trainer = Trainer(scene, config)
    for _ in range(config.steps if steps is None else steps):
        trainer.train_step()
    return trainer


@pytest.mark.parametrize("stop", [5, 25])
def test_codes_and_corrections_resume_bit_for_bit(scene: Scene, stop: int) -> None:
    """Stopped before corrections begin, and after."""
    whole, first = _trained(scene, TINY), _trained(scene, TINY, stop)
    tensors, numbers = first.state()
    second = Trainer(scene, TINY)
    second.load({name: tensor.clone() for name, tensor in tensors.items()}, numbers)
    while second.step < TINY.steps:
        second.train_step()
    expected, resumed = whole.state()[0], second.state()[0]
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)
    assert float(expected["variant.corrections.coordinates"].abs().max()) > 0


def test_rows_find_their_frames_by_name(scene: Scene) -> None:
    """A checkpoint read with other pictures: those in common keep code, correction and moments, new ones begin anew."""
    train = scene.splits["train"]
    old = _trained(replace(scene, splits={**scene.splits, "train": train[:12]}), TINY)
    now = (train[15], *reversed(train[4:12]))
    new = Trainer(replace(scene, splits={**scene.splits, "train": now}), TINY)
    new.load(*old.state())
    tensors, were = new.state()[0], old.state()[0]
    for part in ("variant", "optimiser.first", "optimiser.steps", "optimiser.average"):
        for name in ("per_image.codes", "corrections.coordinates"):
            row, before = tensors[f"{part}.{name}"], were[f"{part}.{name}"]
            assert torch.equal(row[1:], before[4:].flip(0)) and not row[0].any()
            assert before[4:].any()
    assert torch.equal(tensors["variant.field.table"], were["variant.field.table"])
    new.train_step()


def test_rows_by_name_by_hand() -> None:
    rows = checkpoint.rows_by_name(
        torch.tensor([[1.0], [2.0]]),
        ["a", "b"],
        torch.tensor([[7.0], [8.0], [9.0]]),
        ["c", "b", "d"],
    )
    assert rows.tolist() == [[7.0], [2.0], [9.0]]


def test_a_scene_of_other_pictures_is_seen_in_the_trained_frame(scene: Scene) -> None:
    """Other pictures, another norm frame; described by the first scene, cameras and box are the first's again."""
    T = torch.diag(torch.tensor([0.5, 0.5, 0.5, 1.0]))
    T[:3, 3] = torch.tensor([0.3, -0.2, 0.1])
    splits = {
        split: tuple(replace(f, camera=apply_similarity(T, f.camera)) for f in frames)
        for split, frames in scene.splits.items()
    }
    other = replace(scene, splits=splits, T_norm_world=T, aabb=0.7 * scene.aabb)
    back = as_described(other, describe_scene(scene))
    for mine, theirs in zip(back.cameras("test"), scene.cameras("test"), strict=True):
        torch.testing.assert_close(mine.T_world_camera, theirs.T_world_camera, atol=1e-6, rtol=0)
    assert torch.equal(back.aabb, scene.aabb) and torch.equal(back.T_norm_world, torch.eye(4))
    assert as_described(scene, describe_scene(scene)) is scene


def test_each_checkpoint_says_what_was_corrected(scene: Scene, tmp_path: Path) -> None:
    trainer = _trained(scene, TINY)
    save(trainer, tmp_path)
    written = json.loads((tmp_path / "corrections.json").read_text())
    names = [frame.name for frame in scene.splits["train"]]
    assert list(written["frames"]) == names
    corrections = trainer.teacher().variant.corrections
    assert isinstance(corrections, LearnedCameras)
    corrected = [corrections.corrected(c, k) for k, c in enumerate(scene.cameras())]
    angles, distances = differences(scene.cameras(), corrected)
    assert written["rotation_degrees"]["max"] == pytest.approx(float(angles.max())) != 0
    assert written["translation_norm_units"]["mean"] == pytest.approx(float(distances.mean()))
    row = written["frames"][names[3]]
    assert row["rotation_degrees"] == pytest.approx(float(angles[3]))
    torch.testing.assert_close(torch.tensor(row["motion"]), corrections.motions()[3])


SOFT = replace(
    TINY,
    field=HashGridConfig(HashGrid(levels=3, features=4, log2_size=12, base=8, finest=24), width=16),
    sampler=OccupancyConfig(resolution=16, step=0.06, warmup=32),
    loss=LossConfig(distortion=0.0, opacity=0.0),
    per_image=PerImageConfig(),
    steps=400,
    samples_per_step=1 << 13,
)


def test_lost_poses_are_found_again(scene: Scene) -> None:
    """Every training camera is turned by 2 degrees and shifted by 0.03 units: corrections undo most of it.

    Held-out views are seen from the frame that the corrected cameras agree on, as BARF's are (Lin et al. 2021). Errors
    are also counted in pixels, because turning and shifting a camera a little can hide each other.
    """
    truth, noise = (
        scene.cameras(),
        torch.randn(2, 24, 3, generator=torch.Generator().manual_seed(7)),
    )
    w, v = torch.nn.functional.normalize(noise, dim=-1)
    motions = torch.cat([w * torch.deg2rad(torch.tensor(2.0)), v * 0.03], -1)
    frames = [
        replace(frame, camera=moved(frame.camera, motion))
        for frame, motion in zip(scene.splits["train"], motions, strict=True)
    ]
    lost = replace(scene, splits={**scene.splits, "train": tuple(frames)})
    errors = {}
    for name, corrections in {"off": CorrectionsConfig(), "on": replace(ON, start=20)}.items():
        teacher = _trained(lost, replace(SOFT, corrections=corrections)).teacher()
        found = teacher.variant.corrections
        now = [found.corrected(frame.camera, k) for k, frame in enumerate(frames)]
        T = aligning_similarity(truth, now)
        aligned = [apply_similarity(T, camera) for camera in truth]
        views = [replace(f, camera=apply_similarity(T, f.camera)) for f in scene.splits["test"]]
        values = teacher.psnrs(views)
        angles, _ = differences(aligned, now)
        errors[name] = (float(angles.mean()), _pixels(aligned, now), sum(values) / len(values))
    off, on = errors["off"], errors["on"]
    assert off[0] > 1.8 and on[0] < off[0] / 2  # degrees
    assert off[1] > 0.6 and on[1] < off[1] / 3.5  # pixels
    assert on[2] > off[2] + 3  # decibels


def _pixels(cameras: Sequence[Camera], others: Sequence[Camera]) -> float:
    """Mean distance between where two cameras see the clouds."""
    points = Clouds().centres
    apart = [
        (project(a, points)[0] - project(b, points)[0]).norm(dim=-1).mean()
        for a, b in zip(cameras, others, strict=True)
    ]
    return float(torch.stack(apart).mean())
