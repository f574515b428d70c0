"""AdamW with one rate for networks and one for feature grids, a schedule, and averaged weights.

A grid's node is touched by few pixels per picture and starts near zero, so grids want a larger rate
than the networks. The schedule runs over the *fraction of the
budget* that is used up, be the budget minutes or steps: a run always ends annealed.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from student.models.grids import PointFeatures


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW and its schedule: linear warm-up, then a decay down to `final` times the peak."""

    learning_rate: float = 5e-3
    """Peak learning rate of the networks."""
    grids_rate: float = 2e-2
    """Peak learning rate of the feature grids."""
    weight_decay: float = 0.01
    """Decoupled decay of the networks' weights; grids have none."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of Adam's first and second moment."""
    warmup: float = 0.03
    """Fraction of the budget spent warming up."""
    decay: Literal["cosine", "exponential"] = "cosine"
    """How the rate falls from its peak."""
    final: float = 0.01
    """Fraction of the peak that is left at the end."""
    average: float = 0.99
    """Per-step decay of the running average of the weights that is evaluated and exported."""

    def scale(self, fraction: float) -> float:
        """Factor on the learning rates when `fraction` of the budget is used up."""
        warm = min(1.0, (fraction + 0.05 * self.warmup) / self.warmup) if self.warmup else 1.0
        fraction = min(1.0, fraction)
        if self.decay == "exponential":
            return warm * self.final**fraction
        return warm * (self.final + (1 - self.final) * (0.5 + 0.5 * math.cos(math.pi * fraction)))


class StudentOptimiser:
    """Steps a student's parameters and keeps the average of them (and of its buffers)."""

    def __init__(self, model: nn.Module, config: OptimiserConfig) -> None:
        self.model, self.config = model, config
        grids, networks = split_parameters(model)
        groups = [
            {"params": networks, "lr": config.learning_rate, "weight_decay": config.weight_decay},
            {"params": grids, "lr": config.grids_rate, "weight_decay": 0.0},
        ]
        self.adam = torch.optim.AdamW(
            [group for group in groups if group["params"]], betas=config.betas, fused=True
        )
        self._peaks = [group["lr"] for group in self.adam.param_groups]
        self._average = {k: v.detach().clone() for k, v in model.state_dict().items()}

    def step(self, step: int, fraction: float) -> None:
        """Descend along the gradients in step number `step` (0-based), `fraction` of the budget
        being used up, and clear them.
        """
        for group, peak in zip(self.adam.param_groups, self._peaks, strict=True):
            group["lr"] = peak * self.config.scale(fraction)
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        self._update_average(step)

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        # (1 + n) / (10 + n): early on, an average over a tenth of the steps taken so far
        keep = min(self.config.average, (1 + step) / (10 + step))
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                self._average[name].lerp_(value, 1 - keep)
            else:
                self._average[name].copy_(value)

    def averaged(self) -> dict[str, Tensor]:
        """The averaged weights and buffers, as `load_state_dict` takes them."""
        return self._average

    def state(self) -> dict[str, Tensor]:
        """Everything but the model's own weights that is needed to go on, as flat tensors."""
        tensors = {f"average.{name}": value for name, value in self._average.items()}
        for index, moments in self.adam.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in moments.items()}
        return tensors

    def load(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        for name, value in self._average.items():
            value.copy_(tensors[f"average.{name}"])
        state = self.adam.state_dict()
        for name, value in tensors.items():
            kind, *place = name.split(".", 2)
            if kind == "adam":
                state["state"].setdefault(int(place[0]), {})[place[1]] = value
        self.adam.load_state_dict(state)
        self._lay_out_moments()

    def _lay_out_moments(self) -> None:
        """Give moments their parameters' memory layout, which files do not keep."""
        for parameter, moments in self.adam.state.items():
            for name, value in moments.items():
                if value.shape == parameter.shape:
                    moments[name] = torch.empty_like(parameter).copy_(value)


def split_parameters(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(feature grids, everything else)."""
    grids = [
        parameter
        for module in model.modules()
        if isinstance(module, PointFeatures)
        for parameter in module.parameters()
    ]
    known = {id(parameter) for parameter in grids}
    return grids, [p for p in model.parameters() if id(p) not in known]
