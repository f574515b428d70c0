"""Cameras, lenses and frames: inverses, invariances and closed forms."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from teacher.cameras import (
    Camera,
    Cameras,
    apply_similarity,
    look_at,
    pixel_centres,
    point_of_interest,
    project,
)
from teacher.lenses import (
    LENSES,
    Lens,
    distort_fisheye,
    distort_opencv,
    fisheye_direction,
    pinhole_point,
    undistort_opencv,
)

DISTORTION: dict[Lens, tuple[float, ...]] = {
    "pinhole": (),
    "opencv": (-0.21, 0.06, 1e-3, -2e-3, 0.01),
    "fisheye": (0.05, -0.01, 0.003, -5e-4),
}
unhurried = settings(deadline=None, max_examples=40)  # the first call pays torch's warm-up
small = st.floats(-0.03, 0.03)
coordinate = st.floats(-3, 3)


def camera(lens: Lens = "pinhole", width: int = 7, height: int = 5, seed: int = 0) -> Camera:
    """An off-centre, non-square camera in a random pose."""
    generator = torch.Generator().manual_seed(seed)
    position, target = torch.randn(2, 3, generator=generator)
    return Camera(
        look_at(position * 4, target),
        fx=0.9 * width,
        fy=1.4 * height,
        cx=0.6 * width,
        cy=0.45 * height,
        width=width,
        height=height,
        lens=lens,
        distortion=DISTORTION[lens],
    )


def along(rays_of: Camera, distance: float) -> Tensor:
    """World points at `distance` on the rays of all pixels."""
    rays = rays_of.rays()
    return rays.origins + distance * rays.directions


@pytest.mark.parametrize("lens", LENSES)
@unhurried
@given(seed=st.integers(0, 1000), distance=st.floats(0.1, 100))
def test_projecting_a_point_on_a_pixels_ray_gives_that_pixel(
    lens: Lens, seed: int, distance: float
) -> None:
    it = camera(lens, 40, 30, seed)
    uv, _ = project(it, along(it, distance))
    torch.testing.assert_close(uv, pixel_centres(40, 30).reshape(-1, 2), atol=2e-3, rtol=0)


@unhurried
@given(k1=st.floats(-0.25, 0.3), k2=st.floats(0, 0.1), p1=small, p2=small, k4=small)
def test_undistortion_inverts_distortion(
    k1: float, k2: float, p1: float, p2: float, k4: float
) -> None:
    ideal = torch.cartesian_prod(torch.linspace(-0.7, 0.7, 15), torch.linspace(-0.7, 0.7, 15))
    k = torch.tensor([k1, k2, p1, p2, 0.01, k4, 0.0, 0.0]).expand(len(ideal), 8)
    back = undistort_opencv(distort_opencv(ideal, k), k)
    torch.testing.assert_close(back, ideal, atol=1e-5, rtol=0)


@unhurried
@given(k1=st.floats(-0.12, 0.3), k2=st.floats(0, 0.1), k3=st.floats(0, 0.05))
def test_fisheye_round_trip_up_to_a_right_angle_and_beyond(k1: float, k2: float, k3: float) -> None:
    """Angles up to 100 degrees, where the slope of the model is far from 1."""
    theta = torch.linspace(0, 1.75, 36)
    k = torch.tensor([k1, k2, k3, 0.001, 0.0, 0.0, 0.0, 0.0]).expand(36, 8)
    xy = torch.stack([distort_fisheye(theta, k), torch.zeros(36)], -1)
    expected = torch.stack([theta.sin(), torch.zeros(36), -theta.cos()], -1)
    torch.testing.assert_close(fisheye_direction(xy, k), expected, atol=1e-4, rtol=0)


def test_opencv_distortion_by_hand() -> None:
    """x = 1/2, y = 1/4: r2 = 5/16; with k1 = 1/10, p1 = 1/100, p2 = 1/50 in OpenCV's formula."""
    k = torch.tensor([[0.1, 0.0, 0.01, 0.02, 0.0, 0.0, 0.0, 0.0]])
    radial = 1 + 0.1 * 0.3125
    x = 0.5 * radial + 2 * 0.01 * 0.125 + 0.02 * (0.3125 + 0.5)
    y = 0.25 * radial + 0.01 * (0.3125 + 0.125) + 2 * 0.02 * 0.125
    expected = torch.tensor([[x, y]])
    torch.testing.assert_close(distort_opencv(torch.tensor([[0.5, 0.25]]), k), expected)


def test_rational_distortion_divides() -> None:
    k = torch.tensor([[0.3, 0.0, 0.0, 0.0, 0.0, 0.3, 0.0, 0.0]])
    xy = torch.tensor([[0.4, -0.3]])
    torch.testing.assert_close(distort_opencv(xy, k), xy)


def test_fisheye_without_coefficients_is_equidistant() -> None:
    """The radius on the image plane is the angle from the axis."""
    theta = torch.linspace(0, 3, 31)
    torch.testing.assert_close(distort_fisheye(theta, torch.zeros(31, 8)), theta)


