"""Feature grids: interpolation by its definition, the two implementations against each other."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from student.models.grids import PLANES, VOLUME, FeatureGrids

AXES = pytest.mark.parametrize("axes", [PLANES, VOLUME], ids=["planes", "volume"])


def _grids(
    axes: tuple[tuple[int, ...], ...], resolutions: tuple[int, ...] = (3, 8)
) -> FeatureGrids:
    torch.manual_seed(0)
    grids = FeatureGrids(axes, resolutions, features=2)
    for grid in grids.grids:
        torch.nn.init.normal_(grid)
    return grids


def _points(count: int) -> torch.Tensor:
    """[2, count, 3, 4, 5] points, corners, faces and nodes among them."""
    torch.manual_seed(1)
    points = (2.5 * torch.rand(2, count, 3, 4, 5) - 1.25).clamp(-1, 1)
    points[0, 0, :, 0, :3] = torch.tensor([[-1.0, 1.0, 0.0], [1.0, 1.0, -1.0], [0.5, -1.0, 1.0]]).T
    return points


@AXES
def test_gathers_equal_grid_sample(axes: tuple[tuple[int, ...], ...]) -> None:
    """The export form computes the same function, at nodes, faces and corners too."""
    grids, points = _grids(axes), _points(6)
    torch.testing.assert_close(grids.exported()(points), grids(points), atol=2e-6, rtol=1e-5)


@AXES
def test_a_linear_function_is_reproduced(axes: tuple[tuple[int, ...], ...]) -> None:
    """Nodes that hold a linear function of their coordinates give it back between them."""
    grids, points = _grids(axes, (4,)), _points(3)
    line = torch.linspace(-1, 1, 4)
    mesh = torch.meshgrid(*[line] * len(axes[0]), indexing="ij")
    slopes = (0.5, -2.0, 3.0)[: len(axes[0])]
    # grids are stored with the first axis running fastest, that is last
    value = sum(slope * m for slope, m in zip(slopes, reversed(mesh), strict=True))
    with torch.no_grad():
        grids.grids[0][:, 0] = value
        grids.grids[0][:, 1] = 1.0
    found = grids(points).view(2, len(axes), 2, 3, 4, 5)
    for number, axis in enumerate(axes):
        expected = sum(s * points[:, :, i] for s, i in zip(slopes, axis, strict=True))
        torch.testing.assert_close(found[:, number, 0], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[:, :, 1], torch.ones(2, len(axes), 3, 4, 5))


@AXES
def test_points_keep_to_themselves(axes: tuple[tuple[int, ...], ...]) -> None:
    """Channel c * points + k is feature c of point k: evaluated alone, a point gives the same."""
    grids, points = _grids(axes), _points(4)
    together = grids(points).view(2, grids.channels, 4, 4, 5)
    for k in range(4):
        torch.testing.assert_close(grids(points[:, k : k + 1]), together[:, :, k])


@AXES
def test_the_export_form_has_no_grid_sample_and_no_wide_integers(
    axes: tuple[tuple[int, ...], ...],
) -> None:
    """WebGPU has neither; every integer on the way is int32."""
    exported, names, kinds = _grids(axes).exported(), [], set()

    class Spy(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            names.append(func.name())
            kinds.update(value.dtype for value in tree_leaves(result))
            return result

    with Spy():
        exported(_points(2))
    assert not any("grid_sampler" in name or "round" in name for name in names)
    assert kinds == {torch.float32, torch.int32}
