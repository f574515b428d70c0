"""The teacher on a GPU, beside nerfacc in the same run: one command, a few minutes, a table and a JSON file.

    python -m tests.bench.bench_cuda --data runs/bench/lego                 everything but the long budget
    python -m tests.bench.bench_cuda --data runs/bench/lego --sections budgets --budgets 300 --output x.json
    python -m tests.bench.bench_cuda --merge runs/bench/cuda.json x.json --write

Without --data the built-in scene is rendered at 800 px first (minutes of a CPU). A section that fails is reported, and
the others go on. Needs nothing but what the teacher imports; nerfacc, tiny-cuda-nn and nvcc only for the peer.

`--device cpu` runs the same lines without a GPU, to see that they run: its numbers say nothing about one.
"""

import argparse
import dataclasses
import importlib.util
import os
import shutil
import statistics
import subprocess
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from teacher.demo import write_demo_scene
from teacher.errors import UserError, exit_on_user_error
from teacher.files import read_json, write_json
from teacher.machine import pick_device
from teacher.presets import PRESETS, DataConfig, TrainConfig
from teacher.scene import Frame, Scene
from teacher.trainer import Trainer
from tests.bench import cuda_tables, first_step, report, roofline
from tests.bench.peers import instant_ngp, nerfacc_occ
from tests.bench.training import Learned, held_out, planner, run_block, train_for, wait

SECTIONS = (
    "environment",
    "cold_start",
    "peer",
    "training",
    "budgets",
    "rendering",
    "roofline",
    "instant_ngp",
)
GIB = 1 << 30


