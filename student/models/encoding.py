"""From rays to network input: clipping to the scene's box, points, sines and cosines.

    origins, directions --clip_to_box--> near, far --points_between--> points in the box
    points --to_unit_box--> [-1, 1]^3 --encode_frequencies--> channels

Everything here is inside the exported graph and in float32, and uses only operations that ONNX
Runtime Web has on WebGPU: no Round, Max, Min, GridSample or 64-bit integers.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

PARALLEL = 1e-6
"""Direction components below this count as parallel to the box's face; it keeps every distance
finite.
"""


def clip_to_box(
    origins: Float[Tensor, "batch 3 height width"],
    directions: Float[Tensor, "batch 3 height width"],
    aabb: Float[Tensor, "2 3"],
) -> tuple[Float[Tensor, "batch 1 height width"], Float[Tensor, "batch 1 height width"]]:
    """Where each ray enters and leaves the box: distances 0 <= near <= far along unit `directions`.

    The slab test (Kay and Kajiya 1986): the ray is inside all three slabs between the last entry
    and the first exit. A ray that misses leaves before it enters; both distances then collapse onto
    the middle of the two, which is continuous across the silhouette, but no farther than the box's
    own farthest corner could be. Behind the camera they collapse onto 0. Finite for axis-parallel
    rays.
    """
    centre = (0.5 * (aabb[1] + aabb[0]))[None, :, None, None]
    half = (0.5 * (aabb[1] - aabb[0]))[None, :, None, None]
    safe = torch.where(
        directions.abs() < PARALLEL, torch.full_like(directions, PARALLEL), directions
    )
    middle, extent = (centre - origins) / safe, half / safe.abs()
    enter = (middle - extent).amax(1, keepdim=True)
    leave = (middle + extent).amin(1, keepdim=True)
    mean, length = 0.5 * (enter + leave), 0.5 * torch.relu(leave - enter)
    reach = (centre - origins).square().sum(1, keepdim=True).sqrt() + half.square().sum().sqrt()
    near, far = torch.relu(mean - length), torch.relu(mean + length)
    # the smaller of two tensors by relu, since Min has no WebGPU kernel
    return reach - torch.relu(reach - near), reach - torch.relu(reach - far)


def points_between(
    origins: Float[Tensor, "batch 3 height width"],
    directions: Float[Tensor, "batch 3 height width"],
    near: Float[Tensor, "batch 1 height width"],
    far: Float[Tensor, "batch 1 height width"],
    fractions: Float[Tensor, " points"] | Float[Tensor, "batch points height width"],
) -> Float[Tensor, "batch points 3 height width"]:
    """Points at `fractions` (0 = near, 1 = far) of each ray's interval."""
    if fractions.ndim == 1:
        fractions = fractions[None, :, None, None]
    distances = near + (far - near) * fractions
    return origins[:, None] + directions[:, None] * distances[:, :, None]


def to_unit_box(
    points: Float[Tensor, "batch points 3 height width"], aabb: Float[Tensor, "2 3"]
) -> Float[Tensor, "batch points 3 height width"]:
    """Map the box onto [-1, 1]^3; points outside (of rays that miss it) land on its surface."""
    centre = (0.5 * (aabb[1] + aabb[0]))[:, None, None]
    half = (0.5 * (aabb[1] - aabb[0]))[:, None, None]
    return ((points - centre) / half).clamp(-1.0, 1.0)


def encode_frequencies(
    x: Float[Tensor, "batch channels height width"], octaves: int
) -> Float[Tensor, "batch encoded height width"]:
    """x, then sin and cos of 2^k x for k < octaves: channels * (2 * octaves + 1) channels (NeRF,
    equation 4, without pi).

    Arguments are reduced to [-pi, pi) first, since WGSL promises sines of nothing larger.
    Multiplying by 2^k is exact, so only the product with 1 / 2 pi rounds; the turn is found with
    floor because Round has no WebGPU kernel.
    """
    turns = torch.cat([x * (2.0**octave / (2 * math.pi)) for octave in range(octaves)], 1)
    angles = (turns - torch.floor(turns + 0.5)) * (2 * math.pi)
    return torch.cat([x, torch.sin(angles), torch.cos(angles)], 1)
