"""Sampling by proposals: coarse densities say where on each ray the next, finer look is worth it (mip-NeRF 360).

    [0, 1] --even--> intervals --DensityGrid 0--> histogram --resample--> intervals --DensityGrid 1--> ... --> Samples

Intervals live in the coordinate s of `Spacing`, in which even a ray without end is short: such rays reach all of an
unbounded scene with as many samples as any other. The proposals learn from the field by `losses.interlevel_loss`, the
field learns nothing from them. Barron et al. 2022, "Mip-NeRF 360: Unbounded Anti-Aliased Neural Radiance Fields".
"""

import dataclasses
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from teacher.crop.shape import Crop
from teacher.errors import UserError
from teacher.fields.base import Field
from teacher.ops.composite import composite
from teacher.optimiser import Group
from teacher.rays import Rays, Samples
from teacher.samplers.base import Proposal, RaySampler, RenderConfig, Sampling
from teacher.samplers.density_grid import DensityGridConfig
from teacher.samplers.histogram import annealing, resample, widened
from teacher.samplers.spacing import Spacing

_STRIDE = (
    31  # of jitter from round to round: odd, so that 0.5 stays 0.5; large, so that rounds differ
)


@dataclass(frozen=True)
class ProposalConfig:
    """Proposal sampler: every ray has the same number of samples, wherever it goes."""

    samples: int = 48
    """Samples of each ray."""
    proposals: tuple[int, ...] = (256, 96)
    """Intervals of each ray in each round of proposals, coarsest first."""
    finest: tuple[int, ...] = (256, 512)
    """Finest resolution of each round's density grid."""
    density: DensityGridConfig = field(default_factory=DensityGridConfig)
    """The rounds' densities, but for their finest resolution."""
    spacing: Spacing = field(default_factory=Spacing)
    """Where rays begin and end, and how the first round's intervals lie."""
    floor: float = 0.05
    """Weight spread evenly over each ray before it is resampled, so that nothing is given up for good."""
    anneal: int = 1000
    """Training steps in which proposals come to be believed."""
    anneal_slope: float = 10.0
    """How much sooner than evenly over these steps."""
    settled: int = 500
    """Training steps after which proposals learn in every `learn_every`-th step only."""
    learn_every: int = 4
    """Steps between steps in which settled proposals learn: their gradient costs more than that of the field."""

    def __post_init__(self) -> None:
        counts = (self.samples, *self.proposals)
        if not self.proposals or len(self.proposals) != len(self.finest) or min(counts) < 2:
            raise UserError(
                "the proposal sampler",
                f"samples {self.samples}, proposals {self.proposals}, finest {self.finest}",
                "a finest resolution for each of at least one round of proposals, at least 2 intervals each",
                "correct the sampler",
            )

    def build(self, aabb: Float[Tensor, "2 3"]) -> "ProposalSampler":
        """The untrained sampler of a scene around `aabb`; draws from torch's global generator."""
        return ProposalSampler(self, aabb)


