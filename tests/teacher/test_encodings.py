"""Spherical harmonics against what defines them."""

import torch
from torch.nn.functional import normalize

from teacher.encodings.directional import spherical_harmonics

DIRECTIONS = normalize(torch.randn(200_000, 3, generator=torch.Generator().manual_seed(0)), dim=-1)


def test_harmonics_are_orthonormal_over_the_sphere() -> None:
    """Monte-Carlo estimate of the Gram matrix; 200 000 directions leave an error of about 0.01."""
    basis = spherical_harmonics(DIRECTIONS)
    gram = 4 * torch.pi * basis.T @ basis / len(basis)
    assert (gram - torch.eye(16)).abs().max() < 0.03


def test_degrees_have_the_right_parity() -> None:
    """Y_l(-d) = (-1)^l Y_l(d)."""
    signs = torch.tensor([(-1.0) ** degree for degree in range(4) for _ in range(2 * degree + 1)])
    some = DIRECTIONS[:100]
    torch.testing.assert_close(spherical_harmonics(-some), signs * spherical_harmonics(some))


def test_power_of_each_degree_is_constant() -> None:
    """Unsoeld's theorem: the squares of a degree sum to (2 l + 1) / 4 pi in every direction."""
    squares = spherical_harmonics(DIRECTIONS[:100]).square().split([1, 3, 5, 7], -1)
    for degree, part in enumerate(squares):
        expected = torch.full((100,), (2 * degree + 1) / (4 * torch.pi))
        torch.testing.assert_close(part.sum(-1), expected)
