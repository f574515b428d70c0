"""Cameras that are wrong, and what correcting them while the teacher trains brings back.

    python -m tests.bench.bench_poses                      all studies, a few minutes of a CPU core each
    python -m tests.bench.bench_poses --studies perturbed  one of them
    python -m tests.bench.bench_poses --write              also the table of docs/poses.md

`perturbed`: the built-in scene, each camera turned by 2 degrees and shifted by 2 % of the radius, drawn for itself.
`clip`: a video of the built-in scene, with the cameras that `python -m teacher process` finds; the frames then have the
alpha that a matte would give them.
`focal`: the built-in scene with a focal length that is wrong by 2 %.

Errors are means over training cameras after the similarity that takes the true ones onto them. Held-out views are
seen from their true poses, by the similarity that `LearnedCameras.aligned` uses too; nothing about them is trained.
"""

import itertools
import re
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import tyro
from PIL import Image
from tqdm import tqdm

from teacher.cameras import Camera, apply_similarity, point_of_interest
from teacher.capture.process import Request, process
from teacher.capture.settings import FrameSettings
from teacher.config import to_plain
from teacher.corrections import CorrectionsConfig, GivenCameras
from teacher.demo import write_demo_scene
from teacher.demo.dataset import straight_rgba
from teacher.demo.scene import still_life
from teacher.demo.tracer import render
from teacher.errors import UserError, exit_on_user_error
from teacher.files import replacing, write_json
from teacher.pictures import Picture
from teacher.presets import PRESETS, DataConfig, TrainConfig
from teacher.rigid import aligning_similarity, differences, moved
from teacher.samplers.occupancy import OccupancyConfig
from teacher.scene import Frame, Scene
from teacher.trainer import Trainer
from tests import clips
from tests.bench import report

DEGREES, SHARE, FOCAL = 2.0, 0.02, 1.02
"""What is done to cameras: degrees, part of the radius, factor of the focal length."""

CLIP_BOX = ((-0.36, -0.36, -0.16), (0.36, 0.36, 0.24))
"""Around the things on the table, in units of the cameras' distance, about the point they look at."""
OFF = CorrectionsConfig()
ON = CorrectionsConfig(rate=0.1, start=50, final=0.03)
"""What the studies try."""


def config(corrections: CorrectionsConfig, steps: int, seed: int, detail: int) -> TrainConfig:
    """The `demo` preset for pictures of 64 to 100 pixels times `detail`: its cells and steps are about half a pixel."""
    demo = PRESETS["demo"][1]
    assert isinstance(demo.sampler, OccupancyConfig)
    grid = replace(demo.field.grid, levels=6, finest=128 * detail)
    return replace(
        demo,
        field=replace(demo.field, grid=grid),
        sampler=replace(demo.sampler, step=0.024 / detail, max_samples=256 * detail),
        corrections=corrections,
        samples_per_step=detail << 14,
        steps=steps,
        seed=seed,
    )


@dataclass(frozen=True)
class Case:
    """A training: what it is given, and what is true."""

    label: str
    scene: Scene
    """With the cameras that training is given."""
    truth: dict[str, Camera]
    """True cameras by frame name, in any frame."""
    corrections: CorrectionsConfig


def measure(case: Case, steps: int, seed: int, detail: int = 1) -> dict[str, Any]:
    """Train, and say how far cameras were and are from the true ones, and what held-out views have."""
    trainer = Trainer(case.scene, config(case.corrections, steps, seed, detail))
    for _ in tqdm(range(steps), desc=case.label, unit="step"):
        trainer.train_step()
    teacher = trainer.teacher()
    found, given = teacher.variant.corrections, case.scene.cameras()
    now = [found.corrected(camera, k) for k, camera in enumerate(given)]
    truth = [case.truth[frame.name] for frame in case.scene.splits["train"]]
    T = aligning_similarity(truth, now, point_of_interest(truth))
    aligned = teacher.psnrs(case.scene.splits["test"])
    lens = found.aligned(case.scene.cameras("test")[0])
    teacher.variant.corrections = GivenCameras()
    views = [seen(frame, case.truth[frame.name], T) for frame in case.scene.splits["test"]]
    return {
        "before": errors(truth, given),
        "after": errors(truth, now),
        "focal": lens.fractions[0] / next(iter(case.truth.values())).fractions[0] - 1,
        "psnr": statistics.fmean(teacher.psnrs(views)),
        "psnr_aligned": statistics.fmean(aligned),
        "seed": seed,
    }


