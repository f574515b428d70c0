"""The part of space that is looked at: a box, perhaps only the ball inside it."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Region:
    """A box in the norm frame, or the ball that fits into it."""

    box: Float[Tensor, "2 3"]
    """Lower and upper corner."""
    round: bool = False
    """Whether only the box's inscribed ellipsoid counts."""

    def holds(self, positions: Float[Tensor, "n 3"]) -> Bool[Tensor, " n"]:
        """Which of `positions` are inside."""
        low, high = self.box.to(positions)
        if not self.round:
            return ((positions >= low) & (positions <= high)).all(-1)
        middle, half = 0.5 * (low + high), 0.5 * (high - low)
        return ((positions - middle) / half).square().sum(-1) <= 1


@dataclass(frozen=True)
class Lattice:
    """Nodes at the corners of equal cubes that fill a region's box, the outermost on or beyond its sides."""

    low: Float[Tensor, "3"]
    step: float
    """Side of a cube, in norm units."""
    nodes: tuple[int, int, int]

    @staticmethod
    def over(box: Float[Tensor, "2 3"], resolution: int) -> "Lattice":
        """Cubes over `box`, `resolution` of them along its longest side, and a layer of them around it."""
        size = (box[1] - box[0]).double()
        step = float(size.max()) / resolution
        cells = [int(n) + 2 for n in (size / step - 1e-6).ceil().tolist()]
        middle = box.double().mean(0)
        low = middle - 0.5 * step * torch.tensor(cells, dtype=torch.float64)
        return Lattice(low.float(), step, (cells[0] + 1, cells[1] + 1, cells[2] + 1))

    def layer(self, i: int) -> Float[Tensor, "nodes 3"]:
        """Positions of the nodes whose first index is `i`, the last index fastest."""
        y, z = (torch.arange(n, dtype=torch.float32) for n in self.nodes[1:])
        index = torch.stack(torch.meshgrid(torch.tensor([float(i)]), y, z, indexing="ij"), -1)
        return self.low + self.step * index.reshape(-1, 3)