class ProposalSampler(RaySampler):
    """See the module's docstring. It goes by its own densities, so it works beside any field."""

    aabb: Float[Tensor, "2 3"]

    def __init__(self, config: ProposalConfig, aabb: Float[Tensor, "2 3"]) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("aabb", aabb.clone())
        grids = [dataclasses.replace(config.density.grid, finest=size) for size in config.finest]
        rounds = [dataclasses.replace(config.density, grid=grid).build() for grid in grids]
        self.rounds = nn.ModuleList(rounds)
        self._power, self._learns = 1.0, True

    def confine(self, crop: Crop) -> None:
        """Spread all samples of a ray over its way through the crop's box; those in other cells have no length."""
        super().confine(crop)
        self.aabb.copy_(crop.box)

    def groups(self) -> dict[str, Group]:
        """Matrices decay, tables do not."""
        names = [name for name, _ in self.named_parameters()]
        return {name: Group(decays=not name.endswith("table")) for name in names}

    def update(self, field: Field, step: int, generator: torch.Generator) -> None:
        """Set how far proposals are believed in training step `step`, and whether they learn in it."""
        c = self.config
        self._power = annealing(min(1.0, step / max(1, c.anneal)), c.anneal_slope)
        self._learns = step < c.settled or step % c.learn_every == 0

    def sample(
        self, field: Field, rays: Rays, jitter: Float[Tensor, " rays"], config: RenderConfig
    ) -> Sampling:
        """The same number of samples on every ray; in training with the proposals that led to them."""
        rays = Rays(rays.origins.detach(), rays.directions.detach())
        learn = self.training and self._learns and torch.is_grad_enabled()
        whole = self._whole(rays)
        proposals = [Proposal(whole, torch.ones_like(whole[:, :1]))]
        for index, (density, count) in enumerate(
            zip(self.rounds, self.config.proposals, strict=True)
        ):
            edges = self._closer(proposals[-1], count, _shuffled(jitter, index))
            with torch.set_grad_enabled(learn):
                weights = self._weights(density, rays, edges)
            proposals.append(Proposal(edges, weights))
        edges = self._closer(
            proposals[-1], self.config.samples, _shuffled(jitter, len(self.rounds))
        )
        samples = self._samples(rays, edges)
        looks = len(rays) * sum(self.config.proposals)
        return Sampling(samples, looks, tuple(proposals[1:]) if learn else (), edges)

    def _whole(self, rays: Rays) -> Float[Tensor, "rays 2"]:
        """Where each ray begins and ends, as s; rays that miss a crop, which have no length, go all the way."""
        whole = torch.arange(2.0, device=rays.origins.device).expand(len(rays), 2)
        if self._crop is None:
            return whole
        inside = self.config.spacing.to_s(self._crop.interval(rays)).clamp(0, 1)
        return torch.where(inside[:, 1:] > inside[:, :1], inside, whole)

    def _samples(self, rays: Rays, edges: Float[Tensor, "rays bins_plus_one"]) -> Samples:
        """The intervals between `edges`, given as s; without length where they are not part of the crop."""
        samples = _packed(self.config.spacing.to_t(edges))
        if self._crop is None:
            return samples
        kept = self._crop.keeps(samples.midpoints(rays))
        return replace(samples, t_ends=torch.where(kept, samples.t_ends, samples.t_starts))

    @torch.no_grad()
    def _closer(
        self, proposal: Proposal, count: int, jitter: Float[Tensor, " rays"]
    ) -> Float[Tensor, "rays count_plus_one"]:
        """Edges of `count` intervals, most of them where `proposal` sees most."""
        power = self._power if self.training else 1.0
        weights = widened(proposal.edges, proposal.weights, power, self.config.floor)
        return resample(proposal.edges, weights, count, jitter)

    def _weights(
        self, density: nn.Module, rays: Rays, edges: Float[Tensor, "rays bins_plus_one"]
    ) -> Float[Tensor, "rays bins"]:
        """What share of each ray's light `density` says ends in each interval."""
        samples = self._samples(rays, edges)
        values = density(samples.midpoints(rays))
        colourless = values.new_zeros(len(values), 0)
        *_, weights = composite(
            values, colourless, samples.t_starts, samples.t_ends, samples.offsets, early_stop=0.0
        )
        return weights.reshape(len(rays), -1)


def _packed(t: Float[Tensor, "rays bins_plus_one"]) -> Samples:
    """The intervals between edges `t`, as many on each ray."""
    rays, count = t.shape[0], t.shape[1] - 1
    index = torch.arange(rays + 1, dtype=torch.int32, device=t.device)
    starts, ends = t[:, :-1].reshape(-1), t[:, 1:].reshape(-1)
    return Samples(index[:-1].repeat_interleave(count), starts, ends, index * count)


def _shuffled(jitter: Float[Tensor, " rays"], index: int) -> Float[Tensor, " rays"]:
    """A ray's jitter for round `index`: uniform where `jitter` is, 0.5 where that is."""
    return (jitter * _STRIDE**index).remainder(1)
