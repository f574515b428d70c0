"""Where a student reads its features: in a box, or in all of space."""

import pytest
import torch

from student.losses import squeezed
from student.models.encoding import clip_to_box, points_between, to_unit_box
from student.models.space import HORIZON, LEAST, Space
from teacher.fields.domains import Contracted

BOX = torch.tensor([[-1.0, -0.6, -0.3], [0.8, 1.0, 0.5]])
CUBE = torch.tensor([[-2.0, 1.0, -3.0], [2.0, 5.0, 1.0]])
FRACTIONS = torch.linspace(0, 1, 9)


def _rays(count: int, spread: float) -> tuple[torch.Tensor, torch.Tensor]:
    """[1, 3, 1, n]: origins around the cube's middle, directions all round."""
    generator = torch.Generator().manual_seed(0)
    origins = CUBE.mean(0) + spread * torch.randn(count, 3, generator=generator)
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    return origins.T[None, :, None], directions.T[None, :, None]


def test_a_box_is_what_it_was() -> None:
    """Bit for bit the clipped box that students with bounds were trained in."""
    origins, directions = _rays(50, 3.0)
    near, far = clip_to_box(origins, directions, BOX)
    space = Space(BOX)
    assert all(map(torch.equal, space.interval(origins, directions), (near, far)))
    points = points_between(origins, directions, near, far, FRACTIONS)
    found = space.points(origins, directions, near, far, FRACTIONS)
    assert torch.equal(found, to_unit_box(points, BOX))


def test_the_way_beyond_is_even_in_one_over_the_distance() -> None:
    """From the middle along +x the cube ends at 2: half of the ray for it, then out to the horizon."""
    space = Space(CUBE, 0.5)
    origin, direction = CUBE.mean(0)[None, :, None, None], torch.eye(3)[0][None, :, None, None]
    near, far = space.interval(origin, direction)
    assert float(near) == 0 and float(far) == pytest.approx(2)
    fractions = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0])[None, :, None, None]
    found = space.distance(near, far, fractions).flatten()
    middle = 2 / (0.5 + 0.5 / HORIZON)
    torch.testing.assert_close(found, torch.tensor([0.0, 1.0, 2.0, middle, 2 * HORIZON]))
    inverse = 1 / found[2:]
    torch.testing.assert_close(inverse[0] - inverse[1], inverse[1] - inverse[2])


def test_distances_grow_along_every_ray() -> None:
    """Inside the cube, outside of it, and turned away from it."""
    space, (origins, directions) = Space(CUBE, 0.25), _rays(500, 3.0)
    near, far = space.interval(origins, directions)
    distances = space.distance(near, far, FRACTIONS[None, :, None, None].expand(1, 9, 1, 500))
    assert distances.isfinite().all() and (distances >= 0).all()
    assert (distances.diff(dim=1) >= 0).all()
    assert (distances[:, -1] >= HORIZON * LEAST * 2 * 0.999).all()


def test_all_of_space_fits_the_grids() -> None:
    space, (origins, directions) = Space(CUBE, 0.25), _rays(500, 3.0)
    near, far = space.interval(origins, directions)
    points = space.points(origins, directions, near, far, FRACTIONS)
    assert float(points.abs().max()) <= 1
    corners = space.to_unit(CUBE.T[None, None, :, None, :])
    torch.testing.assert_close(corners, torch.tensor([-0.75, 0.75]).expand(1, 1, 3, 1, 2))


def test_it_is_the_teachers_contraction_where_both_leave_half_to_what_is_beyond() -> None:
    cube = torch.tensor([[-1.0] * 3, [1.0] * 3])
    points = 4 * torch.randn(1000, 3, generator=torch.Generator().manual_seed(1))
    found = Space(cube, 0.5).to_unit(points.T[None, None, :, None])[0, 0, :, 0].T
    torch.testing.assert_close(found, 2 * Contracted().to_unit(points) - 1)


def test_depth_far_away_counts_by_one_over_the_distance() -> None:
    depth = torch.tensor([0.0, 1.0, 2.0, 4.0, 1e6])
    expected = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0])
    torch.testing.assert_close(squeezed(depth, 2.0), expected)
    assert squeezed(depth, None) is depth
