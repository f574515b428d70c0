"""Pictures and exact geometry of the still life."""

import math
from dataclasses import replace

import pytest
import torch

from teacher.cameras import apply_similarity, look_at, project
from teacher.demo import DemoRenderer
from teacher.demo.oracle import demo_source
from teacher.demo.scene import (
    BOUNDS,
    DISTANCE,
    ELEVATION,
    TARGET,
    norm_from_world,
    orbit_cameras,
    still_life,
)
from teacher.demo.tracer import SurfaceMaps, render, trace_surfaces

SCENE = still_life()
NAMES = [thing.name for thing in SCENE.things]
CAMERA = orbit_cameras(3, 96)[2]


@pytest.fixture(scope="module")
def maps() -> SurfaceMaps:
    return trace_surfaces(SCENE, CAMERA)


def points_of(maps: SurfaceMaps) -> torch.Tensor:
    """World points [height width 3] that the depth map names."""
    rays = CAMERA.rays()
    points = rays.origins + maps.depth.reshape(-1, 1) * rays.directions
    return points.reshape(*maps.depth.shape, 3)


@pytest.mark.parametrize("name", ["gold", "chrome"])
def test_depth_of_a_ball_is_the_root_of_the_quadratic(maps: SurfaceMaps, name: str):
    """Distance along the unit ray to a sphere, in float64: t = (-b - sqrt(b^2 - ac)) / a."""
    thing = SCENE.things[NAMES.index(name)]
    seen = maps.instances == 1 + NAMES.index(name)
    assert seen.sum() > 50
    rays = CAMERA.rays()
    o = (rays.origins.double() - torch.tensor(thing.position).double())[seen.flatten()]
    d = rays.directions.double()[seen.flatten()]
    a, b = (d * d).sum(1), (o * d).sum(1)  # float32 directions are not exactly of length 1
    discriminant = (b * b - a * ((o * o).sum(1) - thing.surface.bound**2)) / a**2
    half = discriminant.clamp_min(0).sqrt()
    # An error e in the ray moves the hit by e * radius / half: only grazing rays are imprecise.
    error = (maps.depth[seen].double() - (-b / a - half)).abs() * half / thing.surface.bound
    assert error.max() < 3e-6


def test_normals_are_unit_and_agree_with_the_slopes_of_the_depth_map(maps: SurfaceMaps):
    """Cross products of differences between neighbours' points, where all are on one thing."""
    covered = maps.instances > 0
    length = maps.normals.norm(dim=-1)
    torch.testing.assert_close(length, covered.float(), atol=1e-5, rtol=0)
    p, ids = points_of(maps), maps.instances
    along_u, along_v = p[1:-1, 2:] - p[1:-1, :-2], p[2:, 1:-1] - p[:-2, 1:-1]
    slopes = torch.nn.functional.normalize(torch.linalg.cross(along_v, along_u), dim=-1)
    middle = ids[1:-1, 1:-1]
    inner = covered[1:-1, 1:-1]
    for other in (ids[1:-1, 2:], ids[1:-1, :-2], ids[2:, 1:-1], ids[:-2, 1:-1]):
        inner = inner & (other == middle)
    cosine = (slopes * maps.normals[1:-1, 1:-1]).sum(-1)[inner]
    assert inner.sum() > 1500
    assert cosine.quantile(0.1) > 0.95 and cosine.median() > 0.999


def test_nothing_is_marked_by_zeros(maps: SurfaceMaps):
    """Depth, normal and instance are 0 together."""
    empty = maps.instances == 0
    assert empty.any() and (maps.depth[empty] == 0).all() and (maps.normals[empty] == 0).all()
    assert (maps.depth[~empty] > 2).all()


def test_all_surface_points_lie_in_the_bounds(maps: SurfaceMaps):
    """BOUNDS holds everything, and not much more than that."""
    p = points_of(maps)[maps.instances > 0]
    low, high = torch.tensor(BOUNDS)
    assert (p >= low - 1e-3).all() and (p <= high + 1e-3).all()
    tops = [t.position[2] + 0.6 for t in SCENE.things]
    assert high[2] <= max(tops)


def test_instances_are_where_the_things_stand():
    """From straight above, the pixel that a ball's centre projects to shows that ball."""
    camera = orbit_cameras(1, 64)[0]
    camera = replace(camera, T_world_camera=look_at(torch.tensor([0.0, 0.01, 4.0]), torch.zeros(3)))
    ids = trace_surfaces(SCENE, camera).instances
    for name in ("gold", "chrome", "box"):
        k = NAMES.index(name)
        uv, _ = project(camera, torch.tensor([SCENE.things[k].position]))
        u, v = uv[0].long().tolist()
        assert ids[v, u] == k + 1


