"""Adam with skipped rows in plain torch: the op's definition and fallback.

Letters: p = parameter, g = gradient, m, v = its running mean and mean square, s = the row's steps.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


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
    """As `teacher.ops.adam_step`, for any device and floating type."""
    rows = gradient.ne(0).any(1).nonzero()[:, 0]
    p, s = parameter[rows], steps[rows] + 1
    g = gradient[rows] + decay * p
    m = first[rows].lerp(g, 1 - betas[0])
    v = second[rows].lerp(g.square(), 1 - betas[1])
    rate = learning_rate * corrections(betas, s).to(p)
    parameter[rows] = p - rate[:, None] * m / (v.sqrt() + eps)
    first[rows], second[rows], steps[rows] = m, v, s


def corrections(betas: tuple[float, float], s: Int[Tensor, " rows"]) -> Float[Tensor, " rows"]:
    """What makes up for m and v starting at zero, as a factor of the learning rate (section 2)."""
    s = s.double()
    return (1 - betas[1] ** s).sqrt() / (1 - betas[0] ** s)
