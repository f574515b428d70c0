"""Feature planes: a three-dimensional function stored as pictures on the three axis planes.

    point (x, y, z) in [-1, 1]^3 -> bilinear features of (x, y), (x, z), (y, z) at several resolutions, concatenated

Two equal implementations: `FeaturePlanes` is `grid_sample`, the fastest in training; `GatheredPlanes`, its export
form, reads the same numbers with floor and four gathers, because ONNX Runtime Web has no GridSample on WebGPU.
Letters: P = 3 planes, F = features, R = resolution, M = points.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

AXES = ((0, 1), (0, 2), (1, 2))
"""The two coordinates that each plane is indexed with: (column, row)."""


class FeaturePlanes(nn.Module):
    """Learned tri-planes at several resolutions (EG3D, section 4; K-Planes, equation 2, concatenated as LightSpeed does).

    Args:
        resolutions: texels along each side, one set of three planes each.
        features: channels of each plane.
    """

    def __init__(self, resolutions: Sequence[int], features: int) -> None:
        super().__init__()
        self.channels = len(AXES) * features * len(resolutions)
        """Channels per point."""
        self.grids = nn.ParameterList(
            nn.Parameter(0.01 * torch.randn(len(AXES), features, r, r)) for r in resolutions
        )

    def forward(
        self, points: Float[Tensor, "batch points 3 height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Features of points in [-1, 1]^3; `points * self.channels` channels, point-minor."""
        batch, count, _, height, width = points.shape
        xyz = points.permute(2, 0, 1, 3, 4).flatten(1)
        uv = torch.stack([torch.stack([xyz[i], xyz[j]], -1) for i, j in AXES])[:, :, None]
        levels = [
            F.grid_sample(grid, uv, align_corners=True, padding_mode="border") for grid in self.grids
        ]
        features = torch.cat([level[..., 0].flatten(0, 1) for level in levels])
        features = features.view(-1, batch, count, height, width).transpose(0, 1)
        return features.reshape(batch, -1, height, width)

    def exported(self) -> "GatheredPlanes":
        """The same function without GridSample."""
        return GatheredPlanes(self)


class GatheredPlanes(nn.Module):
    """`FeaturePlanes` as one table and one Gather: rows of F features, four rows per point and plane.

    Indices are computed in float32, which is exact below 2^24 rows, and cast once to int32: 64-bit integers would send
    the arithmetic to the CPU.
    """

    def __init__(self, planes: FeaturePlanes) -> None:
        super().__init__()
        grids = [grid.detach() for grid in planes.grids]
        table = torch.cat([grid.permute(0, 2, 3, 1).flatten(0, 2) for grid in grids])
        assert len(table) < 2**24, "row numbers must be exact in float32"
        resolutions = [grid.shape[-1] for grid in grids for _ in AXES]
        sizes = torch.tensor([r * r for r in resolutions])
        self.table = nn.Parameter(table.contiguous(), requires_grad=False)
        self.register_buffer("last", torch.tensor(resolutions, dtype=torch.float32)[:, None] - 1)
        self.register_buffer("first_row", (sizes.cumsum(0) - sizes).float()[:, None])
        self.columns, self.rows = (
            [axis[side] for _ in grids for axis in AXES] for side in (0, 1)
        )

    def forward(
        self, points: Float[Tensor, "batch points 3 height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Features of points in [-1, 1]^3; `points * self.channels` channels, point-minor."""
        batch, count, _, height, width = points.shape
        axis = points.permute(2, 0, 1, 3, 4).reshape(3, -1).split(1)
        u, right = self._texel(torch.cat([axis[i] for i in self.columns]))
        v, below = self._texel(torch.cat([axis[i] for i in self.rows]))
        row = self.first_row + v * (self.last + 1) + u
        corners = torch.stack([row, row + 1, row + self.last + 1, row + self.last + 2], 1)
        weights = torch.stack([(1 - right) * (1 - below), right * (1 - below), (1 - right) * below, right * below], 1)
        features = (F.embedding(corners.int(), self.table) * weights[..., None]).sum(1)
        features = features.transpose(1, 2).reshape(-1, batch, count, height, width)
        return features.transpose(0, 1).reshape(batch, -1, height, width)

    def _texel(
        self, x: Float[Tensor, "planes m"]
    ) -> tuple[Float[Tensor, "planes m"], Float[Tensor, "planes m"]]:
        position = (x + 1) * (0.5 * self.last)
        # floor of the last texel would have no right neighbour; Clip's bounds must be scalars, so relu twice
        low = self.last - 1
        texel = low - torch.relu(low - torch.floor(position))
        return texel, position - texel