class Bench:
    """What is measured on, and what was found so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.device = options, pick_device(options.device)
        self.data: Path = options.data
        if not (self.data / "transforms_train.json").exists():
            write_demo_scene(self.data, size=options.size)
        self.scene: Scene = DataConfig(self.data).load()
        self.config: TrainConfig = _config(options)
        test = self.scene.splits["test"]
        # A whole NeRF-synthetic test split has 200 views; a copy may already hold every eighth only.
        self.views: Sequence[Frame] = test[::8] if len(test) >= 100 else test
        self.views = self.views[: options.views]
        self.peer: nerfacc_occ.NerfaccTrainer | None = None
        self.trained: Trainer | None = None
        self.errors: dict[str, str] = {}

    def environment(self) -> dict[str, Any]:
        """The machine, and what is on it."""
        camera = self.views[0].camera
        return report.provenance() | {
            "gpu": _gpu(self.device),
            "driver": _driver(),
            "nvcc": shutil.which("nvcc"),
            "packages": {
                name: importlib.util.find_spec(name) is not None
                for name in ("nerfacc", "tinycudann", "pyngp")
            },
            "scene": self.scene.name,
            "resolution": [camera.width, camera.height],
            "background": "white",
            "views": [frame.name for frame in self.views],
            "preset": self.options.preset,
        }

    def cold_start(self) -> dict[str, Any]:
        """From starting Python to the first step, nothing compiled, no nvcc on PATH."""
        seconds = first_step.measure(self.data, self.options.preset, self.device.type)
        return {"seconds_to": seconds}

    def peer_start(self) -> dict[str, Any]:
        """Import nerfacc, which compiles its kernels, and take its first step."""
        start = time.perf_counter()
        peer = self._new_peer()
        peer.train_step()
        wait(self.device)
        self.peer = peer
        seconds = time.perf_counter() - start
        return {"peer": {"field": peer.field.name, "seconds_to_first_step": seconds}}

    def training(self) -> dict[str, Any]:
        """Samples per second once the occupancy grid is known, in blocks that take turns with the peer's."""
        o = self.options
        ours = Trainer(self.scene, self.config, self.device)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        run_block(ours, o.warmup_steps)
        if self.peer:
            _peer_block(self.peer, o.warmup_steps)
        blocks, theirs = [], []
        for _ in range(o.blocks):
            blocks.append(run_block(ours, o.block_steps))
            theirs += [_peer_block(self.peer, o.block_steps)] if self.peer else []
        self.trained = ours
        rates = [b.samples / b.wall for b in blocks]
        found = {
            "samples_per_second": statistics.median(rates),
            "candidates_per_second": statistics.median(b.candidates / b.wall for b in blocks),
            "rays_per_second": statistics.median(sum(b.rays) / b.wall for b in blocks),
            "steps_per_second": statistics.median(len(b.rays) / b.wall for b in blocks),
            "blocks": rates,
            "peak_memory_gib": _peak(self.device),
        }
        if theirs:
            found["peer_samples_per_second"] = statistics.median(s / t for s, t, _ in theirs)
            found["peer_steps_per_second"] = statistics.median(k / t for _, t, k in theirs)
        return {"training": found}

    def budgets(self) -> dict[str, Any]:
        """PSNR after fixed times of training, each from nothing and on a schedule that ends then."""
        learned: dict[str, dict[str, Any]] = {"ours": {}, "nerfacc": {}}
        for budget in self.options.budgets:
            trainer = Trainer(self.scene, self.config, self.device)
            seconds, steps = train_for(trainer, budget, planner(trainer))
            psnr = held_out(trainer, self.scene, self.config, self.views)
            learned["ours"][f"{budget:g}"] = dataclasses.asdict(Learned(seconds, steps, psnr))
            self.trained = trainer
            print(f"ours, {budget:g} s: {steps} steps, {psnr:.2f} dB", flush=True)
            if self.peer and budget <= self.options.peer_budget:
                learned["nerfacc"][f"{budget:g}"] = self._peer_budget(budget)
        return {"psnr_at": learned}

    def _peer_budget(self, budget: float) -> dict[str, Any]:
        peer = self._new_peer()
        seconds, steps = train_for(peer, budget, peer.plan)
        self.peer = peer
        learned = Learned(seconds, steps, statistics.fmean(peer.psnrs(self.views)))
        print(f"nerfacc, {budget:g} s: {steps} steps, {learned.psnr:.2f} dB", flush=True)
        return dataclasses.asdict(learned)

    def rendering(self) -> dict[str, Any]:
        """Frames per second at the test views' size."""
        trainer = self.trained or self._quickly_trained()
        teacher = trainer.teacher()
        sides: dict[str, Callable[[Frame], Any]] = {"ours": lambda f: teacher.render(f.camera)}
        if self.peer:
            sides["nerfacc"] = lambda f, peer=self.peer: peer.render(f.camera)
        found = {}
        for name, render in sides.items():
            seconds = self._time(render)
            found[name] = {"frames_per_second": 1 / seconds, "ms": 1e3 * seconds}
        camera = self.views[0].camera
        found["rays_per_second"] = camera.width * camera.height / (found["ours"]["ms"] / 1e3)
        found["note"] = "ours ends with the picture on the CPU, nerfacc's with it on the GPU"
        return {"rendering": found}

    def _time(self, render: Callable[[Frame], Any]) -> float:
        """Median seconds of a view."""
        render(self.views[0])
        times = []
        for frame in self.views:
            wait(self.device)
            start = time.perf_counter()
            render(frame)
            wait(self.device)
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    def roofline(self) -> dict[str, Any]:
        """Kernels against what the device can do."""
        steps = self.options.roofline_steps
        return {"roofline": roofline.measure(self.scene, self.config, self.device, steps)}

    def instant_ngp(self) -> dict[str, Any]:
        """The original's training rate, where it is installed."""
        if importlib.util.find_spec("pyngp") is None:
            return {}
        o = self.options
        return {"instant_ngp": instant_ngp.rate(self.data, o.warmup_steps, o.block_steps)}

    def _quickly_trained(self) -> Trainer:
        trainer = Trainer(self.scene, self.config, self.device)
        run_block(trainer, self.options.roofline_steps)
        return trainer

    def _new_peer(self) -> nerfacc_occ.NerfaccTrainer:
        return nerfacc_occ.NerfaccTrainer(self.scene, self.device, self.config.samples_per_step)

    def run(self) -> dict[str, Any]:
        """All sections; what fails is kept under "errors"."""
        found: dict[str, Any] = self.environment()
        for section in self.options.sections:
            start = time.perf_counter()
            try:
                found |= getattr(self, "peer_start" if section == "peer" else section)()
            except Exception as error:
                self.errors[section] = f"{type(error).__name__}: {error}"
                if not isinstance(error, UserError):
                    traceback.print_exc()
            print(f"[{section}: {time.perf_counter() - start:.0f} s]", flush=True)
        return found | {"errors": self.errors}


