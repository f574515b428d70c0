"""Training losses of the teacher. Every one is a mean over rays, so that batches of any size weigh the same."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.ops.distortion import distortion
from teacher.render import Rendering
from teacher.samplers.base import Proposal
from teacher.samplers.histogram import outer_mass
from teacher.scene import composite_over

_LEAST_WEIGHT = 1e-7


@dataclass(frozen=True)
class LossConfig:
    """Weights of the loss terms; PSNR is always reported from the plain squared error."""

    huber: float = 0.1
    """Colour errors above this count linearly (Huber), below quadratically."""
    distortion: float = 1e-3
    """Weight of mip-NeRF 360's distortion loss: pulls a ray's weights together (equation 15)."""
    interlevel: float = 1.0
    """Weight of mip-NeRF 360's proposal loss; only a sampler that makes proposals has it, and only its parameters."""
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


def interlevel_loss(
    proposal: Proposal,
    edges: Float[Tensor, "rays intervals_plus_one"],
    weights: Float[Tensor, "rays intervals"],
) -> Float[Tensor, " rays"]:
    """What a proposal misses of the final weights of each ray (mip-NeRF 360, equation 13).

    Zero where no interval has more weight than all intervals of the proposal that overlap it. The gradient goes to the
    proposal alone: it follows the field, the field does not wait for it.
    """
    w = weights.detach()
    excess = (w - outer_mass(proposal.edges, proposal.weights, edges)).clamp_min(0)
    return (excess.square() / w.clamp_min(_LEAST_WEIGHT)).sum(1)


def _histogram(rendering: Rendering) -> tuple[Tensor, Tensor]:
    """Edges and weights of a rendering whose rays all have the same number of samples."""
    edges = rendering.sampling.edges
    assert edges is not None, "a sampler that makes proposals gives its samples' edges"
    return edges, rendering.weights.reshape(len(edges), -1)


def _spread(rendering: Rendering) -> Float[Tensor, " rays"]:
    """The distortion of each ray, in the sampler's own coordinate if it has one: far away, distances hardly count."""
    sampling = rendering.sampling
    starts, ends = sampling.samples.t_starts, sampling.samples.t_ends
    if sampling.edges is not None:
        starts, ends = sampling.edges[:, :-1].reshape(-1), sampling.edges[:, 1:].reshape(-1)
    return distortion(rendering.weights, starts, ends, sampling.samples.offsets)


def total_loss(
    rendering: Rendering,
    target: Float[Tensor, "rays 4"],
    background: Float[Tensor, "rays 3"],
    config: LossConfig,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The loss to minimise, and the mean squared colour error for the log (without gradient).

    Rendering and target (premultiplied RGBA) are put over the same `background`: where the target is transparent,
    only alpha 0 matches a background that is random. Means are over the rays before any that did not
    fit into the batch.
    """
    truth = composite_over(target, background)
    rgba, share = _complete_rays(rendering, truth)
    predicted = composite_over(rgba, background)
    loss = colour_loss(predicted, truth, config.huber)
    if config.opacity:
        loss = loss + config.opacity * opacity_entropy(rgba[:, 3])
    if config.distortion:
        loss = loss + config.distortion * _spread(rendering).mean()
    for proposal in rendering.sampling.proposals:
        held = interlevel_loss(proposal, *_histogram(rendering))
        loss = loss + config.interlevel * held.mean()
    return loss / share, (predicted - truth).detach().square().mean() / share


def _complete_rays(
    rendering: Rendering, truth: Float[Tensor, "rays 3"]
) -> tuple[Float[Tensor, "rays 4"], Float[Tensor, ""] | float]:
    """What rays see, and which share of them is before any that did not fit into the batch.

    The others are given the right answer, so that they add nothing to a mean over rays and have no gradient: leaving
    them out would take a look at which they are.
    """
    complete = rendering.sampling.samples.before_overflow()
    if complete is None:
        return rendering.rgba, 1.0
    right = torch.nn.functional.pad(truth, (0, 1), value=1.0)
    share = complete.sum().clamp_min(1) / len(complete)
    return torch.where(complete[:, None], rendering.rgba, right), share
