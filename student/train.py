"""Distillation: a source of views in, a light-field network out.

    open_source -> ViewPool (renders, in the background) --batch--> crop -> model -> distillation_loss -> StudentOptimiser

The budget is wall time, the teacher's rendering included (`minutes`), or a number of steps. With steps, views are
rendered between steps at the same places in every run, each step's randomness comes from (seed, step) alone, and the
checkpoint holds everything else: a killed and resumed run equals an uninterrupted one bit for bit.
"""

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from student.budget import count_budget
from student.checkpoint import SourceDescription, describe_source
from student.held_out import HeldOut, frames_of, imagined, measure_psnr, photographed, spread
from student.losses import distillation_loss
from student.models.base import LightField, crop_intrinsics
from student.optimiser import StudentOptimiser
from student.presets import TrainConfig
from student.render import StudentRenderer
from teacher import checkpoint
from teacher.config import from_plain, to_plain
from teacher.errors import UserError
from teacher.files import read_json, write_json
from teacher.metrics import mse_to_psnr
from teacher.presets import DataConfig
from teacher.pseudo.pool import Batch, PoolState, ViewPool
from teacher.pseudo.source import Source, generator_for, open_source

WHITE = 1.0
STEP_SEED = 1 << 20  # apart from the pool's seeds, so that steps and cameras draw different numbers


class Distiller:
    """A run in memory: the network, its optimiser and where it stands."""

    def __init__(self, scene: SourceDescription, config: TrainConfig, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.config, self.device = config, device
        self.model = config.model.build(torch.tensor(scene.aabb)).to(device)
        self.optimiser = StudentOptimiser(self.model, config.optimiser)
        self.step, self.seconds = 0, 0.0

    @property
    def fraction(self) -> float:
        """How much of the budget is used up."""
        return self.config.fraction(self.step, self.seconds)

    def train_step(self, pool: ViewPool) -> dict[str, float]:
        """One step on views of `pool`; returns what the log wants to know."""
        generator = generator_for(STEP_SEED + self.config.seed, self.step)
        torch.manual_seed(generator.initial_seed())  # for networks that jitter their rays
        batch = pool.batch(self.config.batch, generator)
        if self.config.patch is not None:
            batch = crop(batch, self.config.patch, generator)
        background = torch.rand(len(batch.rgba), 3, 1, 1, generator=generator).to(self.device)
        height, width = batch.rgba.shape[2:]
        output = self.model(batch.T_norm_camera, batch.intrinsics, (height, width))
        loss, mse = distillation_loss(
            output, batch.rgba, batch.depth, background, self.config.loss
        )
        self.optimiser.step(loss, self.step, self.fraction)
        self.step += 1
        return {"loss": float(loss.detach()), "psnr": mse_to_psnr(mse.detach().cpu())}

    def student(self) -> LightField:
        """The student as it would be saved now: averaged weights, in evaluation mode."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.optimiser.averaged())
        return model.eval()

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Tensors and numbers that `load` needs to go on from here."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"optimiser.{k}": v for k, v in self.optimiser.state().items()}
        return tensors, {"step": self.step, "seconds": self.seconds}

    def load(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        """The inverse of `state`."""
        self.model.load_state_dict(_under("model.", tensors))
        self.optimiser.load(_under("optimiser.", tensors))
        self.step, self.seconds = int(numbers["step"]), float(numbers["seconds"])


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def crop(batch: Batch, side: int, generator: torch.Generator) -> Batch:
    """A random square of `side` pixels of each view, as views of their own."""
    height, width = batch.rgba.shape[2:]
    parts = []
    for k in range(len(batch.rgba)):
        top = int(torch.randint(height - side + 1, (), generator=generator))
        left = int(torch.randint(width - side + 1, (), generator=generator))
        window = (slice(k, k + 1), slice(None), slice(top, top + side), slice(left, left + side))
        intrinsics = crop_intrinsics(
            batch.intrinsics[k : k + 1], (height, width), (top, left), (side, side)
        )
        parts.append((intrinsics, batch.rgba[window], batch.depth[window]))
    intrinsics, rgba, depth = (torch.cat(part) for part in zip(*parts, strict=True))
    return Batch(batch.T_norm_camera, intrinsics, rgba, depth)
