"""The teacher on a CPU beside the same field in plain torch: training, rendering, memory, PSNR at fixed budgets.

    python -m tests.bench.bench_teacher            all of it, about ten minutes; writes runs/bench/cpu.json
    python -m tests.bench.bench_teacher --write    also the tables of docs/benchmarks.md

One process trains the demo preset to its end. At several stages of it, peers take the same steps in turn with it: from
the same weights and moments, on the same rays. What is compared is therefore the same work, whatever else the machine
does. See tests/bench/peers/torch_grid.py for what the peers are.
"""

import dataclasses
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from teacher.cameras import Camera
from teacher.demo import write_demo_scene
from teacher.errors import exit_on_user_error
from teacher.files import write_json
from teacher.presets import PRESETS, DataConfig, TrainConfig
from teacher.scene import Scene
from teacher.trainer import Trainer
from teacher.variant import Variant
from tests.bench import peak_memory, report, roofline
from tests.bench.peers.torch_grid import go_on_from, torch_trainer
from tests.bench.training import (
    BLOCK,
    Block,
    Learned,
    Pair,
    alternate,
    finish,
    held_out,
    planner,
    run_block,
    train_for,
)

PEERS = {"plain torch": False, "tuned torch": True}
"""Names of the peers, and whether they are tuned."""
SECTIONS = ("training", "budgets", "memory", "roofline")


@dataclass(frozen=True)
class Bench:
    """What to measure, and for how long."""

    data: Path = report.FOLDER / "still-life"
    """Scene in NeRF-synthetic layout; the built-in one is rendered there if there is none."""
    preset: str = "demo"
    """Preset that is trained."""
    steps: int = 0
    """Steps of its run, to try the benchmark out; 0: the preset's own."""
    output: Path = report.FOLDER / "cpu.json"
    """JSON file to write."""
    write: bool = False
    """Also put the tables into docs/benchmarks.md."""
    threads: int = min(2, os.cpu_count() or 1)
    """Threads of torch and of the kernels."""
    sections: tuple[str, ...] = SECTIONS
    """Which parts to measure."""
    stages: int = 5
    """Stages of the preset's run at which the peers join in."""
    budgets: tuple[float, ...] = (5, 15, 60)
    """Seconds of training that each gets, beside the preset's whole run."""
    peer_views: int = 3
    """Test views that peers render."""
    memory_steps: int = 64
    """Steps that each trains for when memory is measured."""
    roofline_steps: int = 500
    """Steps after which the kernels' batch is drawn."""

    def run(self) -> None:
        """Measure, print and write."""
        torch.set_num_threads(self.threads)
        found: dict[str, Any] = report.provenance()
        scene, config = self._scene(), PRESETS[self.preset][1]
        config = dataclasses.replace(config, steps=self.steps or config.steps)
        found |= describe(scene, self.preset, config)
        for section in self.sections:
            start = time.perf_counter()
            found |= getattr(self, f"_{section}")(scene, config)
            print(f"[{section}: {time.perf_counter() - start:.0f} s]", flush=True)
        write_json(self.output, found)
        text = markdown(found)
        print(text)
        if self.write:
            report.write_section("cpu", text)

    def _scene(self) -> Scene:
        if not (self.data / "transforms_train.json").exists():
            write_demo_scene(self.data)
        return DataConfig(self.data).load()

    def _training(self, scene: Scene, config: TrainConfig) -> dict[str, Any]:
        """The preset's whole run with peers beside it, its quality, and rendering."""
        _warm_up(scene, config)
        ours = Trainer(scene, config)
        seconds, pairs = _whole_run(ours, scene, self.stages)
        psnr = held_out(ours, scene, config, scene.splits["test"])
        whole = Learned(seconds, ours.step, psnr)
        rendering = self._rendering(ours, scene, config)
        return summary(pairs) | {"whole_run": dataclasses.asdict(whole)} | rendering

    def _rendering(self, ours: Trainer, scene: Scene, config: TrainConfig) -> dict[str, Any]:
        cameras = [frame.camera for frame in scene.splits["test"]]
        weights = ours.variant.state_dict() | ours.optimiser.averaged()
        trainers: dict[str, Callable[[], Trainer]] = {"ours": lambda: Trainer(scene, config)}
        trainers |= {
            name: lambda tuned=tuned: torch_trainer(scene, config, tuned)
            for name, tuned in PEERS.items()
        }
        times = {}
        for name, make in trainers.items():
            variant = make().variant.eval()
            variant.load_state_dict(weights)
            times[name] = time_views(
                variant, cameras if name == "ours" else cameras[: self.peer_views]
            )
        pixels = cameras[0].width * cameras[0].height
        mine = statistics.median(times["ours"])
        return {
            f"render_ms_{cameras[0].width}": 1e3 * mine,
            "rays_per_second": pixels / mine,
            "peer_render_ms": {n: 1e3 * statistics.median(times[n]) for n in PEERS},
        }

    def _budgets(self, scene: Scene, config: TrainConfig) -> dict[str, Any]:
        """PSNR after fixed times of training, each on a schedule that ends then."""
        frames = scene.splits["test"]
        learned: dict[str, dict[str, Any]] = {"ours": {}, "plain torch": {}}
        for name, of_side in learned.items():
            for budget in self.budgets:
                trainer = Trainer(scene, config) if name == "ours" else torch_trainer(scene, config)
                seconds, steps = train_for(trainer, budget, planner(trainer))
                psnr = held_out(trainer, scene, config, frames)
                of_side[f"{budget:g}"] = dataclasses.asdict(Learned(seconds, steps, psnr))
                print(f"{name}, {budget:g} s: {steps} steps, {psnr:.2f} dB", flush=True)
        steps = learned["plain torch"][f"{max(self.budgets):g}"]["steps"]
        same = same_steps(scene, config, steps)
        return {
            "psnr_at": {budget: of["psnr"] for budget, of in learned["ours"].items()},
            "peer_psnr_at": {budget: of["psnr"] for budget, of in learned["plain torch"].items()},
            "learned": learned,
            "ours_after_the_peers_steps": dataclasses.asdict(same),
        }

    def _memory(self, scene: Scene, config: TrainConfig) -> dict[str, Any]:
        """Peak resident memory of a process that trains."""
        return {
            "peak_memory_mib": {
                side: peak_memory.measure(side, self.data, self.preset, self.memory_steps)
                for side in peak_memory.SIDES
            }
        }

    def _roofline(self, scene: Scene, config: TrainConfig) -> dict[str, Any]:
        """What the kernels achieve of what the processor can."""
        return {
            "roofline": roofline.measure(scene, config, torch.device("cpu"), self.roofline_steps)
        }


