"""Volume rendering: rays, sampler and field to premultiplied colour, alpha and depth.

    rays --sampler--> samples --density--> weights --cull--> seen samples --density, colour--> composite -> Rendering

Samples behind an opaque surface or in empty space get (almost) no weight. They are found by density alone, without
gradients, and dropped before the expensive pass (instant-ngp's compaction).
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from teacher.cameras import Camera
from teacher.fields.base import Field, Query
from teacher.ops.composite import composite
from teacher.pseudo.view import View
from teacher.rays import Rays, Samples

RAYS_PER_CHUNK = 1 << 13


@runtime_checkable
class Sampler(Protocol):
    """Chooses packed samples along rays."""

    def sample(self, rays: Rays, jitter: Float[Tensor, " rays"]) -> Samples:
        """Samples of `rays`, shifted by `jitter` in [0, 1) of a step."""
        ...


@dataclass(frozen=True)
class RenderConfig:
    """What may be left out because nobody would see it."""

    early_stop: float = 1e-4
    """A ray ends where less than this of the light from behind would come through."""
    cull: float = 1e-4
    """Samples of less weight than this get neither colour nor gradient."""
    shy: float = 0.0
    """Samples closer to the camera than this learn less, by the square of the distance: many pixels of one picture
    and few of others crop up there, which breeds floaters (Philip & Deschaintre 2023, "Floaters No More")."""


@dataclass(frozen=True)
class Rendering:
    """What rays see; `depth` is the sum of weight * distance, not divided by alpha."""

    rgba: Float[Tensor, "rays 4"]
    depth: Float[Tensor, " rays"]
    weights: Float[Tensor, " samples"]
    samples: Samples
    candidates: int
    """How many samples there were before culling."""


def render_rays(
    field: Field,
    sampler: Sampler,
    rays: Rays,
    jitter: Float[Tensor, " rays"],
    config: RenderConfig,
) -> Rendering:
    """Render `rays`; differentiable in the field's parameters."""
    candidates = sampler.sample(rays, jitter)
    samples = keep_samples(candidates, _visible(field, rays, candidates, config))
    index = samples.ray_indices.long()
    query = Query(samples.midpoints(rays), rays.directions[index])
    density, features = field.density(query.positions)
    colour = field.colour(query, features)
    if config.shy:
        distance = 0.5 * (samples.t_starts + samples.t_ends)
        density, colour = _ScaleGradient.apply(density, colour, (distance / config.shy).square())
    rgb, alpha, depth, weights = composite(
        density, colour, samples.t_starts, samples.t_ends, samples.offsets, config.early_stop
    )
    return Rendering(torch.cat([rgb, alpha[:, None]], -1), depth, weights, samples, len(candidates))


class _ScaleGradient(torch.autograd.Function):
    """Density and colour as they are; their gradients times `factor`, at most 1."""

    @staticmethod
    def forward(ctx, density: Tensor, colour: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(factor.clamp_max(1))
        return density.view_as(density), colour.view_as(colour)

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (factor,), (density, colour) = ctx.saved_tensors, grads
        return density * factor, colour * factor[:, None], None


@torch.no_grad()
def _visible(
    field: Field, rays: Rays, samples: Samples, config: RenderConfig
) -> Bool[Tensor, " samples"]:
    density, _ = field.density(samples.midpoints(rays))
    colourless = density.new_zeros(len(samples), 0)
    *_, weights = composite(
        density, colourless, samples.t_starts, samples.t_ends, samples.offsets, config.early_stop
    )
    return weights > config.cull


def keep_samples(samples: Samples, keep: Bool[Tensor, " samples"]) -> Samples:
    """The samples where `keep` holds, still packed ray after ray."""
    kept_before = torch.nn.functional.pad(keep.cumsum(0, dtype=samples.offsets.dtype), (1, 0))
    return Samples(
        samples.ray_indices[keep],
        samples.t_starts[keep],
        samples.t_ends[keep],
        kept_before[samples.offsets.long()],
    )


@torch.no_grad()
def render_view(field: Field, sampler: Sampler, camera: Camera, config: RenderConfig) -> View:
    """The whole picture of `camera`, samples in the middle of their steps (no jitter)."""
    rays = camera.rays()
    parts = [
        render_rays(field, sampler, part, torch.full((len(part),), 0.5), config)
        for part in (rays[i : i + RAYS_PER_CHUNK] for i in range(0, len(rays), RAYS_PER_CHUNK))
    ]
    rgba = torch.cat([part.rgba for part in parts])
    depth = torch.cat([part.depth for part in parts]) / rgba[:, 3].clamp_min(1e-6)
    shape = (camera.height, camera.width)
    return View(camera, rgba.reshape(*shape, 4), depth.reshape(shape))