def seen(frame: Frame, truth: Camera, T: torch.Tensor) -> Frame:
    """A held-out frame from its true pose and through its true lens, in the frame that training ended in."""
    true = apply_similarity(T, truth).resized(frame.camera.width, frame.camera.height)
    return replace(frame, camera=true)


def errors(truth: list[Camera], cameras: list[Camera]) -> dict[str, float]:
    """Mean degrees, and mean percents of the radius, after the similarity that fits poses best."""
    T = aligning_similarity(truth, cameras)
    aligned = [apply_similarity(T, camera) for camera in truth]
    angles, distances = differences(aligned, cameras)
    return {
        "degrees": float(angles.mean()),
        "percent": 100 * float(distances.mean()) / radius(aligned),
    }


def radius(cameras: list[Camera]) -> float:
    """Mean distance from what cameras look at."""
    places = torch.stack([camera.position for camera in cameras])
    return float((places - point_of_interest(cameras)).norm(dim=-1).mean())


def perturbed(scene: Scene, degrees: float, share: float, seed: int) -> Scene:
    """`scene` with every training camera turned and shifted by that much, each its own way."""
    frames, cameras = scene.splits["train"], scene.cameras()
    noise = torch.randn(2, len(frames), 3, generator=torch.Generator().manual_seed(seed))
    w, v = torch.nn.functional.normalize(noise, dim=-1)
    motions = torch.cat([w * torch.deg2rad(torch.tensor(degrees)), v * share * radius(cameras)], -1)
    lost = tuple(
        replace(frame, camera=moved(frame.camera, motion))
        for frame, motion in zip(frames, motions, strict=True)
    )
    return replace(scene, splits={**scene.splits, "train": lost})


def with_cameras(scene: Scene, change: Callable[[Frame], Camera]) -> Scene:
    """`scene` with other cameras."""
    splits = {
        split: tuple(replace(frame, camera=change(frame)) for frame in frames)
        for split, frames in scene.splits.items()
    }
    return replace(scene, splits=splits)


def true_cameras(scene: Scene) -> dict[str, Camera]:
    """Its cameras by frame name."""
    return {frame.name: frame.camera for frames in scene.splits.values() for frame in frames}


def demo(folder: Path, detail: int) -> Scene:
    """The built-in scene: 50 views of 64 pixels times `detail`, 12 held out."""
    write_demo_scene(folder, size=64 * detail, train=50, test=12)
    return DataConfig(folder).load()


def clip(folder: Path, detail: int) -> tuple[Scene, dict[str, Camera]]:
    """48 frames of 400 pixels, processed; read at 100 times `detail`, with the alpha of a matte; and true cameras."""
    cameras, video, data = clips.orbit(48, 400), folder / "clip.mp4", folder / "clip"
    if not video.exists():
        folder.mkdir(parents=True, exist_ok=True)
        clips.write_clip(video, clips.photographs(still_life(), cameras), fps=10)
    if not (data / "transforms.json").exists():
        process(Request(video, data, FrameSettings(num_frames_target=48)))
    scene = DataConfig(data, max_side=100 * detail, aabb=CLIP_BOX).load()
    names = true_cameras(scene)
    matte = {
        name: _with_alpha(folder / "alpha", _number(name), 100 * detail)
        for name in tqdm(names, "matte")
    }
    splits = {
        split: tuple(replace(frame, picture=matte[frame.name]) for frame in frames)
        for split, frames in scene.splits.items()
    }
    truth = {name: cameras[_number(name)] for name in names}
    return replace(scene, splits=splits, has_alpha=True), truth


def _with_alpha(folder: Path, number: int, side: int) -> Picture:
    """A frame of the clip at `side` pixels as RGBA, rendered once."""
    path = folder / str(side) / f"{number:03}.png"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = straight_rgba(render(still_life(), clips.orbit(48, side)[number], 3))
        with replacing(path) as partial:
            Image.fromarray(pixels).save(partial, "PNG")
    return Picture(path)


def _number(name: str) -> int:
    found = re.search(r"(\d+)(\.\w+)?$", name)
    assert found is not None
    return int(found[1]) - 1


