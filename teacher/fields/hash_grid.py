"""The hash-grid radiance field of instant-ngp (Müller et al. 2022, section 5.4).

position -> hash grid -> density MLP -> density, 15 features --+
                                                               +-> colour MLP -> sRGB
direction -> spherical harmonics ------------------------------+
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from teacher.encodings.directional import COMPONENTS, spherical_harmonics
from teacher.fields.base import Query, RadianceField
from teacher.ops.hash_encode import HashGrid, hash_encode

FEATURES = 15
_MAX_LOG_DENSITY = 15.0


@dataclass(frozen=True)
class HashGridConfig:
    """Hash-grid field: table layout and the widths of its two networks."""

    grid: HashGrid = field(default_factory=HashGrid)
    """Levels, features per entry, table size and resolutions of the encoding."""
    width: int = 64
    """Width of the hidden layers."""
    density_layers: int = 1
    """Hidden layers of the density network."""
    colour_layers: int = 2
    """Hidden layers of the colour network."""

    def build(self) -> "HashGridField":
        """The untrained field; draws its initial values from torch's global generator."""
        return HashGridField(self)


class HashGridField(RadianceField):
    """See the module's docstring. Positions outside [-1, 1]^3 are clamped onto the cube."""

    def __init__(self, config: HashGridConfig) -> None:
        super().__init__()
        self.grid = config.grid
        table = torch.empty(config.grid.entries, config.grid.features).uniform_(-1e-4, 1e-4)
        self.table = nn.Parameter(table)
        encoded = config.grid.levels * config.grid.features
        self.density_net = mlp(encoded, config.width, config.density_layers, 1 + FEATURES)
        self.colour_net = mlp(FEATURES + COMPONENTS, config.width, config.colour_layers, 3)

    def tables(self) -> dict[str, nn.Parameter]:
        """The hash table."""
        return {"table": self.table}

    def density(self, positions: Float[Tensor, "n 3"]) -> tuple[Tensor, Tensor]:
        """Density [n] = exp(raw - 1) and 15 features [n 15]."""
        unit = (0.5 * positions + 0.5).clamp(0, 1)
        raw = self.density_net(hash_encode(unit, self.table, self.grid))
        return _TruncatedExp.apply(raw[:, 0] - 1), raw[:, 1:]

    def colour(self, query: Query, features: Float[Tensor, "n k"]) -> Float[Tensor, "n 3"]:
        """sRGB through a sigmoid."""
        view = spherical_harmonics(query.directions)
        return torch.sigmoid(self.colour_net(torch.cat([features, view], -1)))


def mlp(inputs: int, width: int, hidden: int, outputs: int) -> nn.Sequential:
    """A ReLU network without biases, as in tiny-cuda-nn (so that it can be fused into one kernel)."""
    layers: list[nn.Module] = []
    for _ in range(hidden):
        layers += [nn.Linear(inputs, width, bias=False), nn.ReLU(inplace=True)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs, bias=False))


class _TruncatedExp(torch.autograd.Function):
    """exp whose gradient stays finite: a density may shoot up without throwing the network away."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.exp(x.clamp_max(_MAX_LOG_DENSITY))

    @staticmethod
    def backward(ctx, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grads[0] * torch.exp(x.clamp(-_MAX_LOG_DENSITY, _MAX_LOG_DENSITY))
