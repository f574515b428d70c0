"""The hash-grid radiance field of instant-ngp (Müller et al. 2022, section 5.4).

position --domain--> unit cube -> hash grid -> density MLP -> density, 15 features --+
direction -> spherical harmonics, per-image codes -----------------------------------+-> colour MLP -> sRGB

All of it behind the domain is one op, `teacher.ops.radiance`.
"""

import itertools
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from teacher.encodings.directional import COMPONENTS
from teacher.fields.base import Query, RadianceField
from teacher.fields.domains import Contracted, Cube, Domain
from teacher.fields.window import Window
from teacher.ops.hash_encode import HashGrid
from teacher.ops.radiance import FieldWeights, Radiance, point_density, radiance
from teacher.optimiser import Group

FEATURES = 15


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
    mixed: bool = True
    """Round what flows between layers to 16 bits where that is faster: on GPUs and on CPUs with AVX-512 BF16."""
    domain: Domain = field(default_factory=Cube)
    """The part of space that the grid covers."""
    window: Window = field(default_factory=Window)
    """Coarse to fine, for cameras that have to be corrected first."""

    @property
    def unbounded(self) -> bool:
        """Whether the field reaches beyond the scene's box, to infinity."""
        return isinstance(self.domain, Contracted)

    def build(self, codes: int = 0) -> "HashGridField":
        """The untrained field, for `codes` per-image inputs; draws from torch's global generator."""
        return HashGridField(self, codes)


class HashGridField(RadianceField):
    """See the module's docstring."""

    opened: Float[Tensor, " levels"]
    """What each level counts, where a window opens."""

    def __init__(self, config: HashGridConfig, codes: int = 0) -> None:
        super().__init__()
        self.grid, self.domain, self.mixed = config.grid, config.domain, config.mixed
        self.unbounded = config.unbounded
        table = torch.empty(config.grid.entries, config.grid.features).uniform_(-1e-4, 1e-4)
        self.table = nn.Parameter(table)
        width, inputs = config.width, FEATURES + COMPONENTS + codes
        self.window = config.window
        if self.window.coarse:  # of what was trained without, checkpoints know nothing
            self.register_buffer("opened", torch.ones(config.grid.levels))
        self.density_net = network(config.grid.width, width, config.density_layers, 1 + FEATURES)
        self.colour_net = network(inputs, width, config.colour_layers, 3)

    def groups(self) -> dict[str, Group]:
        """Matrices decay, the table does not."""
        return {name: Group(decays=name != "table") for name, _ in self.named_parameters()}

    @torch.no_grad()
    def density(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """exp(raw - 1)."""
        return point_density(self.domain.to_unit(positions), self.weights())

    def radiance(self, query: Query) -> Radiance:
        """Density, and sRGB through a sigmoid."""
        points = self.domain.to_unit(query.positions)
        return radiance(points, query.directions, query.codes, self.weights())

    def update(self, step: int, steps: int) -> None:
        """Open the window as far as it is to be at training step `step` of `steps`."""
        if self.window.coarse:
            part, device = step / steps, self.opened.device
            self.opened.copy_(self.window.weights(self.grid.levels, part, device))

    def weights(self) -> FieldWeights:
        """The parameters as the kernels take them.

        A level that counts w is one whose columns of the first matrix are multiplied by w.
        """
        density_net, colour_net = tuple(self.density_net), tuple(self.colour_net)
        if self.window.coarse:
            first = density_net[0] * self.opened.repeat_interleave(self.grid.features)
            density_net = (first, *density_net[1:])
        return FieldWeights(self.grid, self.table, density_net, colour_net, self.mixed)

    def on_cube(self, extent: float) -> FieldWeights | None:
        """The weights, if that cube is the domain."""
        return self.weights() if self.domain == Cube(extent) else None


def network(inputs: int, width: int, hidden: int, outputs: int) -> nn.ParameterList:
    """Matrices [outputs, inputs] of a ReLU network without biases, drawn as `nn.Linear` draws them."""
    sizes = [inputs, *[width] * hidden, outputs]
    pairs = itertools.pairwise(sizes)
    return nn.ParameterList(nn.Linear(a, b, bias=False).weight for a, b in pairs)