@dataclass(frozen=True)
class Bench:
    """Which studies, how long."""

    studies: tuple[str, ...] = ("perturbed", "clip", "focal")
    """Some of perturbed, clip, focal."""
    steps: int = 1000
    """Of each training."""
    seeds: tuple[int, ...] = (0,)
    """Of what is drawn in training and of how cameras are wrong."""
    corrections: CorrectionsConfig = ON
    """What is tried."""
    detail: int = 1
    """Pictures, cells and steps along rays are so many times finer, and training steps as much larger."""
    folder: Path = report.FOLDER / "poses"
    """Where pictures and results go."""
    docs: Path = report.ROOT / "docs"
    """Folder of poses.md."""
    write: bool = False
    """Also write the table there."""
    threads: int = 1
    """Threads of torch and of the kernels."""

    def run(self) -> None:
        """Train, measure, print and write."""
        torch.set_num_threads(self.threads)
        unknown = [name for name in self.studies if name not in STUDIES]
        if unknown:
            known = f"some of {', '.join(STUDIES)}"
            raise UserError("--studies", unknown[0], known, "choose of these")
        settings = to_plain((self.steps, self.corrections, self.detail))
        found = report.known(self.folder / "poses.json", settings)
        for name, seed in itertools.product(self.studies, self.seeds):
            for case in STUDIES[name](self, seed):
                key = f"{case.label}, seed {seed}"
                if key not in found["rows"]:
                    found["rows"][key] = measure(case, self.steps, seed, self.detail)
                    write_json(self.folder / "poses.json", found)
                print(f"{key}: {found['rows'][key]}")
        text = f"{_head(found)}\n\n{markdown(found['rows'])}"
        print(text)
        if self.write:
            report.write_section("poses", text, self.docs / "poses.md")


def of_perturbed(bench: Bench, seed: int) -> list[Case]:
    """True cameras; wrong ones; wrong ones that are corrected."""
    scene = demo(bench.folder / f"still-life-{bench.detail}", bench.detail)
    truth, lost = true_cameras(scene), perturbed(scene, DEGREES, SHARE, seed + 7)
    return [
        Case("true cameras", scene, truth, OFF),
        Case("2 degrees, 2 % off", lost, truth, OFF),
        Case("2 degrees, 2 % off, corrected", lost, truth, bench.corrections),
    ]


def of_clip(bench: Bench, seed: int) -> list[Case]:
    """True cameras in the frame of those found; found ones; found ones that are corrected, with lens and without."""
    scene, truth = clip(bench.folder, bench.detail)
    frames = scene.splits["train"]
    T = aligning_similarity([truth[f.name] for f in frames], [f.camera for f in frames])
    size = frames[0].camera.width, frames[0].camera.height
    right = with_cameras(scene, lambda f: apply_similarity(T, truth[f.name]).resized(*size))
    lens = replace(bench.corrections, intrinsics=bench.corrections.rate)
    return [
        Case("clip, true cameras", right, truth, OFF),
        Case("clip, as found", scene, truth, OFF),
        Case("clip, corrected", scene, truth, bench.corrections),
        Case("clip, corrected with the lens", scene, truth, lens),
    ]


def of_focal(bench: Bench, seed: int) -> list[Case]:
    """True poses with a wrong focal length; the lens corrected alone, and with the poses."""
    scene = demo(bench.folder / f"still-life-{bench.detail}", bench.detail)
    truth = true_cameras(scene)
    c = bench.corrections
    wrong = with_cameras(
        scene, lambda f: replace(f.camera, fx=f.camera.fx * FOCAL, fy=f.camera.fy * FOCAL)
    )
    return [
        Case("focal length 2 % off", wrong, truth, OFF),
        Case(
            "focal length 2 % off, corrected", wrong, truth, replace(c, rate=0.0, intrinsics=c.rate)
        ),
        Case("the same with poses", wrong, truth, replace(c, intrinsics=c.rate)),
    ]


STUDIES: dict[str, Callable[[Bench, int], list[Case]]] = {
    "perturbed": of_perturbed,
    "clip": of_clip,
    "focal": of_focal,
}


def markdown(found: dict[str, dict[str, Any]]) -> str:
    """A row for each training."""
    ends = ("before", "after")
    head = ("", "rotation off by", "", "position off by", "", "focal length", "held out, dB")
    rows = [
        [
            case,
            *(f"{row[when]['degrees']:.3f}°" for when in ends),
            *(f"{row[when]['percent']:.3f} %" for when in ends),
            f"{100 * row['focal']:+.2f} %",
            f"{row['psnr']:.2f}",
        ]
        for case, row in found.items()
    ]
    return report.table(head, rows)


def _head(found: dict[str, Any]) -> str:
    made = found["provenance"]
    return (
        f"`python -m tests.bench.bench_poses`: {made['machine']}; torch {made['torch']}, {made['threads']} thread(s); "
        f"{made['date']}, commit {made['commit']}. {found['settings'][0]} steps."
    )


if __name__ == "__main__":
    exit_on_user_error(lambda: tyro.cli(Bench).run())
