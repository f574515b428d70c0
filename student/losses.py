"""What a student is taught with: colour over a random background, alpha and depth."""

from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from student.models.base import LightFieldOutput

_LOGIT_LIMIT = 1e-5  # keeps the cross-entropy of a saturated alpha finite


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms beside the colour's mean squared error, whose weight is 1."""

    alpha: float = 0.006
    """Binary cross-entropy between alpha and the teacher's alpha."""
    depth: float = 0.03
    """Mean absolute difference of depth in norm units, weighted with the teacher's alpha."""


def distillation_loss(
    output: LightFieldOutput,
    rgba: Float[Tensor, "batch 4 height width"],
    depth: Float[Tensor, "batch 1 height width"],
    background: Float[Tensor, "batch 3 1 1"],
    config: LossConfig,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Loss of a student's pictures against the teacher's, and the colour's MSE within it.

    Args:
        output: the student's pictures.
        rgba: the teacher's, premultiplied.
        depth: the teacher's, along unit rays; ignored where nothing is hit.
        background: a colour for each picture; random ones make alpha matter wherever colour does.
        config: weights of the terms.
    """
    mse = F.mse_loss(over(output.rgba, background), over(rgba, background))
    alpha = rgba[:, 3:]
    opacity = F.binary_cross_entropy(
        output.rgba[:, 3:].clamp(_LOGIT_LIMIT, 1 - _LOGIT_LIMIT), alpha
    )
    distance = ((output.depth - depth).abs() * alpha).mean()
    return mse + config.alpha * opacity + config.depth * distance, mse


def over(
    rgba: Float[Tensor, "batch 4 height width"], background: Float[Tensor, "batch 3 1 1"]
) -> Float[Tensor, "batch 3 height width"]:
    """Premultiplied `rgba` over an opaque background: `composite_over`, channels first."""
    return rgba[:, :3] + (1 - rgba[:, 3:]) * background
