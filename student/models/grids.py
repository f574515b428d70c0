"""Feature grids: functions of a point in [-1, 1]^3, on lattices and read linearly in between.

    volume:  (x, y, z)               one lattice: tells points apart best, grows with R^3
    planes:  (x, y), (x, z), (y, z)  three lattices: fine detail on surfaces, grows with R^2

Two equal implementations: `FeatureGrids` is `grid_sample`, the fastest in training;
`GatheredGrids`, its export form, reads the same numbers with floor and gathers, because ONNX
Runtime Web has no GridSample on WebGPU.
Letters: F = features, R = resolution, m = points, N = axes of a lattice (2 or 3).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

PLANES = ((0, 1), (0, 2), (1, 2))
"""The coordinates that each plane is indexed with, fastest-running first."""
VOLUME = ((0, 1, 2),)


class PointFeatures(nn.Module):
    """Learned features of points: what trains with the grids' rate, not with the networks'."""


class FeatureGrids(PointFeatures):
    """Learned features on lattices over the axes `axes`, at several resolutions, concatenated.

    Args:
        axes: `PLANES` (EG3D, section 4; concatenated as in LightSpeed), `VOLUME`, or others of
            points with as many coordinates as one likes.
        resolutions: nodes along each side, one set of lattices for each.
        features: channels of each lattice.
    """

    def __init__(
        self, axes: Sequence[tuple[int, ...]], resolutions: Sequence[int], features: int
    ) -> None:
        super().__init__()
        self.axes = tuple(axes)
        self.channels = len(axes) * features * len(resolutions)
        """Channels per point."""
        dimensions = len(axes[0])
        self.grids = nn.ParameterList(
            nn.Parameter(0.01 * torch.randn(len(axes), features, *[r] * dimensions))
            for r in resolutions
        )

    def forward(
        self, points: Float[Tensor, "batch points coordinates height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Features of points in [-1, 1]^3: `self.channels` times `points` channels, point-minor."""
        batch, count, _, height, width = points.shape
        xyz = points.permute(2, 0, 1, 3, 4).flatten(1)
        at = torch.stack([torch.stack([xyz[i] for i in axis], -1) for axis in self.axes])
        at = at.view(len(self.axes), -1, *[1] * (len(self.axes[0]) - 1), len(self.axes[0]))
        levels = [
            F.grid_sample(g, at, align_corners=True, padding_mode="border") for g in self.grids
        ]
        features = torch.cat([level.flatten(2).flatten(0, 1) for level in levels])
        features = features.view(-1, batch, count, height, width).transpose(0, 1)
        return features.reshape(batch, -1, height, width)

    def exported(self) -> "GatheredGrids":
        """The same function without GridSample."""
        return GatheredGrids(self)


class GatheredGrids(nn.Module):
    """`FeatureGrids` as one table and one Gather: 2^N rows of F features per point and lattice.

    Row numbers are computed in float32, which is exact below 2^24 of them, and cast once to int32:
    64-bit integers would send the arithmetic to the CPU.
    """

    last: Float[Tensor, "lattices 1"]
    """Number of the last node along each side."""
    strides: Float[Tensor, "dimensions lattices 1"]
    """Rows from a node to its next along each axis."""
    first_row: Float[Tensor, "lattices 1"]
    corners: Float[Tensor, "lattices corners 1"]
    """Rows from a cell's lowest node to each of its nodes, the first axis running fastest."""

    def __init__(self, grids: FeatureGrids) -> None:
        super().__init__()
        lattices = [grid.detach() for grid in grids.grids]
        table = torch.cat([grid.flatten(2).transpose(1, 2).flatten(0, 1) for grid in lattices])
        assert len(table) < 2**24, "row numbers must be exact in float32"
        self.table = nn.Parameter(table.contiguous(), requires_grad=False)
        every = [(axis, grid.shape[-1]) for grid in lattices for axis in grids.axes]
        self.columns = list(zip(*(axis for axis, _ in every), strict=True))
        sides = torch.tensor([float(side) for _, side in every])[:, None]
        strides = torch.stack([sides**n for n in range(len(self.columns))])
        sizes = strides[-1] * sides
        corners = torch.zeros(len(sides), 1, 1)
        for stride in strides:
            corners = torch.cat([corners, corners + stride[:, None]], 1)
        self.register_buffer("last", sides - 1)
        self.register_buffer("strides", strides)
        self.register_buffer("first_row", sizes.cumsum(0) - sizes)
        self.register_buffer("corners", corners)

    def forward(
        self, points: Float[Tensor, "batch points coordinates height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Features of points in [-1, 1]^3: see `FeatureGrids.forward`."""
        batch, count, _, height, width = points.shape
        axis = points.permute(2, 0, 1, 3, 4).reshape(points.shape[2], -1).split(1)
        row, weights = self.first_row, torch.ones_like(self.first_row)[:, None]
        for column, stride in zip(self.columns, self.strides.unbind(), strict=True):
            node, beyond = self._place(torch.cat([axis[i] for i in column]))
            row, beyond = row + node * stride, beyond[:, None]
            weights = torch.cat([weights * (1 - beyond), weights * beyond], 1)
        rows = (row[:, None] + self.corners).int()
        features = (F.embedding(rows, self.table) * weights[..., None]).sum(1)
        features = features.transpose(1, 2).reshape(-1, batch, count, height, width)
        return features.transpose(0, 1).reshape(batch, -1, height, width)

    def _place(
        self, x: Float[Tensor, "lattices m"]
    ) -> tuple[Float[Tensor, "lattices m"], Float[Tensor, "lattices m"]]:
        """The node below each coordinate and how far it lies towards the next, in [0, 1]."""
        position = (x + 1) * (0.5 * self.last)
        # the last node has no next one: the smaller of floor and last - 1, but WebGPU has no Min
        node = self.last - 1 - torch.relu(self.last - 1 - torch.floor(position))
        return node, position - node
