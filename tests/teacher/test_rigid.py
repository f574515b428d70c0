"""Rotation vectors against the matrix exponential; alignment and gauge against motions that are known."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float64
from torch import Tensor

from teacher.cameras import Camera, apply_similarity, look_at
from teacher.rigid import aligning_similarity, differences, gauge_directions, moved, rotate


def _skew(w: Float64[Tensor, "3"]) -> Float64[Tensor, "3 3"]:
    x, y, z = w.tolist()
    return torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)


def _exponential(matrix: Float64[Tensor, "3 3"]) -> Float64[Tensor, "3 3"]:
    """Its power series; torch.linalg.matrix_exp is off by 2e-11 at norms around 0.03."""
    total = term = torch.eye(3, dtype=torch.float64)
    for k in range(1, 40):
        term = term @ matrix / k
        total = total + term
    return total


def _cameras(count: int = 12, seed: int = 0) -> list[Camera]:
    generator = torch.Generator().manual_seed(seed)
    targets = 0.3 * torch.randn(count, 3, generator=generator)
    places = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1) * 2.5
    poses = [look_at(place, target) for place, target in zip(places, targets, strict=True)]
    return [Camera(pose, 60.0, 55.0, 20.5, 14.0, 40, 30) for pose in poses]


@given(st.floats(-12, 0.49), st.integers(0, 1000))
def test_rotate_is_the_exponential_of_the_cross_product(exponent: float, seed: int) -> None:
    """For angles from 1e-12 to nearly pi, across the switch to the series."""
    generator = torch.Generator().manual_seed(seed)
    axis, x = torch.randn(2, 3, dtype=torch.float64, generator=generator)
    w = torch.nn.functional.normalize(axis, dim=0) * 10**exponent
    torch.testing.assert_close(rotate(w, x), _exponential(_skew(w)) @ x, atol=1e-12, rtol=0)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.0999, 0.1001, 2.0])
def test_gradients_of_rotate_are_those_of_finite_differences(angle: float) -> None:
    """At no rotation at all too, where |w| has no derivative; and second derivatives."""
    w = angle * torch.tensor([[0.6, 0.0, 0.8]], dtype=torch.float64)
    x = torch.tensor([[0.3, -1.2, 0.5]], dtype=torch.float64)
    inputs = (w.requires_grad_(), x.requires_grad_())
    assert torch.autograd.gradcheck(rotate, inputs)
    assert torch.autograd.gradgradcheck(rotate, inputs)


def test_a_moved_camera_turns_about_its_centre_in_the_common_frame() -> None:
    """Its rays are the given ones with directions turned and origins shifted; its lens stays."""
    camera = _cameras(1)[0]
    motion = torch.tensor([0.2, -0.1, 0.3, 0.5, 0.0, -0.25])
    given_rays, rays = camera.rays(), moved(camera, motion).rays()
    torch.testing.assert_close(rays.origins, given_rays.origins + motion[3:])
    turned = rotate(motion[:3].expand(len(rays), 3), given_rays.directions)
    torch.testing.assert_close(rays.directions, turned, atol=1e-6, rtol=0)
    angle, distance = differences([camera], [moved(camera, motion)])
    assert float(angle) == pytest.approx(math.degrees(0.14**0.5), rel=1e-6)
    assert float(distance) == pytest.approx(0.3125**0.5, rel=1e-6)


def _similarity(seed: int, scale: float) -> Float64[Tensor, "4 4"]:
    generator = torch.Generator().manual_seed(seed)
    T = torch.eye(4, dtype=torch.float64)
    T[:3, :3] = scale * _exponential(_skew(torch.randn(3, generator=generator).double()))
    T[:3, 3] = torch.randn(3, generator=generator)
    return T


@pytest.mark.parametrize("scale", [1.0, 0.7])
def test_alignment_finds_a_similarity_exactly(scale: float) -> None:
    cameras, T = _cameras(), _similarity(3, scale)
    found = aligning_similarity(cameras, [apply_similarity(T, camera) for camera in cameras])
    torch.testing.assert_close(found, T, atol=2e-6, rtol=0)


def test_alignment_of_cameras_on_one_spot_is_a_rotation() -> None:
    """Their axes tell the rotation; nothing tells the scale."""
    spot = _cameras(1)[0]
    cameras = [moved(spot, torch.tensor([0.1 * k, 0.2, 0.0, 0.0, 0.0, 0.0])) for k in range(4)]
    T = _similarity(5, 1.0)
    found = aligning_similarity(cameras, [apply_similarity(T, camera) for camera in cameras])
    torch.testing.assert_close(found, T, atol=2e-6, rtol=0)


def test_alignment_is_stationary_under_every_small_similarity() -> None:
    """Of disturbed cameras: no small turn, shift or scaling of the result fits better."""
    cameras, generator = _cameras(), torch.Generator().manual_seed(1)
    disturbed = [moved(c, 0.05 * torch.randn(6, generator=generator)) for c in cameras]
    best = aligning_similarity(cameras, disturbed)
    spread = float(torch.stack([c.position for c in cameras]).double().var(0, correction=0).sum())

    def misfit(T: Float64[Tensor, "4 4"]) -> float:
        moved_too = [apply_similarity(T, camera) for camera in cameras]
        angles, distances = differences(moved_too, disturbed)
        chord = 8 * torch.sin(torch.deg2rad(angles) / 2).square()
        return float((chord / 2 + distances.square() / spread / 2).mean())

    for axis in range(3):
        for size in (-0.01, 0.01):
            shift = torch.eye(4, dtype=torch.float64)
            shift[axis, 3] = size
            assert misfit(shift @ best) > misfit(best)
            turn = torch.eye(4, dtype=torch.float64)
            turn[:3, :3] = _exponential(size * _skew(torch.eye(3).double()[axis]))
            about = torch.eye(4, dtype=torch.float64)
            about[:3, 3] = torch.stack([c.position for c in disturbed]).double().mean(0)
            assert misfit(about @ turn @ about.inverse() @ best) > misfit(best)


def test_gauge_holds_what_moves_space_as_a_whole() -> None:
    """Seven directions; of what a similarity does to all cameras they leave only what is of second order."""
    centres = torch.stack([camera.position for camera in _cameras()]).double()
    gauge = gauge_directions(centres)
    assert gauge.shape == (6 * len(centres), 7)
    torch.testing.assert_close(gauge.T @ gauge, torch.eye(7, dtype=torch.float64))

    def left_over(size: float) -> float:
        w = (size * torch.tensor([1.0, -2.0, 0.5]).double()).expand_as(centres)
        moved_centres = (1 + 0.3 * size) * rotate(w, centres) + 0.7 * size
        motion = torch.cat([w, moved_centres - centres], -1).flatten()
        return float((motion - gauge @ (gauge.T @ motion)).norm() / size)

    assert left_over(1e-3) == pytest.approx(2 * left_over(5e-4), rel=0.01)
    assert left_over(1e-3) < 0.02


def test_one_camera_is_all_gauge() -> None:
    """Nothing can be said of the pose of a single camera; two have five coordinates left between them."""
    assert gauge_directions(torch.randn(1, 3)).shape == (6, 6)
    assert gauge_directions(torch.randn(2, 3)).shape == (12, 7)
