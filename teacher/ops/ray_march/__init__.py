"""Sampling rays where space is occupied: an occupancy grid and rays to packed samples."""

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from teacher.errors import UserError
from teacher.ops import launch
from teacher.ops.build import Kernels
from teacher.ops.checks import expect
from teacher.ops.occupancy.morton import cells_of
from teacher.ops.ray_march import reference
from teacher.ops.ray_march.reference import largest_step
from teacher.rays import Samples

__all__ = ["ray_march"]

_KERNELS = Kernels("ray_march", exact=True)


@torch.no_grad()
def ray_march(
    origins: Float[Tensor, "rays 3"],
    directions: Float[Tensor, "rays 3"],
    occupancy: UInt8[Tensor, "cascades bytes"],
    aabb: Float[Tensor, "2 3"],
    near: Float[Tensor, " rays"] | float,
    jitter: Float[Tensor, " rays"],
    step: float,
    cone_angle: float,
    max_samples: int,
    capacity: int | None = None,
) -> Samples:
    """Place samples along rays, in occupied cells only (Müller 2022, appendix E).

    Along each ray lies a lattice of intervals. With t0 the distance where the ray enters the box,
    or `near` if that is farther, it begins at t0 + jitter * dt, and an interval that begins at t
    has length dt = clamp(t * cone_angle, step, diagonal of the coarsest cells); a cone angle of 0
    makes all equal. The samples are the intervals whose middle is in the box and in an occupied
    cell: of the finest cascade that holds it and whose cells have sides of dt or more, or of the
    coarsest. A ray that misses the box has none, nor has one from so far away that float32 cannot
    tell its intervals apart. Not differentiable.

    The number of samples is read from the device, unless there is a `capacity`: then nothing waits
    for the device, and arrays have that length whatever the rays meet. What is unused is zero.

    Args:
        origins: in the frame of the grid, [rays, 3].
        directions: of unit length, [rays, 3].
        occupancy: the grid's bits in Morton order, as `occupancy_bits` makes them.
        aabb: lower and upper corner of the box to stay in, inside the coarsest cascade's cube.
        near: no sample before this distance, for each ray or for all.
        jitter: in [0, 1), shifts each ray's lattice by that part of an interval.
        step: the shortest interval, > 0.
        cone_angle: growth of the intervals with distance, >= 0.
        max_samples: no more than this per ray.
        capacity: no more than this in all. The first ray that does not fit as a whole, and every
            ray after it, gets no samples; `complete` says which rays have all of theirs.

    Returns:
        The samples, with int32 `ray_indices` and `offsets`.

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernel reads, or the
            lattice has no step, or the capacity is negative.

    >>> occupancy = torch.tensor([[2] + 63 * [0]], dtype=torch.uint8)  # cell (1, 0, 0) of 8^3
    >>> o, d = torch.tensor([[-2.0, -0.9, -0.9]]), torch.tensor([[1.0, 0.0, 0.0]])
    >>> aabb = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
    >>> ray_march(o, d, occupancy, aabb, 0.0, torch.zeros(1), 0.125, 0.0, 100).t_starts
    tensor([1.2500, 1.3750])
    """
    device, rays = origins.device, len(origins)
    nears = near if isinstance(near, Tensor) else origins.new_full((rays,), near)
    _check(origins, directions, occupancy, aabb, nears, jitter)
    _check_numbers(step, cone_angle, capacity)
    if launch.backend(device) == "reference":
        return reference.ray_march(
            origins,
            directions,
            occupancy,
            aabb,
            near,
            jitter,
            step,
            cone_angle,
            max_samples,
            capacity,
        )
    cells, cascades = cells_of(occupancy), len(occupancy)
    largest = largest_step(cells, cascades, step)
    lattice = (float(step), float(cone_angle), largest, max_samples)
    inputs = (origins, directions, occupancy, cells, cascades, aabb, nears, jitter, *lattice)
    counts, marks = torch.empty_like(nears, dtype=torch.int32), torch.empty_like(nears)
    found = (counts, marks)
    launch.run(_KERNELS, "ray_march", device, rays, *inputs, *found, None, None, None, None)
    offsets, complete = reference.offsets(counts, capacity)
    result = allocate(origins, offsets, complete, capacity)
    outputs = (result.offsets, result.ray_indices, result.t_starts, result.t_ends)
    launch.run(_KERNELS, "ray_march", device, rays, *inputs, *found, *outputs)
    return result


def allocate(
    origins: Float[Tensor, "rays 3"],
    offsets: Int[Tensor, " rays_plus_one"],
    complete: Bool[Tensor, " rays"] | None,
    capacity: int | None,
) -> Samples:
    """Room for the samples; where it is fixed, what is left of it must be zero."""
    if capacity is None:
        samples = int(offsets[-1])
        room = [like.new_empty(samples) for like in (offsets, origins, origins)]
    else:
        room = [like.new_zeros(capacity) for like in (offsets, origins, origins)]
    index, starts, ends = room
    return Samples(index, starts, ends, offsets, complete)


def _check(
    origins: Tensor,
    directions: Tensor,
    occupancy: Tensor,
    aabb: Tensor,
    nears: Tensor,
    jitter: Tensor,
) -> None:
    device, rays = origins.device, len(origins)
    expect("ray_march: origins", origins, (rays, 3), device)
    expect("ray_march: directions", directions, (rays, 3), device)
    shape = ("cascades", "cells^3 / 8")
    expect("ray_march: occupancy", occupancy, shape, device, (torch.uint8,))
    expect("ray_march: aabb", aabb, (2, 3), device)
    expect("ray_march: near", nears, (rays,), device)
    expect("ray_march: jitter", jitter, (rays,), device)


def _check_numbers(step: float, cone_angle: float, capacity: int | None) -> None:
    if not (step > 0 and cone_angle >= 0):
        raise UserError(
            "ray_march: the lattice",
            f"step = {step}, cone_angle = {cone_angle}",
            "step > 0 and cone_angle >= 0",
            "give the length of the shortest interval, in the units of the grid's frame",
        )
    if capacity is not None and capacity < 0:
        remedy = "give the room for samples, or None for as much as they need"
        raise UserError("ray_march: capacity", str(capacity), ">= 0", remedy)
