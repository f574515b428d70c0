"""Students as functions: sizes, parameters, ranges, crops, export forms and costs."""

import pytest
import torch

from student.budget import count_budget
from student.models.base import LightField, crop_intrinsics
from student.models.blocks import ResidualBlock, Upsampling, upsample
from student.models.light_slab import LightSlabConfig
from student.models.mobile_r2l import MobileR2LConfig, PlanePoints
from student.models.surface_guided import SurfaceGuided
from student.presets import PAPER, PRESETS
from teacher.cameras import look_at
from tests.student.toys import toy

BOX = torch.tensor([[-1.0, -0.8, -0.5], [1.0, 0.8, 0.5]])
SMALL = {
    "tiny": toy(points=4),
    "mobile_r2l": MobileR2LConfig(width=16, blocks=2, channels=(8, 8, 8)),
    "light_slab, sphere": LightSlabConfig(
        planes=(8, 16), features=2, width=16, blocks=1, channels=(8, 8, 8)
    ),
    "light_slab, slabs": LightSlabConfig(
        "slabs", planes=(8, 16), features=2, width=16, blocks=1, channels=(8, 8, 8)
    ),
    "mobile_r2l_paper": MobileR2LConfig(
        sampling="planes",
        width=16,
        blocks=2,
        activation="gelu",
        norm="batch",
        stages="transposed",
        channels=(8, 8, 8),
    ),
}
EVERY = pytest.mark.parametrize("name", SMALL)


def _model(name: str) -> LightField:
    torch.manual_seed(0)
    model = SMALL[name].build(BOX)
    for parameter in model.parameters():  # residual blocks start as the identity: wake them up
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def _cameras() -> tuple[torch.Tensor, torch.Tensor]:
    positions = torch.tensor([[0.0, -3.0, 1.0], [2.0, 2.0, 0.5]])
    poses = torch.stack([look_at(p, torch.zeros(3)) for p in positions])
    return poses, torch.tensor([[1.2, 1.3, 0.5, 0.45], [1.4, 1.4, 0.55, 0.5]])


def _parameters(model: LightField) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_paper_preset_has_the_papers_parameters() -> None:
    """4 305 539 with RGB alone; alpha and depth add two rows of 16 weights and a bias."""
    with torch.device("meta"):
        model = PAPER.build(torch.zeros(2, 3))
    assert _parameters(model) - 2 * (16 + 1) == 4_305_539


def test_the_paper_preset_has_the_papers_cost() -> None:
    """50.64 GMAC for 800 x 800 with three outputs, counted by hand."""
    layer = PAPER.build(BOX)
    found = count_budget(layer, (160, 160)).gflop * 25
    extra = 2 * 2 * 16 * 800 * 800 / 1e9
    assert found - extra == pytest.approx(2 * 50.64, rel=2e-4)


@EVERY
@pytest.mark.parametrize("size", [(16, 16), (24, 40)])
def test_pictures_have_the_size_asked_for_and_values_in_range(
    name: str, size: tuple[int, int]
) -> None:
    """RGBA is premultiplied, within [0, 1], and depth lies between the camera and the far side."""
    with torch.no_grad():
        rgba, depth, _ = _model(name)(*_cameras(), size)
    assert rgba.shape == (2, 4, *size)
    assert depth.shape == (2, 1, *size)
    assert rgba.min() >= 0 and rgba.max() <= 1
    assert (rgba[:, :3] <= rgba[:, 3:]).all()
    assert depth.min() >= 0 and depth.max() < 6


@EVERY
def test_the_export_form_computes_the_same(name: str) -> None:
    model = _model(name)
    with torch.no_grad():
        expected, found = model(*_cameras(), (24, 40)), model.for_export()(*_cameras(), (24, 40))
    torch.testing.assert_close(found.rgba, expected.rgba, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.depth, expected.depth, atol=1e-5, rtol=0)