def describe(scene: Scene, preset: str, config: TrainConfig) -> dict[str, Any]:
    """What was trained on, and what quality is measured on."""
    camera = scene.splits["test"][0].camera
    return {
        "scene": scene.name,
        "preset": preset,
        "steps": config.steps,
        "resolution": [camera.width, camera.height],
        "background": "white",
        "split": "test",
        "views": len(scene.splits["test"]),
    }


def _warm_up(scene: Scene, config: TrainConfig) -> None:
    """Compile the kernels and touch every library before the clock runs."""
    for trainer in (Trainer(scene, config), torch_trainer(scene, config)):
        run_block(trainer, 2)


def _whole_run(ours: Trainer, scene: Scene, stages: int) -> tuple[float, dict[str, list[Pair]]]:
    """Train the preset; its own seconds, and what the peers did beside it at each stage."""
    steps = ours.config.steps
    at = [steps * (2 * k + 1) // (2 * stages) // BLOCK * BLOCK for k in range(stages)]
    peers = {name: torch_trainer(scene, ours.config, tuned) for name, tuned in PEERS.items()}
    seconds, pairs = 0.0, {name: [] for name in PEERS}
    for stage in at:
        for name, peer in peers.items():
            for done in alternate(ours, peer, go_on_from, [stage]):
                seconds += done.wall if isinstance(done, Block) else done.ours.wall
                pairs[name] += [done] if isinstance(done, Pair) else []
        _say(ours, pairs)
    for done in finish(ours):
        seconds += done.wall
    return seconds, pairs


def _say(ours: Trainer, pairs: dict[str, list[Pair]]) -> None:
    last = {name: f"{some[-1].speedup:.1f}x" for name, some in pairs.items()}
    print(f"step {ours.step}: {last}", flush=True)


def summary(pairs: dict[str, list[Pair]]) -> dict[str, Any]:
    """Rates of the product, and how many times faster it is than each peer: medians over all blocks."""
    ours = [pair.ours for some in pairs.values() for pair in some]
    theirs = {name: [pair.peer for pair in some] for name, some in pairs.items()}
    faster = {name: statistics.median(p.speedup for p in some) for name, some in pairs.items()}
    return {
        "train_speedup_vs_torch": faster["plain torch"],
        "train_speedup_vs_tuned_torch": faster["tuned torch"],
        "train_speedup_of_blocks": {n: [p.speedup for p in some] for n, some in pairs.items()},
        "same_loss": {name: _same_loss(some) for name, some in pairs.items()},
        **rates(ours),
        "peers": {name: rates(some) for name, some in theirs.items()},
        "peer_samples_per_second": rates(theirs["plain torch"])["samples_per_second"],
    }


def _same_loss(pairs: Sequence[Pair]) -> float:
    """Largest relative difference of a block's mean squared error between product and peer."""
    means = [
        [statistics.fmean(n.mse for n in block.numbers) for block in (pair.ours, pair.peer)]
        for pair in pairs
    ]
    return max(abs(a / b - 1) for a, b in means)


def rates(blocks: Sequence[Block]) -> dict[str, float]:
    """Medians over blocks."""
    return {
        "samples_per_second": statistics.median(b.samples / b.wall for b in blocks),
        "candidates_per_second": statistics.median(b.candidates / b.wall for b in blocks),
        "steps_per_second": statistics.median(len(b.rays) / b.wall for b in blocks),
        "wall_ms_per_step": 1e3 * statistics.median(b.wall / len(b.rays) for b in blocks),
        "cpu_ms_per_step": 1e3 * statistics.median(b.cpu / len(b.rays) for b in blocks),
    }


def time_views(variant: Variant, cameras: Sequence[Camera]) -> list[float]:
    """Seconds that each camera's picture takes, after one that does not count."""
    variant.render_view(cameras[0])
    seconds = []
    for camera in cameras:
        start = time.perf_counter()
        variant.render_view(camera)
        seconds.append(time.perf_counter() - start)
    return seconds


def same_steps(scene: Scene, config: TrainConfig, steps: int) -> Learned:
    """The product after as many steps as a peer took: the peer is fair if it learned as much."""
    warmup = min(config.optimiser.warmup, max(1, steps // 10))
    optimiser = dataclasses.replace(config.optimiser, warmup=warmup)
    trainer = Trainer(scene, dataclasses.replace(config, steps=steps, optimiser=optimiser))
    seconds = sum(block.wall for block in finish(trainer))
    return Learned(seconds, steps, held_out(trainer, scene, config, scene.splits["test"]))


def markdown(found: dict[str, Any]) -> str:
    """The tables of docs/benchmarks.md, of the sections that were measured."""
    parts = [_head(found)]
    if "samples_per_second" in found:
        parts += [_training_table(found), _reading(found)]
    if "psnr_at" in found:
        parts += [_budget_table(found)]
    if "roofline" in found:
        parts += [roofline.markdown(found["roofline"])]
    return "\n\n".join(parts)


def _head(found: dict[str, Any]) -> str:
    width, height = found["resolution"]
    return (
        f"`make bench`: {found['machine']}; torch {found['torch']} on {found['threads']} threads, "
        f"OMP_WAIT_POLICY={found['OMP_WAIT_POLICY'] or 'unset'}; load before {found['load_average_before']}; "
        f"{found['date']}, commit {found['commit']}.\n"
        f"Preset `{found['preset']}` ({found['steps']} steps) on `{found['scene']}` at {width}×{height}; "
        f"PSNR on white, mean of {found['views']} views of split {found['split']}."
    )


def _training_table(found: dict[str, Any]) -> str:
    memory = found.get("peak_memory_mib", {})
    render = {"ours": found[f"render_ms_{found['resolution'][0]}"], **found["peer_render_ms"]}
    rows = []
    for name, of_side in {"ours": found, **found["peers"]}.items():
        peak = memory.get(name)
        row = [of_side[key] for key in ("wall_ms_per_step", "cpu_ms_per_step", "steps_per_second")]
        row += [of_side["samples_per_second"] / 1e3, of_side["candidates_per_second"] / 1e3]
        rows.append([name, *row, render[name], peak and peak["training"]])
    head = ("", "ms/step", "CPU ms/step", "steps/s", "k samples/s", "k candidates/s")
    return report.table((*head, f"ms/picture {found['resolution'][0]}²", "peak MiB"), rows)


def _reading(found: dict[str, Any]) -> str:
    whole, plain, tuned = (
        found[key]
        for key in ("whole_run", "train_speedup_vs_torch", "train_speedup_vs_tuned_torch")
    )
    loss = max(found["same_loss"].values())
    return (
        f"Training is {plain:.1f}× plain torch and {tuned:.1f}× tuned torch (medians over blocks of 16 steps on the "
        f"same rays from the same weights; mean squared errors of blocks agree within {100 * loss:.1f} %). Rendering: "
        f"{found['rays_per_second'] / 1e3:.0f} k rays/s. The preset's whole run takes {whole['seconds']:.0f} s of "
        f"training for {whole['psnr']:.2f} dB."
    )


def _budget_table(found: dict[str, Any]) -> str:
    rows = []
    for name, of_side in found["learned"].items():
        for budget, learned in of_side.items():
            rows.append([name, f"{budget} s", learned["steps"], f"{learned['psnr']:.2f}"])
    same = found["ours_after_the_peers_steps"]
    rows.append(
        ["ours, as many steps", f"{same['seconds']:.1f} s", same["steps"], f"{same['psnr']:.2f}"]
    )
    if whole := found.get("whole_run"):
        rows.append(
            [
                "ours, whole preset",
                f"{whole['seconds']:.0f} s",
                whole["steps"],
                f"{whole['psnr']:.2f}",
            ]
        )
    return report.table(("", "training", "steps", "dB"), rows)


if __name__ == "__main__":
    exit_on_user_error(lambda: tyro.cli(Bench).run())
