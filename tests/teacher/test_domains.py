"""Domains: what a contraction must be so that a grid can cover all of space."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from teacher.fields.domains import Contracted, Cube

EXTENTS = pytest.mark.parametrize("extent", [0.25, 1.0, 3.0])
coordinates = st.floats(-50, 50, width=32)
points = st.tuples(coordinates, coordinates, coordinates)


def _directions(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, generator=generator, dtype=torch.float64)


@EXTENTS
def test_inside_its_cube_a_contraction_is_even(extent: float) -> None:
    """As a `Cube` twice as large has it: the inner cube gets the middle half of each axis."""
    inside = (2 * torch.rand(100, 3, generator=torch.Generator().manual_seed(0)) - 1) * extent
    expected = Cube(2 * extent).to_unit(inside)
    assert torch.allclose(Contracted(extent).to_unit(inside), expected, atol=1e-6)


def test_hand_worked_points() -> None:
    """(4, 2, 0) is 4 far: it goes to (2 - 1/4) / 4 of itself, (1.75, 0.875, 0)."""
    unit = Contracted().to_unit(torch.tensor([[4.0, 2.0, 0.0], [0.0, 0.0, -2.0]]))
    assert torch.allclose(4 * unit - 2, torch.tensor([[1.75, 0.875, 0.0], [0.0, 0.0, -1.5]]))


@EXTENTS
def test_infinity_is_the_surface_of_the_cube(extent: float) -> None:
    unit = Contracted(extent).to_unit(_directions(200) * 1e9)
    assert torch.allclose((unit - 0.5).abs().amax(-1), torch.full((200,), 0.5).double(), atol=1e-6)


@EXTENTS
def test_a_contraction_fills_the_cube_and_can_be_undone(extent: float) -> None:
    """Every point of the unit cube is some point of space: the inverse, both ways round."""
    domain = Contracted(extent)
    unit = torch.rand(2000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    unit = 0.5 + (unit - 0.5) * 0.999
    space = domain.to_norm(unit)
    assert float(space.abs().max()) > 50 * extent
    assert torch.allclose(domain.to_unit(space), unit, atol=1e-12)
    assert torch.allclose(domain.to_norm(domain.to_unit(space)), space, rtol=1e-9)


@EXTENTS
def test_a_contraction_is_smooth_where_it_begins(extent: float) -> None:
    """On a face of the inner cube the Jacobian is 1/4 of the identity (per extent), seen from either side."""
    domain = Contracted(extent)
    for step in (-1e-6, 1e-6):
        point = torch.tensor([extent * (1 + step), 0.3 * extent, -0.6 * extent]).double()
        jacobian = torch.func.jacrev(lambda p: domain.to_unit(p[None])[0])(point)
        assert torch.allclose(jacobian, torch.eye(3).double() / (4 * extent), atol=1e-5)


def test_far_away_the_jacobian_shrinks_as_the_paper_says() -> None:
    """Along the axis of m: d(2 - 1/m)/dm = 1/m^2; across it: (2 - 1/m)/m. Both over 4 for the unit cube."""
    m = 5.0
    jacobian = torch.func.jacrev(lambda p: Contracted().to_unit(p[None])[0])(
        torch.tensor([m, 0.0, 0.0]).double()
    )
    across = (2 - 1 / m) / m / 4
    expected = torch.diag(torch.tensor([1 / m**2 / 4, across, across])).double()
    assert torch.allclose(jacobian, expected)


@given(points, points)
def test_a_contraction_never_stretches(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    """In its norm, two points come no farther apart (1/4 for the unit cube's scale) than they were, times 3.

    Along rays from the centre it is 1-Lipschitz; across, the largest coordinate changes the factor of the others by
    at most (2 - 1/m)/m + m * |d/dm (2 - 1/m)/m| < 3.
    """
    p, q = torch.tensor([a]).double(), torch.tensor([b]).double()
    moved = (Contracted().to_unit(p) - Contracted().to_unit(q)).abs().max()
    assert float(moved) <= 3 * 0.25 * float((p - q).abs().max()) + 1e-12


@given(points, st.floats(1.0, 100.0))
def test_farther_away_is_farther_out(direction: tuple[float, ...], factor: float) -> None:
    """Along every ray from the centre the contraction grows, and keeps the direction."""
    p = torch.tensor([direction]).double()
    near, far = Contracted().to_unit(p) - 0.5, Contracted().to_unit(p * factor) - 0.5
    assert float(far.norm()) >= float(near.norm()) - 1e-12
    scale = float(far.norm() * near.norm())
    assert math.isclose(float((far * near).sum()), scale, rel_tol=1e-9, abs_tol=1e-12)


def test_gradients_reach_positions_inside_and_outside() -> None:
    """Against central differences in float64: camera corrections pass through here."""
    points = _directions(20) * 3
    points.requires_grad_()
    assert torch.autograd.gradcheck(Contracted(1.5).to_unit, points)


def test_a_cube_clamps_what_is_outside() -> None:
    unit = Cube(2.0).to_unit(torch.tensor([[-2.0, 0.0, 7.0]]))
    assert unit.tolist() == [[0.0, 0.5, 1.0]]
