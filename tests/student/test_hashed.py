"""Hash features of a student: the op's own numbers, the export form's, and the graph's."""

import pytest
import torch
from torch import nn

from student.models.hashed import HashFeatures, rounded, with_rounded_tables
from teacher.ops.hash_encode import HashGrid, reference

DENSE = HashGrid(levels=1, features=4, log2_size=17, base=48, finest=48)
HASHED = HashGrid(levels=5, features=2, log2_size=10, base=4, finest=300)
EVERY = pytest.mark.parametrize("grid", [DENSE, HASHED], ids=["dense", "hashed"])


def _features(grid: HashGrid) -> HashFeatures:
    torch.manual_seed(0)
    features = HashFeatures(grid)
    torch.nn.init.normal_(features.table)
    return features.eval()


def _points() -> torch.Tensor:
    """Two pictures of 3 x 5 pixels, four points each; corners of the cube and beyond among them."""
    points = torch.rand(2, 4, 3, 3, 5, generator=torch.Generator().manual_seed(1)) * 2 - 1
    points[0, 0, :, 0, 0], points[1, 3, :, 2, 4] = 1.0, -1.0
    points[0, 1, :, 1, 1] = 1.7
    return points


@EVERY
def test_channels_are_the_points_features_one_point_after_another(grid: HashGrid) -> None:
    features, points = _features(grid), _points()
    with torch.no_grad():
        found = features(points)
        for b, k, y, x in ((0, 0, 0, 0), (1, 3, 2, 4), (0, 2, 1, 3)):
            unit = 0.5 * points[b, k, :, y, x][None] + 0.5
            expected = reference.hash_encode(unit, features.table, grid)[0]
            one = found[b, k * features.channels : (k + 1) * features.channels, y, x]
            torch.testing.assert_close(one, expected, atol=1e-5, rtol=1e-5)


@EVERY
def test_the_export_form_reads_the_same_numbers(grid: HashGrid) -> None:
    """With 32-bit integers alone; tests/export runs the graph."""
    features, points = _features(grid), _points()
    with torch.no_grad():
        expected = features(points)
        torch.testing.assert_close(features.exported()(points), expected, atol=1e-5, rtol=1e-5)


def test_features_lead_back_to_points() -> None:
    """The student learns where to look: finite differences within a cell."""
    features, points = _features(HASHED), _points()[:1, :1].clamp(-0.9, 0.9).requires_grad_()
    torch.manual_seed(2)
    weights = torch.randn(1, features.channels, 3, 5)
    (gradient,) = torch.autograd.grad((features(points) * weights).sum(), points)
    step = torch.zeros_like(points)
    step[0, 0, 1, 2, 2] = 1e-4
    with torch.no_grad():
        change = ((features(points + step) - features(points - step)) * weights).sum() / 2e-4
    assert float(gradient[0, 0, 1, 2, 2]) == pytest.approx(float(change), rel=2e-2, abs=1e-2)


def test_what_is_saved_has_the_tables_that_are_shipped() -> None:
    """All tables, nothing else, and the weights in training stay as they are."""
    model = nn.Sequential(nn.Conv2d(3, 3, 1), _features(DENSE), _features(HASHED))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    saved = with_rounded_tables(model, model.state_dict())
    for name, tensor in before.items():
        expected = tensor.half().float() if name.endswith("table") else tensor
        assert torch.equal(saved[name], expected)
        assert torch.equal(model.state_dict()[name], tensor)
    assert not torch.equal(saved["1.table"], before["1.table"])
    assert torch.equal(rounded(saved["2.table"]), saved["2.table"])
