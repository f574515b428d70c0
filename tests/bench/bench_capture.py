"""Poses of our own structure from motion beside published ones: how far apart, and what a teacher makes of each.

    python -m tests.bench.bench_capture            fox: 3 CPU minutes of poses, 5 for each training (four of them)

    images --teacher process--> our poses --aligning similarity--> difference to the published ones
    both data sets --the same preset, pictures, size, seed--> PSNR on the same held-out pictures

Each training has the box, the lens and the near distance that its own data set gives: what a user would get. Writes
runs/bench/capture.json.
"""

import dataclasses
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from teacher.cameras import Camera, apply_similarity, point_of_interest
from teacher.capture.process import Request, process
from teacher.datasets import load_scene
from teacher.errors import exit_on_user_error
from teacher.files import write_json
from teacher.presets import PRESETS, DataConfig
from teacher.rigid import aligning_similarity, differences
from teacher.scene import Scene
from teacher.trainer import Trainer
from tests.bench import report
from tests.bench.training import finish, held_out

HOLD_OUT = 8
"""Every so many pictures, by name, one is held out."""


@dataclass(frozen=True)
class Bench:
    """Which data set, and how much training."""

    published: Path = Path("../shared/data/fox")
    """Data set with poses that are taken for true."""
    ours: Path = report.FOLDER / "capture" / "fox"
    """Data set of our own poses; made from the other's images/ if there is none."""
    preset: str = "unbounded"
    """Preset that is trained on both."""
    steps: int = 1500
    """Training steps; 0: poses only."""
    max_side: int = 128
    """Longest side of the training pictures."""
    seeds: tuple[int, ...] = (0, 1)
    """A training of each data set for each."""
    output: Path = report.FOLDER / "capture.json"
    """JSON file to write."""

    def run(self) -> None:
        """Measure, print and write."""
        found: dict[str, Any] = report.provenance()
        if not self.ours.exists():
            start = time.process_time()
            process(Request(self.published / "images", self.ours))
            print(f"[poses: {time.process_time() - start:.0f} s of this process]")
        found |= compare(load_scene(self.published), load_scene(self.ours))
        print(json.dumps(found, indent=2), flush=True)
        if self.steps:
            found["training"] = self._trained()
        write_json(self.output, found)

    def _trained(self) -> list[dict[str, Any]]:
        splits = self.output.with_name("capture_splits.json")
        shared = sorted(
            set(_cameras(load_scene(self.published))) & set(_cameras(load_scene(self.ours)))
        )
        write_json(
            splits,
            {
                "train": [n for k, n in enumerate(shared) if k % HOLD_OUT],
                "test": shared[::HOLD_OUT],
            },
        )
        rows = []
        for seed in self.seeds:
            for name, data in (("published", self.published), ("ours", self.ours)):
                config = dataclasses.replace(PRESETS[self.preset][1], steps=self.steps, seed=seed)
                scene = DataConfig(data, splits=splits, max_side=self.max_side).load()
                trainer = Trainer(scene, config)
                start = time.process_time()
                for _ in finish(trainer):
                    pass
                psnr = held_out(trainer, scene, config, scene.splits["test"])
                rows.append(
                    {
                        "poses": name,
                        "seed": seed,
                        "psnr": psnr,
                        "seconds": time.process_time() - start,
                    }
                )
                print(
                    f"{name}, seed {seed}: {psnr:.2f} dB on {len(scene.splits['test'])} held-out pictures, "
                    f"{rows[-1]['seconds']:.0f} CPU s",
                    flush=True,
                )
        for name in ("published", "ours"):
            mean = statistics.fmean(row["psnr"] for row in rows if row["poses"] == name)
            print(f"{name}: {mean:.2f} dB, mean of {len(self.seeds)} seeds", flush=True)
        return rows


def compare(published: Scene, ours: Scene) -> dict[str, float]:
    """Differences of our cameras to the published ones after alignment: degrees, and per cent of the mean distance
    of the cameras from what they look at."""
    true, found = _cameras(published), _cameras(ours)
    names = sorted(set(true) & set(found))
    a, b = [found[name] for name in names], [true[name] for name in names]
    T = aligning_similarity(a, b)
    angles, distances = differences([apply_similarity(T, camera) for camera in a], b)
    centre = point_of_interest(b)
    radius = torch.stack([(camera.position - centre).norm() for camera in b]).mean()
    percent = 100 * distances / radius
    return {
        "pictures": len(true),
        "cameras": len(names),
        "degrees_mean": float(angles.mean()),
        "degrees_max": float(angles.max()),
        "position_percent_mean": float(percent.mean()),
        "position_percent_max": float(percent.max()),
    }


def _cameras(scene: Scene) -> dict[str, Camera]:
    """Every picture's camera, by the picture's name."""
    return {frame.name: frame.camera for split in scene.splits.values() for frame in split}


def main() -> None:
    """Run the benchmark that the command line describes."""
    exit_on_user_error(lambda: tyro.cli(Bench, description=__doc__).run())


if __name__ == "__main__":
    main()
