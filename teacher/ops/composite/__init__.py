"""Volume rendering: density and colour of packed samples to colour, alpha and depth of rays."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from teacher.ops import launch
from teacher.ops.build import Kernels
from teacher.ops.checks import expect
from teacher.ops.composite import reference
from teacher.ops.composite.reference import Composite

__all__ = ["Composite", "composite"]


def composite(
    density: Float[Tensor, " samples"],
    colour: Float[Tensor, "samples channels"],
    t_starts: Float[Tensor, " samples"],
    t_ends: Float[Tensor, " samples"],
    offsets: Int[Tensor, " rays_plus_one"],
    early_stop: float = 1e-4,
) -> Composite:
    """Integrate emission and absorption along each ray (Max 1995; NeRF, equation 3).

    Differentiable with respect to `density` and `colour`, through all four outputs; once only.
    `colour` may have no channels, where only weights matter.

    Args:
        density: per unit length, >= 0, [samples].
        colour: any number of channels, [samples, channels].
        t_starts: where each sample's interval begins, along the unit direction.
        t_ends: where it ends.
        offsets: ray i owns samples `offsets[i]:offsets[i + 1]`, in increasing t; int32.
        early_stop: samples behind a transmittance below this get weight exactly zero.

    Returns:
        Premultiplied colour, alpha and un-normalised depth of each ray, weight of each sample.

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernel reads.

    >>> log2 = torch.full((2,), 0.693147)  # two intervals of length 1, each halving the light
    >>> t, offsets = torch.arange(3.0), torch.tensor([0, 2], dtype=torch.int32)
    >>> result = composite(log2, torch.ones(2, 1), t[:-1], t[1:], offsets)
    >>> result.weights, result.alpha, result.depth  # 0.5 * 0.5 + 0.25 * 1.5
    (tensor([0.5000, 0.2500]), tensor([0.7500]), tensor([0.6250]))
    """
    device, samples = density.device, density.shape[0]
    for name, value in {"density": density, "t_starts": t_starts, "t_ends": t_ends}.items():
        expect(f"composite: {name}", value, (samples,), device)
    expect("composite: colour", colour, (samples, "channels"), device)
    expect("composite: offsets", offsets, ("rays + 1",), device, (torch.int32,))
    inputs = (density, colour, t_starts, t_ends, offsets, float(early_stop))
    if launch.backend(device) == "reference":
        return reference.composite(*inputs)
    return Composite(*_Composite.apply(*inputs))


def _kernels(channels: int) -> Kernels:
    return Kernels("composite", (("CHANNELS", channels),))


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, ...]:
        density, colour, offsets = inputs[0], inputs[1], inputs[4]
        rays, channels = len(offsets) - 1, colour.shape[1]
        outputs = (
            density.new_empty(rays, channels),
            density.new_empty(rays),
            density.new_empty(rays),
            torch.zeros_like(density),  # no ray owns what is left of a fixed capacity
        )
        kernels = _kernels(channels)
        launch.run(kernels, "composite_forward", density.device, rays, *inputs, *outputs)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs[:5], outputs[3])
        ctx.early_stop = inputs[5]
        return outputs

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the decorator hides names
        ctx: Any, *grads: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        *inputs, weights = ctx.saved_tensors
        density, colour, offsets = inputs[0], inputs[1], inputs[4]
        cotangents = [grad if grad is None else grad.contiguous() for grad in grads]
        density_grad, colour_grad = torch.zeros_like(density), torch.zeros_like(colour)
        arguments = (*inputs, ctx.early_stop, weights, *cotangents, density_grad, colour_grad)
        kernels, rays = _kernels(colour.shape[1]), len(offsets) - 1
        launch.run(kernels, "composite_backward", density.device, rays, *arguments)
        return density_grad, colour_grad, None, None, None, None
