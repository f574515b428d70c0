"""A triangle mesh: its normals, and which of its parts to keep."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from teacher.missing import needed


@dataclass(frozen=True)
class Surface:
    """Vertices in the norm frame, and triangles that are counter-clockwise from outside."""

    vertices: Float[Tensor, "vertices 3"]
    faces: Int[Tensor, "faces 3"]

    def normals(self) -> Float[Tensor, "vertices 3"]:
        """Unit outward normals at the vertices: means over the triangles around, by area."""
        a, b, c = self.vertices[self.faces].unbind(1)
        across = torch.linalg.cross(b - a, c - a)
        sums = torch.zeros_like(self.vertices)
        for corner in self.faces.unbind(1):
            sums.index_add_(0, corner, across)
        return torch.nn.functional.normalize(sums, dim=-1)

    def largest(self, components: int) -> tuple["Surface", int]:
        """The `components` connected parts with the most triangles, and how many parts there are."""
        if not len(self.faces):
            return self, 0
        part = _parts(len(self.vertices), self.faces)
        sizes = torch.bincount(part[self.faces[:, 0]])
        chosen = torch.zeros(len(sizes), dtype=torch.bool)
        chosen[sizes.argsort(descending=True, stable=True)[:components]] = True
        return self.where(chosen[part]), int((sizes > 0).sum())

    def where(self, keep: Tensor) -> "Surface":
        """The vertices that `keep` says, and the triangles among them."""
        number = keep.cumsum(0) - 1
        return Surface(self.vertices[keep], number[self.faces[keep[self.faces].all(-1)]])


def _parts(count: int, faces: Int[Tensor, "faces 3"]) -> Int[Tensor, " vertices"]:
    """The number of the connected part that each of `count` vertices belongs to."""
    import numpy as np

    sparse = needed("scipy.sparse", "mesh")
    a, b, c = faces.numpy().T
    rows, columns = np.concatenate([a, b]), np.concatenate([b, c])
    graph = sparse.coo_matrix((np.ones(len(rows), bool), (rows, columns)), (count, count))
    csgraph = needed("scipy.sparse.csgraph", "mesh")
    return torch.from_numpy(csgraph.connected_components(graph, directed=False)[1]).long()
