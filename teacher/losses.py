"""Training losses of the teacher. Every one is a mean over rays, so that batches of any size weigh the same."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.ops.distortion import distortion
from teacher.render import Rendering
from teacher.scene import composite_over


@dataclass(frozen=True)
class LossConfig:
    """Weights of the loss terms; PSNR is always reported from the plain squared error."""

    huber: float = 0.1
    """Colour errors above this count linearly (Huber), below quadratically."""
    distortion: float = 1e-3
    """Weight of mip-NeRF 360's distortion loss: pulls a ray's weights together (equation 15)."""
    opacity: float = 1e-3
    """Weight of the entropy of alpha: rays should hit something or nothing."""


def colour_loss(
    predicted: Float[Tensor, "rays 3"], target: Float[Tensor, "rays 3"], delta: float
) -> Float[Tensor, ""]:
    """Huber loss scaled so that small errors count as their square."""
    huber = torch.nn.functional.huber_loss(predicted, target, delta=delta)
    return 2 * huber


def opacity_entropy(alpha: Float[Tensor, " rays"]) -> Float[Tensor, ""]:
    """Mean of -a log a: zero at alpha 0 and 1 (ngp_pl's opacity loss)."""
    a = alpha.clamp(1e-6, 1)
    return (-a * a.log()).mean()


def total_loss(
    rendering: Rendering,
    target: Float[Tensor, "rays 4"],
    background: Float[Tensor, "rays 3"],
    config: LossConfig,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The loss to minimise, and the mean squared colour error for the log (without gradient).

    Rendering and target (premultiplied RGBA) are put over the same `background`: where the target is transparent,
    only alpha 0 matches a background that is random.
    """
    predicted = composite_over(rendering.rgba, background)
    truth = composite_over(target, background)
    loss = colour_loss(predicted, truth, config.huber)
    if config.opacity:
        loss = loss + config.opacity * opacity_entropy(rendering.rgba[:, 3])
    if config.distortion:
        s = rendering.sampling.samples
        spread = distortion(rendering.weights, s.t_starts, s.t_ends, s.offsets)
        loss = loss + config.distortion * spread.mean()
    return loss, (predicted - truth).detach().square().mean()
