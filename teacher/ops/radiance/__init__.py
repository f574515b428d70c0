"""The whole hash-grid radiance field as one op: encoding, both networks, activations.

    point ─► hash grid ─► density network ─► density, features ─┐
    direction ─► spherical harmonics ───────────────────────────┼─► colour network ─► sRGB
    codes (per-image, perhaps none) ────────────────────────────┘

Activations never leave the cache (CPU, a tile of points at a time) or the registers (GPU, 16 points
per warp on tensor cores); the backward pass computes them again instead of reading them back.
"""

import functools
import importlib
from types import ModuleType
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from teacher.encodings.directional import spherical_harmonics
from teacher.errors import UserError
from teacher.ops import launch
from teacher.ops.checks import expect
from teacher.ops.radiance import reference
from teacher.ops.radiance.reference import FieldWeights, Radiance

__all__ = ["FieldWeights", "Radiance", "point_density", "radiance"]


class Gradients(NamedTuple):
    """What a backend's backward pass hands back; None where it was not asked for."""

    points: Tensor | None
    harmonics: Tensor | None
    """With respect to the 16 spherical harmonics of each direction, [n, 16]."""
    codes: Tensor | None
    table: Tensor
    matrices: tuple[Tensor, ...]


def radiance(
    points: Float[Tensor, "n 3"],
    directions: Float[Tensor, "n 3"],
    codes: Float[Tensor, "n codes"],
    weights: FieldWeights,
) -> Radiance:
    """Density and colour of a hash-grid field (Müller 2022, section 5.4).

    Differentiable once, with respect to everything but the grid's shape. On a CPU nothing depends
    on the number of threads, and all is float32, unless `weights.mixed` and the processor has
    AVX-512 BF16: then matrices and what flows between layers are bfloat16. On a GPU these, and the
    table, are float16. Sums and results are float32 everywhere.

    Args:
        points: coordinates in the grid's unit cube, and clamped to it, [n, 3].
        directions: unit viewing directions, [n, 3].
        codes: further inputs of the colour network, [n, codes]; often none.
        weights: the grid's shape, its table and the two networks.

    Returns:
        Density exp(raw - 1), and sRGB in [0, 1].

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernels read.

    >>> from teacher.ops.hash_encode import HashGrid
    >>> grid = HashGrid(levels=2, features=2, log2_size=10, base=4, finest=16)
    >>> nets = (torch.zeros(16, 4),), (torch.zeros(3, 31),)
    >>> weights = FieldWeights(grid, torch.zeros(grid.entries, 2), *nets)
    >>> points, directions = torch.rand(1, 3), torch.tensor([[0.0, 0.0, 1.0]])
    >>> radiance(points, directions, torch.zeros(1, 0), weights)
    Radiance(density=tensor([0.3679]), colour=tensor([[0.5000, 0.5000, 0.5000]]))
    """
    _check(points, weights)
    expect("radiance: directions", directions, (len(points), 3), points.device)
    expect("radiance: codes", codes, (len(points), "codes"), points.device)
    kernels = backend(points.device, weights)
    if kernels is None:
        return reference.radiance(points, directions, codes, weights)
    matrices = (*weights.density_net, *weights.colour_net)
    shape = kernels, weights.grid, len(weights.density_net), weights.mixed
    return Radiance(*_Radiance.apply(shape, points, directions, codes, weights.table, *matrices))


@torch.no_grad()
def point_density(points: Float[Tensor, "n 3"], weights: FieldWeights) -> Float[Tensor, " n"]:
    """The density alone, without gradients: what decides where samples are worth their colour.

    Args:
        points: coordinates in the grid's unit cube, and clamped to it, [n, 3].
        weights: as for `radiance`; the colour network is not looked at.

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernels read.
    """
    _check(points, weights)
    kernels = backend(points.device, weights)
    if kernels is None:
        return reference.point_density(points, weights)
    return kernels.density(weights, points)


class _Radiance(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        shape, points, directions, codes, table, *matrices = inputs
        weights = _weights(shape, table, matrices)
        density, colour, saved = shape[0].forward(weights, points, directions, codes)
        ctx.shape, ctx.saved = shape, len(saved)
        ctx.save_for_backward(*saved, points, directions, codes, table, *matrices)
        return density, colour

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the decorator hides names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        saved, rest = ctx.saved_tensors[: ctx.saved], ctx.saved_tensors[ctx.saved :]
        points, directions, codes, table, *matrices = rest
        weights = _weights(ctx.shape, table, matrices)
        wanted = ctx.needs_input_grad[1:4]
        density_grad, colour_grad = (grad.contiguous() for grad in grads)
        found = Gradients(
            *ctx.shape[0].backward(
                *(weights, points, directions, codes, saved, density_grad, colour_grad, wanted)
            )
        )
        turned = found.harmonics
        if turned is not None:
            turned = _through_harmonics(directions, turned)
        return (None, found.points, turned, found.codes, found.table, *found.matrices)


def _weights(shape: tuple[Any, ...], table: Tensor, matrices: list[Tensor]) -> FieldWeights:
    _, grid, count, mixed = shape
    return FieldWeights(grid, table, tuple(matrices[:count]), tuple(matrices[count:]), mixed)


def _through_harmonics(directions: Tensor, grad: Tensor) -> Tensor:
    """The gradient with respect to directions, from that with respect to their harmonics."""
    with torch.enable_grad():
        leaf = directions.detach().requires_grad_()
        return torch.autograd.grad(spherical_harmonics(leaf), leaf, grad)[0]


def backend(device: torch.device, weights: FieldWeights) -> ModuleType | None:
    """`radiance/cpu.py` or `radiance/cuda.py`; None where only the reference will do."""
    name = {"c++": "cpu", "cuda": "cuda"}.get(launch.backend(device))
    backend = _module(name) if name else None
    return backend if backend and backend.fits(weights) else None


@functools.cache
def _module(name: str) -> ModuleType:
    return importlib.import_module(f"teacher.ops.radiance.{name}")


def _check(points: Tensor, weights: FieldWeights) -> None:
    device, grid = points.device, weights.grid
    expect("radiance: points", points, ("n", 3), device)
    expect("radiance: table", weights.table, (grid.entries, grid.features), device)
    inputs = grid.width
    for net in (weights.density_net, weights.colour_net):
        for index, matrix in enumerate(net):
            expect(f"radiance: matrix {index}", matrix, ("outputs", inputs), device)
            inputs = matrix.shape[0]
        inputs = weights.colour_net[0].shape[1]
    outputs = weights.density_net[-1].shape[0], weights.colour_net[-1].shape[0]
    if outputs != (16, 3):
        raise UserError(
            "radiance: the networks' outputs", str(outputs), "(16, 3)", "correct the last matrices"
        )
