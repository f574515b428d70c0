"""What a student is taught with: colour over a random background, alpha and depth."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from student.lessons import Lesson
from student.models.base import LightFieldOutput

_LOGIT_LIMIT = 1e-5  # keeps the cross-entropy of a saturated alpha finite


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms beside the colour's mean squared error, whose weight is 1."""

    alpha: float = 0.006
    """Binary cross-entropy between alpha and the teacher's alpha."""
    depth: float = 0.03
    """Mean absolute difference of depth in norm units, weighted with the teacher's alpha; of a guess
    and of what it is corrected to, half each.
    """
    far: float | None = None
    """Norm units from which on depth counts by one over itself, see `squeezed`; None: where the
    teacher has no bounds, the side of the box, else nowhere.
    """


class Losses(NamedTuple):
    """Of each picture, so that a batch can be computed in parts: sums of these are its sums."""

    total: Float[Tensor, " batch"]
    """What is minimised."""
    mse: Float[Tensor, " batch"]
    """The colour's mean squared error within it, over all pixels; those not kept count as 0."""


def distillation_loss(
    output: LightFieldOutput,
    lesson: Lesson,
    background: Float[Tensor, "batch 3 1 1"],
    config: LossConfig,
) -> Losses:
    """Losses of a student's pictures against those of `lesson`.

    Args:
        output: the student's pictures.
        lesson: what they should be. Its depth is ignored where nothing is hit.
        background: a colour for each picture; random ones make alpha matter wherever colour does.
        config: weights of the terms.
    """
    pixels, alpha, kept = (1, 2, 3), lesson.rgba[:, 3:], lesson.kept
    difference = over(output.rgba, background) - over(lesson.rgba, background)
    mse = (kept * difference.square()).mean(pixels)
    opacity = F.binary_cross_entropy(
        output.rgba[:, 3:].clamp(_LOGIT_LIMIT, 1 - _LOGIT_LIMIT), alpha, reduction="none"
    )
    guesses = [output.depth] if output.guess is None else [output.depth, output.guess]
    expected = squeezed(lesson.depth, config.far)
    distances = [(squeezed(guess, config.far) - expected).abs() for guess in guesses]
    distance = sum(distances) / len(guesses) * alpha
    shape = kept * lesson.shape * (config.alpha * opacity + config.depth * distance)
    return Losses(mse + shape.mean(pixels), mse)


def squeezed(depth: Float[Tensor, "*shape"], far: float | None) -> Float[Tensor, "*shape"]:
    """Depth as it is up to `far`, then in ever smaller steps towards 2 `far`: that of the sky, whatever it is."""
    if far is None:
        return depth
    return torch.where(depth <= far, depth, far * (2 - far / depth.clamp_min(far)))


def over(
    rgba: Float[Tensor, "batch 4 height width"], background: Float[Tensor, "batch 3 1 1"]
) -> Float[Tensor, "batch 3 height width"]:
    """Premultiplied `rgba` over an opaque background: `composite_over`, channels first."""
    return rgba[:, :3] + (1 - rgba[:, 3:]) * background