def test_export_leaves_the_model_as_it_is() -> None:
    model = _model("tiny").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    exported = model.for_export()
    assert model.training and not exported.training
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@EVERY
def test_batch_entries_do_not_mix(name: str) -> None:
    model, (poses, intrinsics) = _model(name), _cameras()
    with torch.no_grad():
        both = model(poses, intrinsics, (16, 16))
        alone = model(poses[1:], intrinsics[1:], (16, 16))
    torch.testing.assert_close(both.rgba[1:], alone.rgba, atol=1e-6, rtol=1e-5)


@EVERY
def test_a_crop_by_intrinsics_is_the_crop_of_the_picture(name: str) -> None:
    """Away from the crop's border, by as many rays as the network mixes (one here), nothing
    changes.
    """
    model, (poses, intrinsics) = _model(name), _cameras()
    u = model.upsampling
    size, corner, part = (6 * u, 8 * u), (u, 2 * u), (4 * u, 5 * u)
    with torch.no_grad():
        whole = model(poses, intrinsics, size)
        crop = model(poses, crop_intrinsics(intrinsics, size, corner, part), part)
    expected = whole.rgba[:, :, 2 * u : 4 * u, 3 * u : 6 * u]
    torch.testing.assert_close(crop.rgba[:, :, u:-u, u:-u], expected, atol=1e-4, rtol=0)


def test_without_mixing_a_crop_is_exact_up_to_its_border() -> None:
    """With 1x1 convolutions alone, each block of pixels depends on its own ray only."""
    model, (poses, intrinsics) = _model("tiny"), _cameras()
    assert isinstance(model, SurfaceGuided)
    torch.nn.init.zeros_(model.mix.weight)
    u = model.upsampling
    part = crop_intrinsics(intrinsics, (4 * u, 4 * u), (0, u), (2 * u, 2 * u))
    with torch.no_grad():
        whole = model(poses, intrinsics, (4 * u, 4 * u))
        crop = model(poses, part, (2 * u, 2 * u))
    torch.testing.assert_close(crop.rgba, whole.rgba[:, :, : 2 * u, u : 3 * u], atol=2e-5, rtol=0)


@pytest.mark.parametrize("kind", ["transposed", "shuffle", "resize"])
@pytest.mark.parametrize("factor", [2, 3])
def test_upsampling_keeps_pictures_where_they_are(kind: Upsampling, factor: int) -> None:
    """Half-pixel alignment: mirrored input (and kernel) gives mirrored output, so nothing is
    shifted.
    """
    torch.manual_seed(0)
    stage = upsample(kind, 1, 1, factor, 3)
    for layer in stage.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            torch.nn.init.constant_(layer.weight, 0.3)
            torch.nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
    x = torch.randn(1, 1, 5, 6)
    with torch.no_grad():
        assert stage(x).shape == (1, 1, 5 * factor, 6 * factor)
        torch.testing.assert_close(stage(x).flip(2, 3), stage(x.flip(2, 3)))


def test_a_residual_block_starts_as_the_identity() -> None:
    x = torch.randn(1, 8, 3, 3)
    torch.testing.assert_close(ResidualBlock(8)(x), x)


def test_plane_points_jitter_within_their_strata_in_training_only() -> None:
    """In evaluation the points are the planes; in training each lies half-way to its neighbours at
    most.
    """
    sampler = PlanePoints(8)
    camera = (*_cameras(), (3, 3), BOX)
    planes = sampler.eval()(*camera)
    torch.testing.assert_close(planes, sampler(*camera))
    jittered = sampler.train()(*camera)
    assert not torch.equal(jittered, planes)
    moved = (jittered - planes).norm(dim=2)
    step = (planes[:, 1:] - planes[:, :-1]).norm(dim=2)[:, :1]
    assert (moved <= 0.5 * step * (1 + 1e-4)).all()
    assert moved.max() > 0.4 * step.min()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_build_and_say_what_they_cost(name: str) -> None:
    model = PRESETS[name][1].model.build(BOX)
    size = (4 * model.upsampling, 4 * model.upsampling)
    budget = count_budget(model, size)
    assert budget.parameters == _parameters(model)
    assert f"per {size[1]}x{size[0]} frame" in str(budget)
