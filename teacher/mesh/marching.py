"""Marching cubes over a lattice that is never held as a whole.

    layers of nodes --density--> a slab of them --skimage--> triangles --stitch--> Surface

Lewiner et al. 2003, "Efficient Implementation of Marching Cubes' Cases with Topological Guarantees". Two neighbouring
slabs share a layer of nodes, the same numbers, so the vertices on it have the same coordinates to the bit, and are
joined by them.

What is interpolated between two nodes is opacity, over the stretch that the level makes half opaque: density itself is
an exponential, and a node deep inside would pull the surface off its place (docs/mesh.md).
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from tqdm import tqdm

from teacher.mesh.region import Lattice
from teacher.mesh.solid import Density
from teacher.mesh.surface import Surface
from teacher.missing import needed

NODES_AT_ONCE = 1 << 21
_NOTHING = -0.5
"""How far a node without density is from half opaque."""


def extract(density: Density, lattice: Lattice, level: float) -> Surface:
    """The surface on which `density` is `level`, closed, its triangles counter-clockwise from outside.

    Raises:
        UserError: scikit-image is missing.
    """
    marching_cubes = needed("skimage.measure", "mesh").marching_cubes
    vertices, faces, before = [], [], 0
    for start, slab in tqdm(_slabs(density, lattice, level), desc="mesh", unit="slab"):
        if not (slab.min() < 0 < slab.max()):
            continue
        found, triangles, *_ = marching_cubes(slab, 0.0, gradient_direction="ascent")
        found = found.astype(np.float64)
        found[:, 0] += start
        vertices.append(found)
        faces.append(triangles.astype(np.int64) + before)
        before += len(found)
    if not vertices:
        return Surface(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))
    at, triangles = _stitched(np.concatenate(vertices), np.concatenate(faces))
    positions = lattice.low.double() + lattice.step * torch.from_numpy(at)
    return Surface(positions.float(), torch.from_numpy(triangles))


class _slabs:
    """(First layer, opacity less a half) of overlapping slabs; knows how many there are, for progress."""

    def __init__(self, density: Density, lattice: Lattice, level: float) -> None:
        self.density, self.lattice, self.level = density, lattice, level
        nodes = lattice.nodes
        self.layers = max(1, NODES_AT_ONCE // (nodes[1] * nodes[2]))

    def __len__(self) -> int:
        return math.ceil((self.lattice.nodes[0] - 1) / self.layers)

    def __iter__(self) -> Iterator[tuple[int, Float[np.ndarray, "x y z"]]]:
        last = self._layer(0)
        for start in range(0, self.lattice.nodes[0] - 1, self.layers):
            end = min(start + self.layers, self.lattice.nodes[0] - 1)
            slab = np.stack([last, *(self._layer(i) for i in range(start + 1, end + 1))])
            last = slab[-1]
            yield start, slab

    def _layer(self, i: int) -> Float[np.ndarray, "y z"]:
        """One layer of nodes; the lattice's outermost nodes are empty, which closes the surface."""
        if i in (0, self.lattice.nodes[0] - 1):
            return np.full(self.lattice.nodes[1:], _NOTHING, np.float32)
        density = self.density(self.lattice.layer(i))
        values = 0.5 - torch.exp(-math.log(2) * density / self.level)
        layer = values.reshape(self.lattice.nodes[1:]).numpy()
        layer[[0, -1]] = layer[:, [0, -1]] = _NOTHING
        return layer


def _stitched(
    vertices: Float[np.ndarray, "n 3"], faces: np.ndarray
) -> tuple[Float[np.ndarray, "m 3"], np.ndarray]:
    """Vertices of equal coordinates made one; triangles that vanish by it left out."""
    joined, number = np.unique(vertices, axis=0, return_inverse=True)
    faces = number.reshape(-1)[faces]
    a, b, c = faces.T
    return joined, faces[(a != b) & (b != c) & (c != a)]
