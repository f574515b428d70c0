"""A density without colour, small enough to be asked for many times on every ray."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from teacher.fields.domains import Contracted, Domain
from teacher.fields.hash_grid import network
from teacher.ops.hash_encode import HashGrid, hash_encode
from teacher.ops.radiance.reference import TruncatedExp


@dataclass(frozen=True)
class DensityGridConfig:
    """Hash grid and a network of one hidden layer."""

    grid: HashGrid = field(
        default_factory=lambda: HashGrid(levels=5, features=2, log2_size=17, finest=256)
    )
    """Levels, features per entry, table size and resolutions of the encoding."""
    width: int = 16
    """Width of the hidden layer."""
    domain: Domain = field(default_factory=Contracted)
    """The part of space that the grid covers: the field's."""

    def build(self) -> "DensityGrid":
        """The untrained density; draws from torch's global generator."""
        return DensityGrid(self)


class DensityGrid(nn.Module):
    """Density per norm unit at positions in the norm frame, exp(raw - 1); differentiable in its parameters."""

    def __init__(self, config: DensityGridConfig) -> None:
        super().__init__()
        self.grid, self.domain = config.grid, config.domain
        table = torch.empty(config.grid.entries, config.grid.features).uniform_(-1e-4, 1e-4)
        self.table = nn.Parameter(table)
        self.net = network(config.grid.width, config.width, 1, 1)

    def forward(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """The density at `positions`."""
        encoded = hash_encode(self.domain.to_unit(positions), self.table, self.grid)
        hidden = torch.relu(encoded @ self.net[0].T)
        return TruncatedExp.apply((hidden @ self.net[1].T)[:, 0] - 1)
