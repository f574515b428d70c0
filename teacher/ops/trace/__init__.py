"""Rays to what they see, without looking behind the first surface.

    rays ─march─► samples ─density─► light that is left ─► visible_samples: where training looks closer
                                                        └► trace: colour, alpha and depth of the rays

Both go along all rays at once and stop where a ray's light is gone. Samples that do not count are
never kept, so a picture needs no memory but its own.
"""

import importlib
from types import ModuleType

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.errors import UserError
from teacher.ops import radiance
from teacher.ops.checks import expect
from teacher.ops.radiance.reference import FieldWeights
from teacher.ops.trace import reference
from teacher.ops.trace.reference import Space, Traced, Visible

__all__ = ["Space", "Traced", "Visible", "trace", "visible_samples"]


@torch.no_grad()
def visible_samples(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    jitter: Float[Tensor, " rays"],
    space: Space,
    weights: FieldWeights,
    early_stop: float = 1e-4,
    cull: float = 1e-4,
    capacity: int | None = None,
) -> Visible:
    """The samples of `ray_march` that a field leaves visible; not differentiable.

    Args:
        origins: in the frame of the grid, [rays, 3].
        directions: of unit length, [rays, 3].
        jitter: in [0, 1), shifts each ray's samples by that part of an interval.
        space: where samples may be.
        weights: the field, over the cube of the grid's outermost cascade.
        early_stop: a ray ends where less than this of its light is left.
        cull: samples of no more weight than this are left out.
        capacity: no more than this in all, as in `ray_march`: arrays then have that length, and
            nothing waits for a GPU.

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernels read, or the
            capacity is negative.

    >>> from teacher.ops.hash_encode import HashGrid
    >>> grid = HashGrid(levels=1, features=2, log2_size=9, base=4, finest=4)
    >>> nets = (torch.ones(8, 2), torch.ones(16, 8)), (torch.ones(8, 31), torch.ones(3, 8))
    >>> fog = FieldWeights(grid, torch.ones(grid.entries, 2), *nets)  # density e^15 everywhere
    >>> full = torch.full((1, 64), 255, dtype=torch.uint8)
    >>> box = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
    >>> o, d = torch.tensor([[-2.0, 0.1, 0.1]]), torch.tensor([[1.0, 0.0, 0.0]])
    >>> space = Space(full, box, near=0.0, step=0.25, cone_angle=0.0, max_samples=100)
    >>> visible_samples(o, d, torch.zeros(1), space, fog).samples.t_starts
    tensor([1.])
    """
    _check(origins, directions, jitter, space)
    if capacity is not None and capacity < 0:
        remedy = "give the room for samples, or None for as much as they need"
        raise UserError("visible_samples: capacity", str(capacity), ">= 0", remedy)
    arguments = (origins, directions, jitter, space, weights, early_stop, cull, capacity)
    kernels = _backend(origins.device, weights)
    return (kernels or reference).visible_samples(*arguments)


@torch.no_grad()
def trace(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    codes: Float[Tensor, "rays codes"],
    jitter: Float[Tensor, " rays"],
    space: Space,
    weights: FieldWeights,
    early_stop: float = 1e-4,
    cull: float = 1e-4,
) -> Traced:
    """Colour, alpha and depth of rays (NeRF, equation 3); not differentiable.

    As compositing the `radiance` of all samples of `ray_march`, except that samples of no more
    weight than `cull` are taken to be invisible.

    Args:
        origins: in the frame of the grid, [rays, 3].
        directions: of unit length, [rays, 3].
        codes: further inputs of the colour network, [rays, codes]; often none.
        jitter: in [0, 1), shifts each ray's samples by that part of an interval.
        space: where samples may be.
        weights: the field, over the cube of the grid's outermost cascade.
        early_stop: a ray ends where less than this of its light is left.
        cull: see above.

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernels read.
    """
    _check(origins, directions, jitter, space)
    expect("trace: codes", codes, (len(origins), "codes"), origins.device)
    arguments = (origins, directions, codes, jitter, space, weights, early_stop, cull)
    kernels = _backend(origins.device, weights)
    return (kernels or reference).trace(*arguments)


def _backend(device: torch.device, weights: FieldWeights) -> ModuleType | None:
    """`trace/cpu.py` or `trace/cuda.py`; None where only the reference will do."""
    field = radiance.backend(device, weights)
    if field is None:
        return None
    return importlib.import_module(f"teacher.ops.trace.{field.__name__.rpartition('.')[2]}")


def _check(origins: Tensor, directions: Tensor, jitter: Tensor, space: Space) -> None:
    device, rays = origins.device, len(origins)
    expect("trace: origins", origins, (rays, 3), device)
    expect("trace: directions", directions, (rays, 3), device)
    expect("trace: jitter", jitter, (rays,), device)
    expect("trace: bits", space.bits, ("cascades", "bytes"), device, (torch.uint8,))
    expect("trace: aabb", space.aabb, (2, 3), device)
    if not (space.step > 0 and space.cone_angle >= 0):
        raise UserError(
            "trace: the lattice",
            f"step = {space.step}, cone_angle = {space.cone_angle}",
            "step > 0 and cone_angle >= 0",
            "give the length of the shortest interval, in the units of the grid's frame",
        )
