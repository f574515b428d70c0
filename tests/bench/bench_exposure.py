"""Exposure that drifts from picture to picture: what looks of pictures of their own (teacher/per_image.py) bring back.

    python -m tests.bench.bench_exposure                   all studies, about a minute of a CPU core for each training
    python -m tests.bench.bench_exposure --studies orbit   one of them
    python -m tests.bench.bench_exposure --write           also the table of docs/poses.md

    fox as it is -----------------------------------------------------> `steady`
    fox --light of training pictures times 2^u, u in +-0.3 stops------> `drift`     --preset, variant--> held-out PSNR
    a phone's video as it is -----------------------------------------> `orbit`

Held-out pictures of `drift` are not drifted, so its PSNR is fair as it stands. Those of `orbit` have an exposure of
their own that nothing knows: `aligned` is PSNR after the least-squares gain of each channel, for all variants alike.
"""

import itertools
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from teacher.config import to_plain
from teacher.corrections import CorrectionsConfig
from teacher.errors import UserError, exit_on_user_error
from teacher.files import replacing, write_json
from teacher.metrics import psnr
from teacher.model import WHITE, Teacher
from teacher.per_image import PerImageConfig, as_exposed
from teacher.pictures import Picture
from teacher.presets import PRESETS, DataConfig, TrainConfig
from teacher.scene import Frame, Scene, composite_over, premultiply
from teacher.trainer import Trainer
from tests.bench import report

STOPS = 0.3
"""Training pictures of `drift` are exposed by up to so much more or less."""

VARIANTS: dict[str, dict[str, Any]] = {
    "as usual": {},
    "gain": {"per_image": PerImageConfig(gains=1)},
    "gains of channels": {"per_image": PerImageConfig(gains=3)},
    "codes": {"per_image": PerImageConfig(size=4)},
    "poses": {"corrections": CorrectionsConfig(rate=0.1)},
    "poses and lens": {"corrections": CorrectionsConfig(rate=0.1, intrinsics=0.1)},
    "gains of channels, poses": {
        "per_image": PerImageConfig(gains=3),
        "corrections": CorrectionsConfig(rate=0.1),
    },
}
"""Parts of the configuration that differ from the preset's."""


def drifted(scene: Scene, folder: Path, stops: float, seed: int) -> Scene:
    """`scene` with the light of each training picture multiplied by 2^u, clipped where the sensor would be full.

    u is uniform in +-`stops`, less its mean: on average training pictures are exposed as held-out ones are.
    """
    frames = scene.splits["train"]
    u = (2 * torch.rand(len(frames), generator=torch.Generator().manual_seed(seed)) - 1) * stops
    folder.mkdir(parents=True, exist_ok=True)
    lit = tuple(
        replace(frame, picture=_exposed(frame, folder / f"{k:03}.png", float(stop)))
        for k, (frame, stop) in enumerate(zip(frames, u - u.mean(), strict=True))
    )
    return replace(scene, splits={**scene.splits, "train": lit})


def _exposed(frame: Frame, path: Path, stops: float) -> Picture:
    rgba = frame.picture.rgba()
    light = _linear(torch.from_numpy(rgba[..., :3] / 255)) * 2**stops
    rgba[..., :3] = np.rint(255 * _srgb(light.clamp(0, 1)).numpy()).astype(np.uint8)
    with replacing(path) as partial:
        Image.fromarray(rgba).save(partial, "PNG")
    return Picture(path)


def _linear(srgb: Tensor) -> Tensor:
    """IEC 61966-2-1, the whole curve: not the power that gains take it for."""
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _srgb(light: Tensor) -> Tensor:
    return torch.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def judge(teacher: Teacher, frames: tuple[Frame, ...]) -> dict[str, float]:
    """Mean PSNR of held-out `frames` as rendered, and with each channel's best gain."""
    plain, aligned = [], []
    for frame in frames:
        truth = composite_over(premultiply(frame.picture.rgba()), WHITE)
        image = composite_over(teacher.photograph(frame).rgba, WHITE).clamp(0, 1)
        plain.append(psnr(image, truth))
        aligned.append(psnr(as_exposed(image, truth), truth))
    return {"psnr": statistics.fmean(plain), "psnr_aligned": statistics.fmean(aligned)}


