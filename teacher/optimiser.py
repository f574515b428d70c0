"""Adam as instant-ngp uses it, and the running average of the weights that is used for rendering.

Rows whose gradient is zero are skipped and keep their own step count (tiny-cuda-nn's adam.h): a table's rows that no
sample touched, codes of pictures that no ray came from. eps is 1e-15 because tables' gradients are tiny.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from teacher.ops.adam import adam_step


@dataclass(frozen=True)
class OptimiserConfig:
    """Adam and its schedule: linear warm-up, then a cosine from `learning_rate` down to `final` times it."""

    learning_rate: float = 1e-2
    """Peak learning rate of tables and networks."""
    final: float = 0.01
    """Fraction of the peak that is left at the end."""
    warmup: int = 100
    """Steps of linear warm-up."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Decay of Adam's first and second moment."""
    eps: float = 1e-15
    """Added to the root of the second moment."""
    network_decay: float = 1e-6
    """L2 on the networks' matrices (drums and ficus need 1e-5)."""
    average: float = 0.95
    """Per-step decay of the running average of the weights."""
    average_every: int = 8
    """Steps between updates of the average (with the decay to that power): each costs a pass over the table."""

    def rate(self, step: int, steps: int, final: float | None = None) -> float:
        """Learning rate of `step` (0-based) out of `steps`, with another fraction `final` left if one is given."""
        final = self.final if final is None else final
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, steps - self.warmup)
        cosine = 0.5 + 0.5 * math.cos(math.pi * min(1.0, progress))
        return self.learning_rate * (final + (1 - final) * cosine)


@dataclass(frozen=True)
class Group:
    """How one parameter is treated."""

    rate: float = 1.0
    """Its learning rate, as a multiple of the schedule's."""
    decays: bool = False
    """Whether it has the networks' L2 regularisation."""
    pull: float = 0.0
    """L2 towards zero of its own: so much times the value is added to the gradient."""
    final: float | None = None
    """Fraction of the peak that is left of its rate at the end; None: the schedule's."""
    start: int = 0
    """First step that changes it; its warm-up and decay begin there."""


class FieldOptimiser:
    """Optimises a module's parameters and keeps the running average of all of them."""

    def __init__(
        self, module: nn.Module, groups: Mapping[str, Group], config: OptimiserConfig
    ) -> None:
        self.config = config
        self._parameters = dict(module.named_parameters())
        self._groups = {name: groups.get(name, Group()) for name in self._parameters}
        parameters = self._parameters.items()
        self._moments = {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in parameters}
        self._steps = {
            name: torch.zeros(len(p), dtype=torch.int32, device=p.device) for name, p in parameters
        }
        self._average = {name: p.detach().clone() for name, p in parameters}

    def step(self, step: int, steps: int) -> None:
        """Apply the gradients of step `step` of `steps`, then clear them."""
        for name, parameter in self._parameters.items():
            group = self._groups[name]
            if parameter.grad is None or step < group.start:
                parameter.grad = None
                continue
            rate = self.config.rate(step - group.start, steps - group.start, group.final)
            adam_step(
                parameter.data,
                parameter.grad,
                *self._moments[name],
                self._steps[name],
                rate * group.rate,
                self.config.betas,
                self.config.eps,
                group.pull + (self.config.network_decay if group.decays else 0.0),
            )
            parameter.grad = None
        if (step + 1) % self.config.average_every == 0:
            self._update_average()

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = self.config.average**self.config.average_every
        for name, parameter in self._parameters.items():
            self._average[name].lerp_(parameter, 1 - keep)

    def averaged(self) -> dict[str, Tensor]:
        """The averaged weights by parameter name, as `load_state_dict` takes them."""
        return self._average

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on, as flat tensors."""
        tensors = {}
        for name, (first, second) in self._moments.items():
            tensors |= {f"first.{name}": first, f"second.{name}": second}
            tensors |= {f"steps.{name}": self._steps[name], f"average.{name}": self._average[name]}
        return tensors

    def load(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `state`."""
        for name, tensor in self.state().items():
            tensor.copy_(tensors[name])
