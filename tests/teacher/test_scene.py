"""Compositing and premultiplication."""

import numpy as np
import pytest
import torch

from teacher.scene import composite_over, premultiply


def test_premultiplying_scales_colour_by_alpha_and_keeps_alpha() -> None:
    rgba = np.array([[255, 51, 0, 255], [255, 51, 0, 51], [255, 51, 0, 0]], np.uint8)
    expected = torch.tensor([[1, 0.2, 0, 1], [0.2, 0.04, 0, 0.2], [0, 0, 0, 0]])
    torch.testing.assert_close(premultiply(rgba), expected)


@pytest.mark.parametrize("background", [1.0, torch.tensor([0.2, 0.4, 0.6])])
def test_opaque_hides_and_transparent_shows_the_background(
    background: torch.Tensor | float,
) -> None:
    rgba = torch.tensor([[0.3, 0.5, 0.7, 1.0], [0.0, 0.0, 0.0, 0.0]])
    opaque, transparent = composite_over(rgba, background)
    torch.testing.assert_close(opaque, rgba[0, :3])
    torch.testing.assert_close(transparent, torch.as_tensor(background).expand(3))


def test_compositing_in_two_steps_equals_compositing_the_composite() -> None:
    """Over is associative (Porter and Duff 1984): a over (b over c) = (a over b) over c."""
    a, b = torch.tensor([[0.1, 0.2, 0.05, 0.4], [0.3, 0.0, 0.3, 0.6]])
    c = torch.tensor([0.9, 0.8, 0.1])
    a_over_b = torch.cat([composite_over(a, b[:3]), (a[3:] + (1 - a[3]) * b[3:])])
    torch.testing.assert_close(composite_over(a, composite_over(b, c)), composite_over(a_over_b, c))