def test_fisheye_sees_behind_itself() -> None:
    """At radius 2 (radians) the ray points 2 - pi/2 radians backwards."""
    T = torch.eye(4)
    wide = Camera(T, 1.0, 1.0, 0.0, 0.0, 4, 4, "fisheye")
    ray = Cameras.stack([wide]).rays(torch.zeros(1, dtype=torch.long), torch.tensor([[2.0, 0.0]]))
    expected = torch.tensor([[math.sin(2.0), 0.0, -math.cos(2.0)]])
    torch.testing.assert_close(ray.directions, expected)
    uv, depth = project(wide, 3 * ray.directions)
    torch.testing.assert_close(uv, torch.tensor([[2.0, 0.0]]))
    assert depth < 0


def test_pinhole_point_of_a_direction_by_hand() -> None:
    """One to the right, two up, four ahead: (1/4, -1/2), since image rows count downwards."""
    point = pinhole_point(torch.tensor([[1.0, 2.0, -4.0]]), torch.zeros(1, 8))
    torch.testing.assert_close(point, torch.tensor([[0.25, -0.5]]))


def test_first_row_is_the_top_and_rows_run_left_to_right() -> None:
    """A camera at the origin in the convention's own axes: looking along -z, +y up."""
    it = Camera(torch.eye(4), 10.0, 10.0, 2.0, 1.5, 4, 3)
    d = it.rays().directions.reshape(3, 4, 3)
    assert (d[..., 2] < 0).all()
    assert (d[0, :, 1] > 0).all() and (d[-1, :, 1] < 0).all()
    assert (d[:, 0, 0] < 0).all() and (d[:, -1, 0] > 0).all()
    torch.testing.assert_close(d[1, :, 1], torch.zeros(4))  # cy = 1.5 is row 1's centre


def test_rays_have_unit_length_and_start_at_the_camera() -> None:
    it = camera("opencv")
    rays = it.rays()
    torch.testing.assert_close(rays.directions.norm(dim=-1), torch.ones(35))
    torch.testing.assert_close(rays.origins, it.position.expand(35, 3))


def test_stacked_cameras_of_mixed_lenses_give_each_ones_own_rays() -> None:
    each = [camera(lens, 7 + i, 5 + i, seed=i) for i, lens in enumerate((*LENSES, "pinhole"))]
    stacked = Cameras.stack(each)
    index = torch.randint(4, (64,), generator=torch.Generator().manual_seed(0))
    pixels = torch.rand(64, 2, generator=torch.Generator().manual_seed(1)) * stacked.size[index]
    rays = stacked.rays(index, pixels)
    for i, it in enumerate(each):
        mine = index == i
        own = Cameras.stack([it]).rays(torch.zeros(int(mine.sum()), dtype=torch.long), pixels[mine])
        torch.testing.assert_close(rays.directions[mine], own.directions)
        torch.testing.assert_close(rays.origins[mine], own.origins)


@pytest.mark.parametrize("lens", LENSES)
def test_a_resized_camera_sees_the_same_through_the_same_fraction_of_the_picture(
    lens: Lens,
) -> None:
    it = camera(lens)
    other = it.resized(13, 4)
    assert other.fractions == pytest.approx(it.fractions)
    fractions = torch.rand(20, 2, generator=torch.Generator().manual_seed(0))
    both = Cameras.stack([it, other])
    first, second = (
        both.rays(torch.full((20,), i), fractions * both.size[i]).directions for i in range(2)
    )
    torch.testing.assert_close(first, second)


def test_the_undistorted_camera_is_the_limit_of_no_distortion() -> None:
    it = camera("opencv")
    zero = replace(it, distortion=(0.0,) * 5)
    assert it.undistorted().lens == "pinhole"
    torch.testing.assert_close(it.undistorted().rays().directions, zero.rays().directions)


@unhurried
@given(st.tuples(*[coordinate] * 6))
def test_look_at_is_a_rotation_that_looks_at_its_target(numbers: tuple[float, ...]) -> None:
    position, target = torch.tensor(numbers).reshape(2, 3)
    target = target + torch.tensor([4.0, 0.0, 0.0])  # never at the position itself
    if (position - target).norm() < 1e-2:
        return
    T = look_at(position, target)
    torch.testing.assert_close(T[:3, :3].T @ T[:3, :3], torch.eye(3), atol=1e-5, rtol=0)
    assert T[:3, :3].det() == pytest.approx(1, abs=1e-5)
    towards = torch.nn.functional.normalize(target - position, dim=0)
    torch.testing.assert_close(-T[:3, 2], towards, atol=1e-5, rtol=0)
    assert T[2, 1] >= -1e-5, "the picture's up must not point down"
    assert T[2, 0].abs() < 1e-5 or towards[:2].norm() < 1e-3, "the horizon must be level"


