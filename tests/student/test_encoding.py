"""Rays, clipping, points and frequencies, against brute force, float64 and geometry."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from student.models.base import crop_intrinsics, grid_rays
from student.models.encoding import clip_to_box, encode_frequencies, points_between, to_unit_box
from teacher.cameras import Camera, look_at

BOX = torch.tensor([[-1.0, -0.6, -0.3], [0.8, 1.0, 0.5]])


def _as_grid(vectors: torch.Tensor) -> torch.Tensor:
    return vectors.T[None, :, None, :]


def _clip(origins: torch.Tensor, directions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    directions = torch.nn.functional.normalize(directions, dim=-1)
    near, far = clip_to_box(_as_grid(origins), _as_grid(directions), BOX)
    return near.flatten(), far.flatten()


def test_rays_are_the_cameras_own() -> None:
    """The student's grid is the contract's: `Camera.rays` of an off-centre, non-square camera."""
    pose = look_at(torch.tensor([1.0, -3.0, 2.0]), torch.tensor([0.1, 0.2, 0.0]))
    camera = Camera(pose, fx=9.0, fy=8.0, cx=3.0, cy=2.9, width=7, height=5)
    origins, directions = grid_rays(pose[None], torch.tensor([camera.fractions]), (5, 7))
    expected = camera.rays()
    torch.testing.assert_close(directions[0].flatten(1).T, expected.directions)
    torch.testing.assert_close(origins[0].flatten(1).T, expected.origins)


def test_coarse_rays_are_centred_on_their_blocks() -> None:
    """The image point of a coarse ray is the mean of those of its block of pixels."""
    pose, intrinsics = torch.eye(4)[None], torch.tensor([[1.3, 1.7, 0.45, 0.55]])

    def image_points(size: tuple[int, int]) -> torch.Tensor:
        _, directions = grid_rays(pose, intrinsics, size)
        return directions[:, :2] / directions[:, 2:]

    blocks = torch.nn.functional.avg_pool2d(image_points((24, 40)), 8)
    torch.testing.assert_close(image_points((3, 5)), blocks)


def test_a_crop_is_a_camera_of_its_own() -> None:
    """Rays of the crop's intrinsics are the crop of the rays, also where it reaches past the
    picture.
    """
    pose = look_at(torch.tensor([2.0, 1.0, 1.0]), torch.zeros(3))[None]
    intrinsics = torch.tensor([[1.1, 1.4, 0.5, 0.4]])
    _, whole = grid_rays(pose, intrinsics, (12, 20))
    _, part = grid_rays(pose, crop_intrinsics(intrinsics, (12, 20), (3, 7), (4, 8)), (4, 8))
    torch.testing.assert_close(part, whole[:, :, 3:7, 7:15])
    _, larger = grid_rays(pose, crop_intrinsics(intrinsics, (12, 20), (-2, -1), (16, 24)), (16, 24))
    torch.testing.assert_close(larger[:, :, 2:14, 1:21], whole)


def test_clipping_agrees_with_brute_force() -> None:
    """Points inside the box along densely sampled rays lie between near and far, all others
    outside.
    """
    torch.manual_seed(0)
    origins = 4 * torch.nn.functional.normalize(torch.randn(200, 3), dim=-1)
    directions = torch.nn.functional.normalize(0.8 * torch.randn(200, 3) - origins, dim=-1)
    near, far = _clip(origins, directions)
    t = torch.linspace(0, 8, 4001)
    points = origins[:, None] + directions[:, None] * t[None, :, None]
    inside = ((points > BOX[0]) & (points < BOX[1])).all(-1)
    hit = inside.any(1)
    assert 0.2 < hit.float().mean() < 0.8
    first = t[inside.float().argmax(1)]
    last = t[len(t) - 1 - inside.flip(1).float().argmax(1)]
    torch.testing.assert_close(near[hit], first[hit], atol=2.1e-3, rtol=0)
    torch.testing.assert_close(far[hit], last[hit], atol=2.1e-3, rtol=0)
    # grazing a corner for less than a step is a hit that brute force cannot see
    assert (far - near)[~hit].max() < 2.1e-3


def test_a_miss_collapses_onto_one_finite_point() -> None:
    origins = torch.tensor([[3.0, 3.0, 0.0], [0.0, 0.0, 5.0], [0.0, -4.0, 0.0]])
    directions = torch.tensor([[-1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    near, far = _clip(origins, directions)
    torch.testing.assert_close(near, far)
    assert near.isfinite().all() and (near >= 0).all()
    assert near[1] == 0  # the box is behind


def test_axis_parallel_rays_are_exact() -> None:
    """Zeros in the direction neither divide nor lose the slabs that they are parallel to."""
    origins = torch.tensor([[0.1, 0.2, 5.0], [-5.0, 0.0, 0.0], [0.3, 9.0, 0.1]])
    directions = torch.tensor([[0.0, 0.0, -1.0], [1.0, 0.0, -0.0], [0.0, -1.0, 0.0]])
    near, far = _clip(origins, directions)
    torch.testing.assert_close(near, torch.tensor([4.5, 4.0, 8.0]))
    torch.testing.assert_close(far, torch.tensor([5.3, 5.8, 9.6]))


def test_inside_the_box_near_is_the_camera() -> None:
    near, far = _clip(torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 0.0]]))
    assert near == 0
    torch.testing.assert_close(far, torch.tensor([0.8]))


@given(st.tuples(*[st.floats(-10, 10, width=32)] * 3), st.tuples(*[st.floats(-1, 1, width=32)] * 3))
def test_every_ray_gives_ordered_finite_distances_and_points_in_the_box(
    origin: tuple[float, float, float], direction: tuple[float, float, float]
) -> None:
    d = torch.tensor([direction])
    if d.norm() < 1e-3:
        return
    o, d = _as_grid(torch.tensor([origin])), _as_grid(torch.nn.functional.normalize(d, dim=-1))
    near, far = clip_to_box(o, d, BOX)
    points = to_unit_box(points_between(o, d, near, far, torch.linspace(0, 1, 5)), BOX)
    assert 0 <= near <= far
    assert far.isfinite() and points.isfinite().all()
    assert points.abs().max() <= 1


def test_the_unit_box_maps_corners_to_corners() -> None:
    points = BOX.T[None, None, :, None, :]
    expected = torch.tensor([-1.0, 1.0]).expand(3, 2)[None, None, :, None, :]
    torch.testing.assert_close(to_unit_box(points, BOX), expected)


def test_reduced_frequencies_equal_float64() -> None:
    """Within the rounding of 2^k x to float32 and back (half an ulp of the largest argument)."""
    octaves = 10
    x = torch.linspace(-3, 3, 2001)[None, None, None]
    encoded = encode_frequencies(x, octaves)[0, :, 0].double()
    k = torch.arange(octaves)[:, None]
    angles = 2.0**k * x[0, 0].double()
    expected = torch.cat([x[0, 0].double(), angles.sin(), angles.cos()])
    error = (encoded - expected).abs()
    bound = torch.finfo(torch.float32).eps * (2.0**k * 3 + 4 * math.pi)
    assert (error[1:].view(2, octaves, -1) <= bound).all()


def test_sines_get_arguments_that_wgsl_promises() -> None:
    """Every argument of sin and cos is within [-pi, pi]."""
    seen: list[torch.Tensor] = []

    class Spy(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func in (torch.ops.aten.sin.default, torch.ops.aten.cos.default):
                seen.append(args[0].abs().max())
            return func(*args, **(kwargs or {}))

    with Spy():
        encode_frequencies(torch.linspace(-5, 5, 999)[None, None, None], 10)
    assert len(seen) == 2
    assert max(seen) <= math.pi * (1 + 1e-6)