def test_every_thing_is_seen():
    """Each of the six instances covers pixels in some view."""
    seen = set()
    for camera in orbit_cameras(4, 32):
        seen |= set(trace_surfaces(SCENE, camera).instances.flatten().tolist())
    assert seen == set(range(len(NAMES) + 1))


def test_one_sample_per_pixel_agrees_with_the_surface_maps(maps: SurfaceMaps):
    """With rays through pixel centres only, alpha is 1 exactly where there is an instance."""
    rendering = render(SCENE, CAMERA, 1)
    covered = maps.instances > 0
    assert torch.equal(rendering.rgba[..., 3], covered.float())
    assert torch.equal(rendering.depth, maps.depth)


def test_pixels_average_their_samples():
    """3 x 3 samples: alpha in ninths, depth the mean over hits, colour premultiplied."""
    camera = CAMERA.resized(32, 32)
    fine = trace_surfaces(SCENE, camera.resized(96, 96))
    rendering = render(SCENE, camera, 3)
    hit = (fine.instances > 0).float().reshape(32, 3, 32, 3)
    torch.testing.assert_close(rendering.rgba[..., 3], hit.mean((1, 3)))
    depth = fine.depth.reshape(32, 3, 32, 3).sum((1, 3)) / hit.sum((1, 3)).clamp_min(1)
    torch.testing.assert_close(rendering.depth, depth)
    assert (rendering.rgba[..., :3] <= rendering.rgba[..., 3:] + 1e-6).all()
    assert (rendering.rgba >= 0).all()


def test_more_samples_converge():
    """The error against 8 x 8 samples falls with each refinement."""
    camera = CAMERA.resized(24, 24)
    truth = render(SCENE, camera, 8).rgba
    errors = [float((render(SCENE, camera, s).rgba - truth).square().mean()) for s in (1, 2, 4)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_views_of_non_square_off_centre_cameras():
    """A crop of a picture is the picture of the camera with that crop's intrinsics."""
    camera = CAMERA.resized(48, 48)
    whole = render(SCENE, camera, 1)
    crop = replace(camera, cx=camera.cx - 10, cy=camera.cy - 20, width=30, height=20)
    part = render(SCENE, crop, 1)
    assert part.rgba.shape == (20, 30, 4)
    torch.testing.assert_close(part.rgba, whole.rgba[20:40, 10:40], atol=2e-3, rtol=0)


def test_orbit_cameras_keep_their_distance_and_elevation():
    """All on the sphere around TARGET, between the two elevations, looking at TARGET, upright."""
    target = torch.tensor(TARGET)
    for camera in orbit_cameras(50, 16, offset=0.5):
        offset = camera.position - target
        assert math.isclose(float(offset.norm()), DISTANCE, rel_tol=1e-5)
        assert ELEVATION[0] < math.asin(float(offset[2]) / DISTANCE) < ELEVATION[1]
        torch.testing.assert_close(camera.forward, -offset / DISTANCE, atol=1e-6, rtol=0)
        assert camera.T_world_camera[2, 0].abs() < 1e-6 < camera.T_world_camera[2, 1]


def test_oracle_renders_the_world_from_the_norm_frame():
    """Same picture as from the camera in the world frame; depth times the similarity's scale."""
    T = norm_from_world()
    camera = CAMERA.resized(40, 40)
    view = DemoRenderer(T, samples_per_side=1).render(apply_similarity(T, camera))
    world = render(SCENE, camera, 1)
    same = (view.rgba - world.rgba).abs().amax(-1) < 1e-2
    assert same.double().mean() > 0.99  # silhouettes may flip by rounding
    torch.testing.assert_close(view.depth[same], 0.8 * world.depth[same], atol=2e-4, rtol=0)


def test_demo_source_is_consistent():
    """Its box is the unit cube's, its cameras are inside its envelope, the orbit is whole."""
    source = demo_source(size=16, train=30)
    assert float((source.aabb[1] - source.aabb[0]).max()) == pytest.approx(2, abs=1e-5)
    torch.testing.assert_close(source.aabb[0], -source.aabb[1])
    assert source.envelope.whole_orbit
    assert all(source.envelope.contains(camera) for camera in source.cameras)
    view = source.view(0, (12, 16), seed=0)
    assert view.rgba.shape == (12, 16, 4) and view.rgba[..., 3].max() == 1
