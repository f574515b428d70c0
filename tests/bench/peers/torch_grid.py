"""Peers on a CPU: the same radiance field in torch, without kernels.

Everything that is not the field or its optimiser is the product's: which pixels are drawn, where rays are marched,
compositing, losses, the running average of the weights. Parameters have the product's names and shapes, so that
weights can be carried over.

- plain: as one writes it. Each level's corners as [points, corners] rows, `index_select`, weighted sum, autograd; that
  is the definition of `hash_encode` in teacher/ops/hash_encode/reference.py. Networks are matrix products in float32.
- tuned: the fastest of some twenty ways of writing it that were tried on a CPU with AVX-512. One contiguous vector per
  corner, every level's table by itself, `embedding_bag` where no gradient is wanted, networks in bfloat16 if the
  product's are.

Both take `torch.optim.Adam(fused=True)`, which here is the fastest of torch's three, over the whole table.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from teacher.encodings.directional import spherical_harmonics
from teacher.fields.base import Query
from teacher.fields.hash_grid import HashGridConfig, HashGridField
from teacher.ops.hash_encode import HashGrid, Level
from teacher.ops.hash_encode.reference import PRIMES, hash_encode
from teacher.ops.radiance import FieldWeights, Radiance
from teacher.ops.radiance.reference import TruncatedExp
from teacher.optimiser import FieldOptimiser, Group, OptimiserConfig
from teacher.presets import TrainConfig
from teacher.scene import Scene
from teacher.trainer import Trainer

_SIGNED = tuple(prime - (1 << 32) if prime >= 1 << 31 else prime for prime in PRIMES)
"""The hash's factors as int32, whose products wrap around as uint32's do."""


@dataclass(frozen=True)
class TorchGridConfig(HashGridConfig):
    """A `HashGridConfig` that builds a peer."""

    tuned: bool = False
    """The fastest way of writing it, not the first."""

    def build(self, codes: int = 0) -> "TorchGridField":
        """The untrained field: parameters with the names, shapes and values of the product's."""
        return TorchGridField(self, codes)


class TorchGridField(HashGridField):
    """The product's parameters, evaluated by torch."""

    def __init__(self, config: TorchGridConfig, codes: int = 0) -> None:
        super().__init__(config, codes)
        self.tuned = config.tuned

    @torch.no_grad()
    def density(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """As `HashGridField.density`."""
        return TruncatedExp.apply(self._raw(self.domain.to_unit(positions))[:, 0].float() - 1)

    def radiance(self, query: Query) -> Radiance:
        """As `HashGridField.radiance`."""
        raw = self._raw(self.domain.to_unit(query.positions))
        harmonics = spherical_harmonics(query.directions)
        inputs = torch.cat([raw[:, 1:], harmonics.to(raw.dtype), query.codes.to(raw.dtype)], -1)
        colour = torch.sigmoid(self._network(inputs, self.colour_net).float())
        return Radiance(TruncatedExp.apply(raw[:, 0].float() - 1), colour)

    def _raw(self, points: Tensor) -> Tensor:
        encode = hash_encode
        if self.tuned:
            encode = encode_by_rows if torch.is_grad_enabled() else encode_by_bags
        return self._network(encode(points, self.table, self.grid), self.density_net)

    def _network(self, x: Tensor, matrices: nn.ParameterList) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.tuned and self.mixed):
            *hidden, last = matrices
            for matrix in hidden:
                x = torch.relu(x @ matrix.T)
            return x @ last.T

    def on_cube(self, extent: float) -> FieldWeights | None:
        """Nothing for fused kernels."""
        return None


def encode_by_rows(
    points: Float[Tensor, "n 3"], table: Float[Tensor, "entries features"], grid: HashGrid
) -> Float[Tensor, "n width"]:
    """The hash encoding, with autograd to the table."""
    axes, encoded = points.t().contiguous(), []
    for level, part in zip(grid.layout, _parts(table, grid), strict=True):
        rows, weights = _corners(axes, level)
        features = part.index_select(0, rows.view(-1)).view(*rows.shape, -1)
        encoded.append((features * weights[..., None]).sum(0))
    return torch.cat(encoded, 1)


def encode_by_bags(
    points: Float[Tensor, "n 3"], table: Float[Tensor, "entries features"], grid: HashGrid
) -> Float[Tensor, "n width"]:
    """The hash encoding, where nobody wants a gradient."""
    axes, encoded = points.t().contiguous(), []
    for level, part in zip(grid.layout, _parts(table, grid), strict=True):
        rows, weights = (corners.t().contiguous() for corners in _corners(axes, level))
        bags = nn.functional.embedding_bag(rows, part, mode="sum", per_sample_weights=weights)
        encoded.append(bags)
    return torch.cat(encoded, 1)