def _config(options: argparse.Namespace) -> TrainConfig:
    """The preset, with a smaller table and batch where a smoke test asks for it."""
    config = PRESETS[options.preset][1]
    if options.samples_per_step:
        config = dataclasses.replace(config, samples_per_step=options.samples_per_step)
    return config


def _peer_block(peer: nerfacc_occ.NerfaccTrainer, steps: int) -> tuple[int, float, int]:
    """Samples, seconds and steps."""
    wait(peer.device)
    start = time.perf_counter()
    samples = sum(peer.train_step() for _ in range(steps))
    wait(peer.device)
    return samples, time.perf_counter() - start, steps


def _gpu(device: torch.device) -> dict[str, Any] | None:
    if device.type != "cuda":
        return None
    of = torch.cuda.get_device_properties(device)
    return {
        "name": of.name,
        "capability": f"{of.major}.{of.minor}",
        "processors": of.multi_processor_count,
        "memory_gib": round(of.total_memory / GIB, 1),
        "cuda": torch.version.cuda,
    }


def _driver() -> str | None:
    """The driver's version by nvidia-smi, which is only asked."""
    try:
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        done = subprocess.run(query, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.splitlines()[0]


def _peak(device: torch.device) -> float | None:
    return torch.cuda.max_memory_allocated(device) / GIB if device.type == "cuda" else None


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; argparse, since a lent machine has no tyro."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.bench_cuda",
        description=(__doc__ or "").split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data", type=Path, default=report.FOLDER / "still-life-800", help="NeRF-synthetic scene")
    add("--size", type=int, default=800, help="pixels of the built-in scene if it must be rendered")
    add("--preset", default="synthetic", choices=sorted(PRESETS))
    add("--sections", nargs="+", default=list(SECTIONS), choices=SECTIONS, metavar="SECTION")
    add("--budgets", nargs="+", type=float, default=[5, 15, 60], help="seconds of training")
    add("--peer-budget", type=float, default=60, help="longest budget that the peer gets too")
    add("--views", type=int, default=25, help="most test views, of every eighth")
    add("--warmup-steps", type=int, default=768, help="before samples per second are taken")
    add("--blocks", type=int, default=7, help="blocks of steps, in turn with the peer's")
    add("--block-steps", type=int, default=128)
    add("--roofline-steps", type=int, default=1024, help="steps before kernels are timed alone")
    add("--samples-per-step", type=int, default=0, help="instead of the preset's")
    add("--device", default="cuda", choices=("cuda", "cpu"))
    add("--output", type=Path, default=report.FOLDER / "cuda.json")
    add("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    add(
        "--merge", nargs="+", type=Path, help="measure nothing: tables of these JSON files together"
    )
    return parser.parse_args(arguments)


def merged(files: Sequence[Path]) -> dict[str, Any]:
    """What several calls found on one machine: of two sections the later counts, budgets add up."""
    found: dict[str, Any] = {}
    for path in files:
        more = read_json(path, "a benchmark's figures", "run the benchmark with --output")
        for side, of_side in found.get("psnr_at", {}).items():
            if "psnr_at" in more:
                more["psnr_at"][side] = of_side | more["psnr_at"].get(side, {})
        found |= more | {"errors": found.get("errors", {}) | more["errors"]}
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    options = parse(arguments)
    found = merged(options.merge) if options.merge else Bench(options).run()
    write_json(options.output, found)
    if os.environ.get("OUT"):  # what a lent machine sends back
        write_json(Path(os.environ["OUT"]) / options.output.name, found)
    text = cuda_tables.markdown(found)
    print(text)
    if options.write:
        report.write_section("cuda", text)


if __name__ == "__main__":
    exit_on_user_error(main)