@pytest.mark.parametrize("height", [5.0, -5.0])
def test_looking_straight_down_or_up_puts_y_upwards(height: float) -> None:
    T = look_at(torch.tensor([0.0, 0.0, height]), torch.zeros(3))
    torch.testing.assert_close(T[:3, 1], torch.tensor([0.0, 1.0, 0.0]))


def test_looking_along_a_given_up_vector_of_y_puts_z_upwards() -> None:
    up = torch.tensor([0.0, 2.0, 0.0])
    T = look_at(torch.tensor([0.0, 3.0, 0.0]), torch.zeros(3), up)
    torch.testing.assert_close(T[:3, 1], torch.tensor([0.0, 0.0, 1.0]))


@unhurried
@given(scale=st.floats(0.05, 20), shift=st.tuples(*[coordinate] * 3), seed=st.integers(0, 99))
def test_a_similarity_leaves_the_picture_as_it_is(
    scale: float, shift: tuple[float, float, float], seed: int
) -> None:
    it = camera("opencv", seed=seed)
    T = look_at(torch.tensor([1.0, 2.0, 3.0]), torch.zeros(3))  # any rotation will do
    T[:3, :3] *= scale
    T[:3, 3] = torch.tensor(shift)
    points = along(it, 3.0)
    uv, depth = project(it, points)
    moved = apply_similarity(T, it)
    uv_moved, depth_moved = project(moved, points @ T[:3, :3].T + T[:3, 3])
    torch.testing.assert_close(uv_moved, uv, atol=1e-2, rtol=0)
    torch.testing.assert_close(depth_moved, depth * scale, atol=1e-3, rtol=1e-3)
    R = moved.T_world_camera[:3, :3]
    torch.testing.assert_close(R.T @ R, torch.eye(3), atol=1e-5, rtol=0)


def looking(position: tuple[float, ...], target: tuple[float, ...]) -> Camera:
    T = look_at(torch.tensor(position), torch.tensor(target))
    return Camera(T, 10.0, 10.0, 5.0, 5.0, 10, 10)


@unhurried
@given(st.tuples(*[coordinate] * 3))
def test_axes_through_one_point_meet_there(target: tuple[float, float, float]) -> None:
    places = [(5.0, 0.0, 1.0), (0.0, 6.0, 2.0), (-7.0, -4.0, 3.5)]
    found = point_of_interest([looking(place, target) for place in places])
    torch.testing.assert_close(found, torch.tensor(target), atol=1e-3, rtol=0)


def test_skew_axes_meet_halfway() -> None:
    """The x axis and a line parallel to y at height 2 are closest to each other at z = 1."""
    cameras = [looking((5.0, 0.0, 0.0), (0.0, 0.0, 0.0)), looking((0.0, 5.0, 2.0), (0.0, 0.0, 2.0))]
    expected = torch.tensor([0.0, 0.0, 1.0])
    torch.testing.assert_close(point_of_interest(cameras), expected, atol=1e-4, rtol=0)


def test_parallel_axes_meet_ahead_of_the_middle_as_far_as_the_cameras_spread() -> None:
    cameras = [looking((x, 0.0, 0.0), (x, 9.0, 0.0)) for x in (-2.0, 2.0)]
    expected = torch.tensor([0.0, 2.0, 0.0])
    torch.testing.assert_close(point_of_interest(cameras), expected, atol=1e-3, rtol=0)


def test_cameras_that_look_outwards_do_not_meet_behind_themselves() -> None:
    """Their axes, extended backwards, all pass through the origin; the answer lies ahead."""
    cameras = [looking((1.0, y, 0.0), (9.0, 9 * y, 0.0)) for y in (-0.5, 0.0, 0.5)]
    found = point_of_interest(cameras)
    assert all((found - it.position) @ it.forward > 0 for it in cameras)


def test_cameras_in_a_room_stand_round_their_point() -> None:
    """A loop walked looking outwards: its middle, though the axes meet there behind all cameras."""
    angles = torch.linspace(0, 2 * math.pi, 37)[:-1].tolist()
    places = [(3 + math.cos(a), 4 + math.sin(a), 1.0) for a in angles]
    cameras = [
        looking(place, (3 + 9 * math.cos(a), 4 + 9 * math.sin(a), 1.0))
        for place, a in zip(places, angles, strict=True)
    ]
    middle = torch.tensor([3.0, 4.0, 1.0])
    assert (point_of_interest(cameras) - middle).norm() < 0.02
    half = point_of_interest(cameras[:18])  # a wall and its two neighbours: ahead of them
    assert (half - middle) @ torch.tensor([0.0, 1.0, 0.0]) > 1


def test_a_camera_turning_on_the_spot_has_a_point_at_unit_distance() -> None:
    cameras = [looking((1.0, 1.0, 1.0), (9.0, y, 1.0)) for y in (0.0, 2.0)]
    found = point_of_interest(cameras)
    assert (found - torch.ones(3)).norm() == pytest.approx(1, abs=1e-3)