def _parts(table: Tensor, grid: HashGrid) -> tuple[Tensor, ...]:
    """Each level's rows: the gradient of a gather is as long as what it gathers from."""
    return table.split([level.size for level in grid.layout])


def _corners(
    axes: Float[Tensor, "3 n"], level: Level
) -> tuple[Int[Tensor, "8 n"], Float[Tensor, "8 n"]]:
    """Row within the level, and weight, of each corner of the cells around points."""
    position = axes * level.scale + 0.5
    whole = position.floor()
    far = position - whole
    shares, cell = (1 - far, far), whole.int()
    factors = _SIGNED if level.hashed else (1, level.resolution, level.resolution**2)
    near = [cell[axis] * factors[axis] for axis in range(3)]
    terms = (near, [near[axis] + factors[axis] for axis in range(3)])
    rows = torch.empty(8, axes.shape[1], dtype=torch.int64)  # autograd's gather is slow on int32
    weights = torch.empty(8, axes.shape[1])
    for corner in range(8):
        x, y, z = corner >> 2 & 1, corner >> 1 & 1, corner & 1
        if level.hashed:
            rows[corner] = (terms[x][0] ^ terms[y][1] ^ terms[z][2]) & (level.size - 1)
        else:
            rows[corner] = (terms[x][0] + terms[y][1] + terms[z][2]) % level.size
        torch.mul(shares[x][0] * shares[y][1], shares[z][2], out=weights[corner])
    return rows, weights


class TorchAdam:
    """`torch.optim.Adam` behind `FieldOptimiser`'s interface: same schedule, same average of the weights."""

    def __init__(
        self, module: nn.Module, groups: Mapping[str, Group], config: OptimiserConfig
    ) -> None:
        self.config = config
        # Codes and corrections that are switched off are parameters without elements.
        self._parameters = {name: p for name, p in module.named_parameters() if p.numel()}
        group = {name: groups.get(name, Group()) for name in self._parameters}
        assert all(g == Group(decays=g.decays) for g in group.values()), "field and networks only"
        split = [
            [p for name, p in self._parameters.items() if group[name].decays == decays]
            for decays in (False, True)
        ]
        self._adam = torch.optim.Adam(
            [{"params": split[0]}, {"params": split[1], "weight_decay": config.network_decay}],
            betas=config.betas,
            eps=config.eps,
            fused=True,
        )
        self._average = {name: p.detach().clone() for name, p in self._parameters.items()}

    def step(self, step: int, steps: int) -> None:
        """As `FieldOptimiser.step`."""
        for group in self._adam.param_groups:
            group["lr"] = self.config.rate(step, steps)
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        if (step + 1) % self.config.average_every == 0:
            keep = self.config.average**self.config.average_every
            for name, parameter in self._parameters.items():
                self._average[name].lerp_(parameter.detach(), 1 - keep)

    def averaged(self) -> dict[str, Tensor]:
        """As `FieldOptimiser.averaged`."""
        return self._average

    def take(self, other: FieldOptimiser, step: int) -> None:
        """Go on from the moments and averages of the product's optimiser after `step` steps."""
        theirs = other.state()
        for name, parameter in self._parameters.items():
            first, second = (theirs[f"{part}.{name}"].clone() for part in ("first", "second"))
            state = {"step": torch.tensor(float(step)), "exp_avg": first, "exp_avg_sq": second}
            self._adam.state[parameter] = state
            self._average[name].copy_(theirs[f"average.{name}"])


def torch_trainer(scene: Scene, config: TrainConfig, tuned: bool = False) -> Trainer:
    """The product's trainer on a CPU with a peer's field and optimiser in it."""
    fields = {f.name: getattr(config.field, f.name) for f in dataclasses.fields(config.field)}
    trainer = Trainer(
        scene, dataclasses.replace(config, field=TorchGridConfig(**fields, tuned=tuned))
    )
    adam = TorchAdam(trainer.variant, trainer.variant.groups(), config.optimiser)
    trainer.optimiser = adam  # pyright: ignore[reportAttributeAccessIssue] - the same interface
    return trainer


def go_on_from(trainer: Trainer, other: Trainer) -> None:
    """Put the peer `trainer` where the product's `other` stands: weights, moments, occupancy, step."""
    trainer.variant.load_state_dict(other.variant.state_dict())
    optimiser: object = trainer.optimiser
    assert isinstance(optimiser, TorchAdam)
    optimiser.take(other.optimiser, other.step)
    trainer.step, trainer.rays = other.step, other.rays