def measure(scene: Scene, config: TrainConfig, label: str) -> dict[str, Any]:
    """Train, and judge on the held-out pictures."""
    trainer = Trainer(scene, config)
    start = time.process_time()
    for _ in tqdm(range(config.steps), desc=label, unit="step", mininterval=5):
        trainer.train_step()
    seconds, teacher = time.process_time() - start, trainer.teacher()
    looks = teacher.variant.per_image
    spread = looks.log_gains().std(0).mean().item() if looks.config.gains else None
    return {
        **judge(teacher, scene.splits["test"]),
        "training_psnr": statistics.fmean(teacher.psnrs(scene.splits["train"][::8])),
        "log_gain_deviation": spread,
        "seconds": seconds,
        "steps": config.steps,
    }


@dataclass(frozen=True)
class Bench:
    """Which studies, how long."""

    studies: tuple[str, ...] = ("steady", "drift", "orbit")
    """Some of steady, drift, orbit."""
    variants: tuple[str, ...] = ()
    """Some of VARIANTS; empty: what each study is about."""
    fox: Path = Path("../shared/data/fox")
    """Data set of `drift`."""
    orbit: Path = Path("runs/orbit/scene")
    """Data set of `orbit`: make scene VIDEO=../shared/data/orbit.mp4."""
    preset: str = "unbounded"
    """What is trained."""
    steps: int = 1000
    """Of each training."""
    samples_per_step: int = 1 << 14
    """Half of the preset's: trainings of a minute."""
    max_side: int = 128
    """Longest side of pictures."""
    seeds: tuple[int, ...] = (0, 1)
    """Of training; the drift's is 7 in all."""
    folder: Path = report.FOLDER / "exposure"
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
        settings = to_plain((self.preset, self.steps, self.samples_per_step, self.max_side))
        found = report.known(self.folder / "exposure.json", settings)
        for study, seed, variant in self._cases():
            key = f"{study}, {variant}, seed {seed}"
            if key not in found["rows"]:
                config = self._config(VARIANTS[variant], seed)
                found["rows"][key] = measure(self._scene(study), config, key)
                write_json(self.folder / "exposure.json", found)
            print(f"{key}: {found['rows'][key]}", flush=True)
        text = f"{_head(found)}\n\n{markdown(found['rows'])}"
        print(text)
        if self.write:
            report.write_section("exposure", text, self.docs / "poses.md")

    def _cases(self) -> Iterator[tuple[str, int, str]]:
        looks = tuple(VARIANTS)[:4]
        known = {"steady": looks[:3:2], "drift": looks, "orbit": tuple(VARIANTS)}
        unknown = [name for name in self.studies if name not in known]
        unknown += [name for name in self.variants if name not in VARIANTS]
        if unknown:
            choice = f"some of {', '.join([*known, *VARIANTS])}"
            raise UserError("--studies or --variants", unknown[0], choice, "choose of these")
        for seed, study in itertools.product(self.seeds, self.studies):
            for variant in self.variants or known[study]:
                yield study, seed, variant

    def _config(self, parts: dict[str, Any], seed: int) -> TrainConfig:
        preset = replace(PRESETS[self.preset][1], per_image=PerImageConfig())
        work = {"steps": self.steps, "samples_per_step": self.samples_per_step, "seed": seed}
        return replace(preset, **work, **parts)

    def _scene(self, study: str) -> Scene:
        data = self.orbit if study == "orbit" else self.fox
        scene = DataConfig(data, max_side=self.max_side).load()
        return drifted(scene, self.folder / "drift", STOPS, 7) if study == "drift" else scene


def markdown(found: dict[str, dict[str, Any]]) -> str:
    """A row for each training."""
    head = ("", "held out, dB", "with the best gain, dB", "training, dB", "log gains' deviation")
    rows = []
    for case, row in found.items():
        values = [f"{row[key]:.2f}" for key in ("psnr", "psnr_aligned", "training_psnr")]
        spread = row["log_gain_deviation"]
        rows.append([case, *values, None if spread is None else f"{spread:.3f}"])
    return report.table(head, rows)


def _head(found: dict[str, Any]) -> str:
    made, (preset, steps, samples, side) = found["provenance"], found["settings"]
    return (
        f"`python -m tests.bench.bench_exposure`: {made['machine']}; torch {made['torch']}, "
        f"{made['threads']} thread(s); {made['date']}, commit {made['commit']}. "
        f"Preset {preset}, {steps} steps of {samples} samples, {side} px."
    )


if __name__ == "__main__":
    exit_on_user_error(lambda: tyro.cli(Bench, description=__doc__).run())
