"""The regulariser that gathers a ray's weights in one place."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from teacher.ops import launch
from teacher.ops.build import Kernels
from teacher.ops.checks import expect
from teacher.ops.distortion import reference

__all__ = ["distortion"]

_KERNELS = Kernels("distortion")


def distortion(
    weights: Float[Tensor, " samples"],
    t_starts: Float[Tensor, " samples"],
    t_ends: Float[Tensor, " samples"],
    offsets: Int[Tensor, " rays_plus_one"],
) -> Float[Tensor, " rays"]:
    """How far each ray's weights are spread (mip-NeRF 360, equation 15).

    With m the middles of the intervals: sum over i, j of w_i w_j |m_i - m_j|, plus 1/3 sum over i
    of w_i² (t_end - t_start), in the units of t; by sweeps, in linear time (as DVGO v2 does).
    Differentiable with respect to `weights`, once only.

    Args:
        weights: of the samples, as `composite` gives them, [samples].
        t_starts: where each sample's interval begins; middles increase along a ray.
        t_ends: where it ends.
        offsets: ray i owns samples `offsets[i]:offsets[i + 1]`; int32.

    Returns:
        The distortion of each ray, zero for one without samples, [rays].

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernel reads.

    >>> w, t = torch.tensor([0.5, 0.25]), torch.tensor([0.0, 1.0, 4.0])  # middles 0.5 and 2.5
    >>> distortion(w, t[:-1], t[1:], torch.tensor([0, 2], dtype=torch.int32))
    tensor([0.6458])
    """
    device, samples = weights.device, weights.shape[0]
    for name, value in {"weights": weights, "t_starts": t_starts, "t_ends": t_ends}.items():
        expect(f"distortion: {name}", value, (samples,), device)
    expect("distortion: offsets", offsets, ("rays + 1",), device, (torch.int32,))
    if launch.backend(device) == "reference":
        return reference.distortion(weights, t_starts, t_ends, offsets)
    spread = _Distortion.apply(weights, t_starts, t_ends, offsets)
    assert isinstance(spread, Tensor)
    return spread


class _Distortion(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        weights, offsets = inputs[0], inputs[3]
        rays = len(offsets) - 1
        spread = weights.new_empty(rays)
        launch.run(_KERNELS, "distortion_forward", weights.device, rays, *inputs, spread)
        ctx.save_for_backward(*inputs)
        return spread

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the decorator hides names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        inputs = ctx.saved_tensors
        weights, offsets = inputs[0], inputs[3]
        weights_grad = torch.zeros_like(weights)  # no ray owns what is left of a fixed capacity
        arguments = (*inputs, grads[0].contiguous(), weights_grad)
        rays = len(offsets) - 1
        launch.run(_KERNELS, "distortion_backward", weights.device, rays, *arguments)
        return weights_grad, None, None, None
