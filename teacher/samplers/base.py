"""What a sampler is: it decides where along its rays a field is worth being evaluated.

    rays --Sampler.sample--> Sampling(samples, ...) --field.radiance--> composite

A sampler may ask the field for densities (without gradients) to leave out what nobody would see.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from teacher.crop.shape import Crop
from teacher.fields.base import Field
from teacher.ops.composite import composite
from teacher.ops.trace import Traced
from teacher.optimiser import Group
from teacher.rays import Rays, Samples
from teacher.scene import Frame


@dataclass(frozen=True)
class RenderConfig:
    """What may be left out because nobody would see it."""

    early_stop: float = 1e-4
    """A ray ends where less than this of the light from behind would come through."""
    cull: float = 1e-4
    """Samples of less weight than this get neither colour nor gradient."""
    shy: float = 0.0
    """Samples closer to the camera than this learn less, by the square of the distance: many pixels of one picture
    and few of others crop up there, which breeds floaters (Philip & Deschaintre 2023, "Floaters No More")."""
    capacity: int | None = None
    """Most samples of a training batch; arrays then have that length whatever is sampled, so that nothing waits for a
    GPU, and rays that do not fit teach nothing. None: `samples_per_step` on a GPU, no limit on a CPU."""


@dataclass(frozen=True)
class Proposal:
    """A guess of where the light of each ray ends: a histogram over its intervals, differentiable."""

    edges: Float[Tensor, "rays bins_plus_one"]
    """Ends of the intervals, increasing, in the coordinate that the sampler spaces evenly."""
    weights: Float[Tensor, "rays bins"]


@dataclass(frozen=True)
class Sampling:
    """Samples worth shading, and how they were found."""

    samples: Samples
    candidates: int | Int[Tensor, ""]
    """Places that the field's density was asked for in order to choose these."""
    proposals: tuple[Proposal, ...] = ()
    """Guesses that a loss should hold against the final weights, coarsest first."""
    edges: Float[Tensor, "rays bins_plus_one"] | None = None
    """With proposals: the samples' ends in the proposals' coordinate."""


@runtime_checkable
class Sampler(Protocol):
    """Chooses packed samples along rays."""

    def sample(
        self, field: Field, rays: Rays, jitter: Float[Tensor, " rays"], config: RenderConfig
    ) -> Sampling:
        """Samples of `rays`, shifted by `jitter` in [0, 1) of a step."""
        ...


@runtime_checkable
class Tracer(Protocol):
    """A sampler that can follow rays through some fields to what they see, without samples to show for it."""

    def trace(
        self,
        field: Field,
        rays: Rays,
        codes: Float[Tensor, "rays codes"],
        jitter: Float[Tensor, " rays"],
        config: RenderConfig,
    ) -> Traced | None:
        """What rays see, not differentiable; None for a field that it cannot do this with."""
        ...


class RaySampler(nn.Module, ABC):
    """Base of samplers that follow a field while it learns."""

    aabb: Float[Tensor, "2 3"]
    _crop: Crop | None = None

    @abstractmethod
    def sample(
        self, field: Field, rays: Rays, jitter: Float[Tensor, " rays"], config: RenderConfig
    ) -> Sampling:
        """As `Sampler.sample`."""

    def prepare(self, frames: Sequence[Frame]) -> None:
        """Learn what the training pictures say before the first step."""
        return

    def begin_near(self, points: Float[Tensor, "n 3"], frames: Sequence[Frame]) -> None:
        """Learn what a reconstruction's sparse points say before the first step."""
        return

    def update(self, field: Field, step: int, generator: torch.Generator) -> None:
        """Look at the field before training step `step`, if it is time to."""
        return

    @abstractmethod
    def confine(self, crop: Crop) -> None:
        """Sample nothing outside `crop` from now on; for teachers that are done learning."""
        self._crop = crop

    def reached(self, rays: Rays) -> Bool[Tensor, " rays"] | None:
        """Which rays may meet anything, where only a part of space is sampled; None: all."""
        return None if self._crop is None else self._crop.interval(rays)[:, 1] > 0

    def groups(self) -> dict[str, Group]:
        """How the optimiser treats the sampler's own parameters, by name."""
        return {}

    def report(self) -> dict[str, Any]:
        """What a row of the training log should say."""
        return {}


@torch.no_grad()
def visible(
    field: Field, rays: Rays, samples: Samples, config: RenderConfig
) -> Bool[Tensor, " samples"]:
    """Which samples get a weight above `config.cull`, by the field's density."""
    density = field.density(samples.midpoints(rays))
    colourless = density.new_zeros(len(samples), 0)
    *_, weights = composite(
        density, colourless, samples.t_starts, samples.t_ends, samples.offsets, config.early_stop
    )
    return weights > config.cull


def keep_samples(
    samples: Samples, keep: Bool[Tensor, " samples"], capacity: int | None = None
) -> Samples:
    """The samples where `keep` holds, still packed ray after ray.

    With a `capacity`, in arrays of that length, zero where unused: nothing waits for a GPU. The first ray that does
    not fit and all after it then get none, and are not `complete`.
    """
    kept_before = torch.nn.functional.pad(keep.cumsum(0, dtype=samples.offsets.dtype), (1, 0))
    offsets = kept_before[samples.offsets.long()]
    if capacity is None:
        kept = (samples.ray_indices[keep], samples.t_starts[keep], samples.t_ends[keep])
        return Samples(*kept, offsets)
    complete = offsets[1:] <= capacity
    if samples.complete is not None:
        complete &= samples.complete
    used = torch.where(complete, offsets[1:], 0).amax()
    place = torch.where(keep & (kept_before[:-1] < used), kept_before[:-1], capacity).long()
    return Samples(
        _scatter(samples.ray_indices, place, capacity),
        _scatter(samples.t_starts, place, capacity),
        _scatter(samples.t_ends, place, capacity),
        offsets.clamp_max(used),
        complete,
    )


def _scatter(values: Tensor, place: Int[Tensor, " samples"], length: int) -> Tensor:
    """An array with `values` at their places; those at place `length` are dropped."""
    return values.new_zeros(length + 1).scatter_(0, place, values)[:length]
