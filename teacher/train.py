"""Training the teacher: pixels in, a field and its occupancy grid out.

    PixelPool.draw -> rays, RGBA -> Variant.render_batch -> total_loss -> gradients -> FieldOptimiser -> variant
                        ^ number of rays adapted so that every step composites about `samples_per_step` samples

Each step's randomness comes from a generator seeded by (seed, step) alone, and the checkpoint holds everything else
that steps depend on: a killed and resumed run equals an uninterrupted one bit for bit (CPU, same number of threads).
"""

import copy
import time
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from teacher import checkpoint
from teacher.config import to_plain
from teacher.data import PixelPool, RayBatch
from teacher.files import write_json
from teacher.losses import total_loss
from teacher.metrics import mse_to_psnr
from teacher.model import Teacher, describe_scene
from teacher.optimiser import FieldOptimiser
from teacher.presets import DataConfig, TrainConfig
from teacher.samplers.base import Sampling
from teacher.scene import Scene
from teacher.seeds import generator_for

MAX_RAYS = 1 << 18
_CANDIDATES_PER_SAMPLE = (
    6  # that many looks at the density cost as much as one sample forward and backward
)


class Trainer:
    """A run in memory: the model, its optimiser and where it stands."""

    def __init__(self, scene: Scene, config: TrainConfig) -> None:
        torch.manual_seed(config.seed)
        self.scene, self.config = scene, config
        frames = scene.splits["train"]
        self.pool = PixelPool(frames)
        self.variant = config.build(scene.aabb, len(frames))
        self.variant.sampler.prepare(frames)
        self.optimiser = FieldOptimiser(self.variant, self.variant.groups(), config.optimiser)
        self.step, self.rays, self.seconds = 0, config.first_rays, 0.0

    def train_step(self) -> dict[str, Any]:
        """One step; returns what the log wants to know."""
        generator = generator_for(self.config.seed, self.step)
        self.variant.sampler.update(self.variant.field, self.step, generator)
        batch = self.pool.draw(self.rays, generator)
        loss, mse, sampling = self._gradients(batch, generator)
        self.optimiser.step(self.step, self.config.steps)
        row = {
            "loss": loss,
            "psnr": mse_to_psnr(mse),
            "rays": self.rays,
            "samples": len(sampling.samples),
            "candidates": sampling.candidates,
            **self.variant.sampler.report(),
        }
        self._adapt(len(sampling.samples) + sampling.candidates // _CANDIDATES_PER_SAMPLE)
        self.step += 1
        return row

    def _gradients(
        self, batch: RayBatch, generator: torch.Generator
    ) -> tuple[float, float, Sampling]:
        jitter = torch.rand(len(batch.rays), generator=generator)
        background = torch.rand(len(batch.rays), 3, generator=generator)
        rendering = self.variant.render_batch(batch.rays, batch.frames, jitter)
        loss, mse = total_loss(rendering, batch.rgba, background, self.config.loss)
        if len(rendering.sampling.samples):
            loss.backward()
        return float(loss.detach()), float(mse), rendering.sampling

    def _adapt(self, work: int) -> None:
        """Next step's number of rays: towards the sample budget, at most doubled or halved."""
        ratio = self.config.samples_per_step / max(1, work)
        self.rays = max(64, min(MAX_RAYS, int(self.rays * min(2.0, max(0.5, ratio)))))

    def teacher(self) -> Teacher:
        """The model as it would be saved now: averaged weights, in evaluation mode."""
        variant = copy.deepcopy(self.variant)
        variant.load_state_dict(variant.state_dict() | self.optimiser.averaged())
        return Teacher(variant, describe_scene(self.scene))

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Tensors and numbers that `load` needs to go on from here."""
        tensors = {f"variant.{k}": v for k, v in self.variant.state_dict().items()}
        tensors |= {f"optimiser.{k}": v for k, v in self.optimiser.state().items()}
        return tensors, {"step": self.step, "rays": self.rays, "seconds": self.seconds}

    def load(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.variant.load_state_dict(checkpoint.under("variant.", tensors))
        self.optimiser.load(checkpoint.under("optimiser.", tensors))
        self.step, self.rays = int(numbers["step"]), int(numbers["rays"])
        self.seconds = numbers["seconds"]


def train(data: DataConfig, config: TrainConfig, output: Path) -> None:
    """Train into the run folder `output`, going on where an earlier, interrupted run stopped.

    Raises UserError for bad data, or if `output` holds a run with other settings.
    """
    settings = to_plain({"data": data, "train": config})
    if checkpoint.is_complete(output):
        checkpoint.claim_run(output, settings)
        print(f"{output}: already trained")
        return
    trainer = Trainer(data.load(), config)
    checkpoint.claim_run(output, settings)
    log = checkpoint.Log(output / "log.jsonl")
    write_json(output / "scene.json", to_plain(describe_scene(trainer.scene)))
    _resume(trainer, output, log)
    try:
        _run(trainer, output, log)
    except KeyboardInterrupt:
        save(trainer, output)
        raise
    save(trainer, output)


def _run(trainer: Trainer, output: Path, log: checkpoint.Log) -> None:
    config, saved = trainer.config, time.monotonic()
    bar = tqdm(total=config.steps, initial=trainer.step, desc="teacher", unit="step")
    while trainer.step < config.steps:
        start = time.perf_counter()
        row = trainer.train_step()
        trainer.seconds += time.perf_counter() - start
        bar.update()
        if trainer.step % config.log_every == 0 or trainer.step == config.steps:
            log.append({"step": trainer.step, "seconds": round(trainer.seconds, 2), **row})
            bar.set_postfix(psnr=f"{row['psnr']:.2f}", rays=trainer.rays)
        if trainer.step % config.eval_every == 0 or trainer.step == config.steps:
            log.append(_held_out(trainer))
        if time.monotonic() - saved > config.save_seconds:
            save(trainer, output)
            saved = time.monotonic()
    bar.close()


def _held_out(trainer: Trainer) -> dict[str, Any]:
    """A log row: PSNR on a few test views over white (not counted as training time)."""
    frames = trainer.scene.splits["test"]
    stride = max(1, len(frames) // trainer.config.eval_views)
    psnr = trainer.teacher().psnr(frames[::stride][: trainer.config.eval_views])
    return {"step": trainer.step, "seconds": round(trainer.seconds, 2), "test_psnr": psnr}


def save(trainer: Trainer, output: Path) -> None:
    """Write a checkpoint: first what resuming needs, then what rendering needs."""
    tensors, numbers = trainer.state()
    checkpoint.save_tensors(output / "training.safetensors", tensors, numbers)
    trainer.teacher().save(output)
    complete = trainer.step >= trainer.config.steps
    write_json(output / "progress.json", {**numbers, "complete": complete})


def _resume(trainer: Trainer, output: Path, log: checkpoint.Log) -> None:
    path = output / "training.safetensors"
    if path.exists():
        trainer.load(*checkpoint.load_tensors(path, "checkpoint", "delete it to start anew"))
        print(f"resuming {output} at step {trainer.step}")
    log.rewind(trainer.step)
