"""What a training step found, left on the device until somebody wants to know.

Reading a number waits until a GPU has caught up with the process that feeds it. So all numbers of a step travel in one
small tensor: it is added up over processes in one go, and read in one go, if at all.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from teacher.samplers.base import Sampling

_CANDIDATES_PER_SAMPLE = 6
"""So many looks at the density cost as much as one sample forward and backward."""


class Numbers(NamedTuple):
    """A step in numbers; counts are sums over all processes."""

    loss: float
    mse: float
    rays: int
    samples: int
    """Samples composited."""
    candidates: int
    """Places that the field's density was asked for in order to choose these."""
    complete: int
    """Rays before any that did not get all of its samples: those that the loss looks at."""
    stop: bool
    """Whether a process was asked to stop."""

    @property
    def work(self) -> int:
        """The samples' worth of work that all rays would have been."""
        work = self.samples + self.candidates // _CANDIDATES_PER_SAMPLE
        return work if self.complete == self.rays else work * self.rays // max(1, self.complete)


@dataclass(frozen=True)
class Outcome:
    """See the module's docstring."""

    values: Float64[Tensor, "7"]
    """The fields of `Numbers`, loss and error multiplied by the number of complete rays."""

    @staticmethod
    def of(
        loss: Float[Tensor, ""], mse: Float[Tensor, ""], rays: int, sampling: Sampling, stop: bool
    ) -> "Outcome":
        """A step of this process on `rays` rays, with their mean `loss` and squared error."""
        fits, samples = sampling.samples.before_overflow(), sampling.samples.offsets[-1]
        complete = rays if fits is None else fits.sum()
        sums = (loss.double() * complete, mse.double() * complete)
        values = torch.zeros(len(Numbers._fields), dtype=torch.float64, device=loss.device)
        for k, value in enumerate((*sums, rays, samples, sampling.candidates, complete, stop)):
            values[k] = value
        return Outcome(values)

    @property
    def weight(self) -> Float64[Tensor, ""]:
        """The number of complete rays, at least 1."""
        return self.values[5].clamp_min(1)

    def read(self) -> Numbers:
        """The numbers; waits for the device."""
        loss, mse, *counts, stop = self.values.tolist()
        rays, samples, candidates, complete = map(int, counts)
        weight = max(1, complete)
        sums = (loss / weight, mse / weight)
        return Numbers(*sums, rays, samples, candidates, complete, bool(stop))
