"""Half the width and height: the same rays, and what they say of four pixels averaged."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from student.models.base import grid_rays
from student.presets import PRESETS
from tests.bundles import WAVES, wavy

POSE, INTRINSICS = torch.eye(4)[None].clone(), torch.tensor([[1.3, 1.3, 0.5, 0.5]])
POSE[0, 2, 3] = 3.0


def test_the_ray_network_averages_its_pixels() -> None:
    model = wavy(WAVES)
    half = model.at_half_size()
    assert half is not None and half.upsampling == model.upsampling // 2
    with torch.no_grad():
        encoded = model.encode(*grid_rays(POSE, INTRINSICS, (4, 6)))
        expected = F.avg_pool2d(model.predict(encoded), 2)
        torch.testing.assert_close(half.predict(encoded), expected, atol=1e-5, rtol=1e-5)
        picture = half(POSE, INTRINSICS, (8, 12))
        shaded = model.shade(expected, *grid_rays(POSE, INTRINSICS, (8, 12)))
    torch.testing.assert_close(picture.rgba, shaded.rgba, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(picture.depth, shaded.depth, atol=1e-5, rtol=1e-5)


def test_the_model_itself_is_left_alone() -> None:
    model = wavy(WAVES)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.at_half_size()
    assert model.upsampling == WAVES.upsampling
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, before[name], atol=0, rtol=0)


def test_one_pixel_a_ray_cannot_be_halved() -> None:
    assert wavy(replace(WAVES, upsampling=3)).at_half_size() is None


@pytest.mark.parametrize("name", ["mobile_r2l_small", "light_slab_small"])
def test_students_that_work_ray_by_ray_have_none(name: str) -> None:
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    assert PRESETS[name][1].model.build(box).at_half_size() is None
