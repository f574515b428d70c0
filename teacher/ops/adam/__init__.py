"""One step of Adam over a hash table, most of whose rows have no gradient."""

import functools
import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from teacher.errors import UserError
from teacher.ops import launch
from teacher.ops.adam import reference
from teacher.ops.build import Kernels
from teacher.ops.checks import expect

__all__ = ["adam_step"]

_TABLE_WIDTHS = (1, 2, 4, 8)
"""Numbers of features that get a build of their own; all other matrices share one."""


@torch.no_grad()
def adam_step(
    parameter: Float[Tensor, "entries features"],
    gradient: Float[Tensor, "entries features"],
    first: Float[Tensor, "entries features"],
    second: Float[Tensor, "entries features"],
    steps: Int[Tensor, " entries"],
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.99),
    eps: float = 1e-15,
    decay: float = 0.0,
) -> None:
    """Adam (Kingma and Ba 2015, algorithm 1) in place, skipping rows that have no gradient.

    A row whose gradient is all zero was touched by no sample. As in tiny-cuda-nn's `adam.h` its
    values, moments and step count stay as they are: its bias correction starts with its first
    gradient. `eps` is added to the root of the second moment before bias correction.

    Args:
        parameter: what to optimise, [entries, features].
        gradient: of the loss with respect to it.
        first: running mean of the gradient, zero at the start.
        second: running mean of its square, zero at the start.
        steps: how often each row has been updated; int32.
        learning_rate: length of a step.
        betas: what the two running means keep at each step, each in [0, 1).
        eps: tiny, since a table's gradients are.
        decay: L2: `decay * parameter` is added to the gradient of the rows that have one.

    Raises:
        UserError: a tensor's type, shape, device or layout is not what the kernel reads, or a
            beta is not in [0, 1).

    >>> p, m, v = torch.zeros(3, 2, 1)
    >>> steps = torch.zeros(2, dtype=torch.int32)
    >>> adam_step(p, torch.tensor([[7.0], [0.0]]), m, v, steps, 0.01)
    >>> p.flatten(), steps  # the first step has the learning rate's length
    (tensor([-0.0100,  0.0000]), tensor([1, 0], dtype=torch.int32))
    """
    device, shape = parameter.device, tuple(parameter.shape)
    tensors = {"parameter": parameter, "gradient": gradient, "first": first, "second": second}
    for name, value in tensors.items():
        expect(f"adam_step: {name}", value, shape, device)
    expect("adam_step: steps", steps, shape[:1], device, (torch.int32,))
    corrections = _corrections(betas, device)
    state = (parameter, gradient, first, second, steps)
    if launch.backend(device) == "reference":
        return reference.adam_step(*state, learning_rate, betas, eps, decay)
    rows, width = shape
    kernels = Kernels("adam", (("FEATURES", width if width in _TABLE_WIDTHS else 0),))
    rates = map(float, (learning_rate, 1 - betas[0], 1 - betas[1], eps, decay))
    last = len(corrections) - 1
    launch.run(kernels, "adam_step", device, rows, width, *state, corrections, last, *rates)


@functools.cache
def _corrections(betas: tuple[float, float], device: torch.device) -> Float[Tensor, " last_plus_1"]:
    """The bias corrections by step count, up to where they are 1 in float32."""
    if not all(0 <= beta < 1 for beta in betas):
        raise UserError("adam_step: betas", str(betas), "two numbers in [0, 1)", "correct them")
    slowest = max(*betas, 1e-9)
    last = math.ceil(math.log(2**-26) / math.log(slowest))
    table = reference.corrections(betas, torch.arange(last + 1).clamp_min(1))
    return table.float().to(device)
