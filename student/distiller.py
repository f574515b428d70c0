"""One distillation in memory: network, optimiser and where they stand.

    pool.batch -> crop -> network -> distillation_loss -> StudentOptimiser

Each step's randomness comes from (seed, step) alone, and `state` holds everything else that steps
depend on.
"""

import copy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from student.losses import distillation_loss
from student.models.base import LightField, crop_intrinsics
from student.optimiser import StudentOptimiser
from student.presets import TrainConfig
from teacher import checkpoint
from teacher.errors import UserError
from teacher.metrics import mse_to_psnr
from teacher.pseudo.pool import Batch, ViewPool
from teacher.seeds import generator_for

STEP_SEED = 1 << 20  # apart from the pool's seeds, so that steps and cameras draw different numbers


class Distiller:
    """A run in memory: the network, its optimiser and where it stands."""

    def __init__(
        self, config: TrainConfig, aabb: Float[Tensor, "2 3"], device: torch.device | str = "cpu"
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.device = config, torch.device(device)
        self.model = config.model.build(aabb).to(device)
        self.optimiser = StudentOptimiser(self.model, config.optimiser)
        self.step, self.seconds = 0, 0.0

    @property
    def fraction(self) -> float:
        """How much of the budget is used up."""
        return self.config.fraction(self.step, self.seconds)

    def train_step(self, pool: ViewPool) -> dict[str, float]:
        """One step on views of `pool`; returns what the log wants to know."""
        generator = generator_for(STEP_SEED + self.config.seed, self.step)
        # for networks that jitter their rays
        torch.manual_seed(int(torch.randint(1 << 62, (), generator=generator)))
        batch = pool.batch(self.config.batch, generator)
        if self.config.patch is not None:
            batch = crop(batch, self.config.patch, generator)
        background = torch.rand(len(batch.rgba), 3, 1, 1, generator=generator).to(self.device)
        height, width = batch.rgba.shape[2:]
        output = self.model(batch.T_norm_camera, batch.intrinsics, (height, width))
        loss, mse = distillation_loss(output, batch.rgba, batch.depth, background, self.config.loss)
        if not loss.isfinite():
            raise _diverged(self.step)
        self.optimiser.step(loss, self.step, self.fraction)
        self.step += 1
        return {"loss": float(loss.detach()), "psnr": mse_to_psnr(mse.detach().cpu())}

    def student(self) -> LightField:
        """The student as it would be saved now: averaged weights, in evaluation mode."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.optimiser.averaged())
        return model.eval()

    def state(self) -> tuple[dict[str, Tensor], dict[str, int | float]]:
        """Tensors and numbers that `load` needs to go on from here."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"optimiser.{k}": v for k, v in self.optimiser.state().items()}
        return tensors, {"step": self.step, "seconds": self.seconds}

    def load(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.model.load_state_dict(checkpoint.under("model.", tensors))
        self.optimiser.load(checkpoint.under("optimiser.", tensors))
        self.step, self.seconds = int(numbers["step"]), float(numbers["seconds"])


def _diverged(step: int) -> UserError:
    return UserError(
        "distillation",
        f"a loss that is not finite at step {step}",
        "a falling loss",
        "lower --optimiser.learning-rate and --optimiser.grids-rate, and start in a new folder",
    )


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
