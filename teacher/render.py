"""Volume rendering: rays, sampler and field to premultiplied colour, alpha and depth.

rays --sampler--> samples worth shading --field.radiance--> density, colour --composite--> Rendering
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera, Cameras
from teacher.fields.base import Field, Query
from teacher.ops.composite import composite
from teacher.ops.trace import Traced
from teacher.pseudo.view import View
from teacher.rays import Rays
from teacher.samplers.base import RaySampler, RenderConfig, Sampler, Sampling, Tracer

RAYS_PER_CHUNK = 1 << 13


@dataclass(frozen=True)
class Rendering:
    """What rays see; `depth` is the sum of weight * distance, not divided by alpha."""

    rgba: Float[Tensor, "rays 4"]
    depth: Float[Tensor, " rays"]
    weights: Float[Tensor, " samples"]
    sampling: Sampling


def render_rays(
    field: Field,
    sampler: Sampler,
    rays: Rays,
    codes: Float[Tensor, "rays codes"],
    jitter: Float[Tensor, " rays"],
    config: RenderConfig,
) -> Rendering:
    """Render `rays`; differentiable in the field's parameters, in the rays and in the codes."""
    sampling = sampler.sample(field, rays, jitter, config)
    samples = sampling.samples
    index = samples.ray_indices.long()
    query = Query(samples.midpoints(rays), rays.directions[index], codes[index])
    density, colour = field.radiance(query)
    if config.shy:
        distance = 0.5 * (samples.t_starts + samples.t_ends)
        density, colour = _ScaleGradient.apply(density, colour, (distance / config.shy).square())
    rgb, alpha, depth, weights = composite(
        density, colour, samples.t_starts, samples.t_ends, samples.offsets, config.early_stop
    )
    return Rendering(torch.cat([rgb, alpha[:, None]], -1), depth, weights, sampling)


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
def render_view(
    field: Field,
    sampler: Sampler,
    camera: Camera,
    code: Float[Tensor, " codes"],
    config: RenderConfig,
) -> View:
    """The whole picture of `camera` with the appearance `code`, samples in the middle of their steps (no jitter).

    Rendered where the code is; the view comes back on the CPU. Rays that cannot meet anything cost nothing.
    """
    rays = Cameras.stack([camera]).to(code.device).image_rays(0)
    reached = sampler.reached(rays) if isinstance(sampler, RaySampler) else None
    seen = _seen(field, sampler, rays if reached is None else rays[reached], code, config)
    rgba, depth = seen.rgba, seen.depth / seen.rgba[:, 3].clamp_min(1e-6)
    if reached is not None:
        rgba = rgba.new_zeros(len(rays), 4).masked_scatter_(reached[:, None], rgba)
        depth = depth.new_zeros(len(rays)).masked_scatter_(reached, depth)
    shape = (camera.height, camera.width)
    return View(camera, rgba.reshape(*shape, 4).cpu(), depth.reshape(shape).cpu())


def _seen(
    field: Field, sampler: Sampler, rays: Rays, code: Float[Tensor, " codes"], config: RenderConfig
) -> Traced:
    """What rays see, all with one code and no jitter."""
    codes, jitter = code.expand(len(rays), -1), torch.full((len(rays),), 0.5, device=code.device)
    traced = None
    if isinstance(sampler, Tracer):
        traced = sampler.trace(field, rays, codes.contiguous(), jitter, config)
    return traced or _see(field, sampler, rays, codes, jitter, replace(config, capacity=None))


def _see(
    field: Field,
    sampler: Sampler,
    rays: Rays,
    codes: Float[Tensor, "rays codes"],
    jitter: Float[Tensor, " rays"],
    config: RenderConfig,
) -> Traced:
    """What rays see, by way of their samples: a part of the rays at a time."""
    starts = range(0, max(1, len(rays)), RAYS_PER_CHUNK)  # no rays are one empty chunk
    chunks = [slice(i, i + RAYS_PER_CHUNK) for i in starts]
    parts = [
        render_rays(field, sampler, rays[chunk], codes[chunk], jitter[chunk], config)
        for chunk in chunks
    ]
    looked = torch.stack([torch.as_tensor(part.sampling.candidates) for part in parts]).sum()
    rgba = torch.cat([part.rgba for part in parts])
    return Traced(rgba, torch.cat([part.depth for part in parts]), looked)
