"""Cameras that students are shown: a wider envelope than is promised, and neighbours of a capture's."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from teacher.cameras import Camera, look_at
from teacher.pseudo.envelope import STEEPEST, Envelope, fit_envelope, sample_cameras, widened
from teacher.pseudo.sampler import NEIGHBOURS, CameraSampler, near_camera, neighbours
from teacher.pseudo.source import Source, spread_order
from teacher.pseudo.view import View

SIZE = (24, 32)


def camera_at(position: tuple[float, float, float], target: tuple[float, float, float]) -> Camera:
    pose = look_at(torch.tensor(position), torch.tensor(target))
    return Camera(pose, 67.2, 67.2, 30.0, 26.0, 64, 48)


def walk(count: int) -> list[Camera]:
    """Along a straight path, looking ahead and a little aside; focal lengths grow along it."""
    cameras = [camera_at((0.2 * k, 0.0, 0.3), (0.2 * k + 1, 0.5, 0.2)) for k in range(count)]
    return [
        replace(c, fx=c.fx * (1 + k / 100), fy=c.fy * (1 + k / 100)) for k, c in enumerate(cameras)
    ]


class Blank:
    def render(self, camera: Camera) -> View:
        shape = (camera.height, camera.width)
        return View(camera, torch.zeros(*shape, 4), torch.zeros(shape))


def source(sampler: CameraSampler) -> Source:
    cameras = tuple(walk(9))
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    return Source("walk", Blank(), fit_envelope(cameras), box, cameras, "walk-1", sampler=sampler)


angle = st.floats(-3.1, 3.1)
# The arguments: a checked `Envelope` draws from `random`, which hypothesis does not want to see in a strategy.
envelopes = st.builds(
    lambda first, span, low, rise, near, depth, spread, focal: (
        (0.1, -0.2, 0.3),
        (near, near * (1 + depth)),
        (first, first + span),
        (low, min(low + rise, STEEPEST)),
        spread * near,
        (focal, focal * 1.1),
    ),
    angle, st.floats(0.05, math.tau), st.floats(-0.5, 1.2), st.floats(0.0, 0.8),
    st.floats(0.5, 5.0), st.floats(0.0, 2.0), st.floats(0.0, 0.5), st.floats(0.5, 3.0),
)  # fmt: skip


@given(envelopes, st.floats(0.0, 0.3), st.integers(0, 1000))
def test_the_widened_envelope_contains_the_promised_one(
    arguments: tuple[Any, ...], margin: float, seed: int
) -> None:
    """Range by range, and every camera drawn from the promised one."""
    envelope = Envelope(*arguments)
    wide = widened(envelope, margin)
    for name in ("radius", "elevation", "focal"):
        (low, high), (narrow_low, narrow_high) = getattr(wide, name), getattr(envelope, name)
        assert low <= narrow_low <= narrow_high <= high
    span = wide.azimuth[1] - wide.azimuth[0]
    assert span <= math.tau + 1e-9 and wide.azimuth[0] <= envelope.azimuth[0]
    assert wide.azimuth[1] >= envelope.azimuth[1] and wide.target_spread >= envelope.target_spread
    cameras = sample_cameras(
        envelope,
        5,
        torch.Generator().manual_seed(seed),
        camera_at((3.0, 0.0, 1.0), (0.0, 0.0, 0.0)),
    )
    assert all(wide.contains(camera) for camera in cameras)


def test_margins_by_hand() -> None:
    """5 % of lengths, 0.05 radians of angles; targets by what turns the nearest camera as much."""
    wide = widened(
        Envelope((0.0, 0.0, 0.0), (2.0, 4.0), (0.0, 1.0), (0.1, 0.9), 0.2, (1.0, 2.0)), 0.05
    )
    assert wide.radius == pytest.approx((1.9, 4.2)) and wide.focal == pytest.approx((0.95, 2.1))
    assert wide.azimuth == pytest.approx((-0.05, 1.05))
    assert wide.elevation == pytest.approx((0.05, 0.95)) and wide.target_spread == pytest.approx(
        0.3
    )


@pytest.mark.parametrize("span", [math.tau, math.tau - 0.05])
def test_a_whole_orbit_stays_exactly_one(span: float) -> None:
    """It neither overlaps itself nor moves; an arc that would close becomes one."""
    wide = widened(
        Envelope((0.0, 0.0, 0.0), (2.0, 4.0), (0.3, 0.3 + span), (0.1, 0.9), 0.2, (1.0, 2.0)), 0.1
    )
    assert wide.azimuth[1] - wide.azimuth[0] == pytest.approx(math.tau, abs=1e-12)
    assert sum(wide.azimuth) == pytest.approx(0.6 + span) and wide.whole_orbit


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.2])
def test_drawn_cameras_look_near_the_pivot_from_inside_the_widened_set(margin: float) -> None:
    """Upright, in front of the pivot, and only as far past the promised set as the margin says."""
    envelope = Envelope((0.1, -0.2, 0.3), (2.0, 3.0), (-1.0, 1.0), (-0.2, 1.2), 0.15, (1.2, 1.5))
    like, generator = camera_at((3.0, 0.0, 1.0), (0.0, 0.0, 0.0)), torch.Generator().manual_seed(0)
    outside = 0
    for _ in range(300):
        camera = CameraSampler(margin).draw(envelope, [], generator, like)
        assert widened(envelope, margin).contains(camera)
        outside += not envelope.contains(camera)
        R, pivot = camera.T_world_camera[:3, :3], torch.tensor(envelope.pivot)
        assert abs(float(R[2, 0])) < 1e-6 < float(R[2, 1])
        ahead = torch.nn.functional.normalize(pivot - camera.position, dim=0) @ camera.forward
        assert ahead > math.cos(0.15 / 2 + 1.6 * margin + 1e-3)
    assert (outside > 0) == (margin > 0)


def test_near_cameras_stay_near_the_path_and_look_along_it() -> None:
    """Cameras a step of 0.2 apart look the same way: only positions are noisy, by at most 4 steps
    between partners, and focal lengths are between the partners'.
    """
    cameras, like = walk(30), walk(1)[0].resized(SIZE[1], SIZE[0])
    generator = torch.Generator().manual_seed(0)
    found = [near_camera(cameras, generator, like) for _ in range(400)]
    positions = torch.stack([camera.position for camera in found])
    aside = (positions[:, 1:] - torch.tensor([0.0, 0.3])).norm(dim=1)
    assert 0.02 < aside.median() < 0.2 and aside.max() < 4 * 0.25 * 4 * 0.2
    assert positions[:, 0].min() > -1 and positions[:, 0].max() < 6.8
    for camera in found:
        torch.testing.assert_close(camera.forward, cameras[0].forward, atol=1e-5, rtol=0)
        assert (camera.height, camera.width) == SIZE and camera.lens == "pinhole"
        assert cameras[0].fractions[1] <= camera.fractions[1] <= cameras[-1].fractions[1]


def test_one_training_camera_has_only_itself() -> None:
    """No neighbour, no difference, no noise: but upright."""
    camera = camera_at((1.0, 2.0, 1.0), (0.0, 0.0, 0.0))
    near = near_camera([camera], torch.Generator().manual_seed(0), camera)
    torch.testing.assert_close(near.T_world_camera, camera.T_world_camera)


def test_neighbours_stand_near_and_look_the_same_way() -> None:
    """A camera at the same place that looks back comes after those a step away."""
    cameras = [*walk(6), camera_at((0.4, 0.0, 0.3), (-0.6, -0.5, 0.2))]
    ordered = neighbours(cameras[2], cameras)
    assert ordered[0] is cameras[2] and ordered[-1] is cameras[6]
    assert {id(c) for c in ordered[1:3]} == {id(cameras[1]), id(cameras[3])}
    assert NEIGHBOURS < len(cameras)


@pytest.mark.parametrize("near", [0.25, 1.0])
def test_the_share_of_near_cameras_is_kept(near: float) -> None:
    """Those at the path's own height band are near ones; the envelope's hardly ever are."""
    views = [source(CameraSampler(near=near)).camera(k, SIZE, 0) for k in range(9, 409)]
    beside = [
        abs(float(c.position[2]) - 0.3) < 1e-6 or float(c.forward @ walk(1)[0].forward) > 0.99999
        for c in views
    ]
    assert sum(beside) / 400 == pytest.approx(near, abs=0.08)


@pytest.mark.parametrize(
    "sampler", [CameraSampler(), CameraSampler(0.1, 0.5), CameraSampler(near=1.0)]
)
def test_a_view_is_a_function_of_source_size_seed_and_number(sampler: CameraSampler) -> None:
    """In any order, by any process; the training cameras come first whatever the sampler."""
    one, other = source(sampler), source(sampler)
    backwards = {k: other.camera(k, SIZE, 3) for k in reversed(range(40))}
    for k in range(40):
        assert torch.equal(one.camera(k, SIZE, 3).T_world_camera, backwards[k].T_world_camera)
        assert one.camera(k, SIZE, 3).fractions == backwards[k].fractions
    poses = torch.stack([camera.T_world_camera for camera in backwards.values()])
    assert len(poses.unique(dim=0)) == 40
    fifth = one.cameras[spread_order(len(one.cameras))[4]]
    assert torch.equal(backwards[4].T_world_camera, fifth.T_world_camera)
    assert not torch.equal(one.camera(20, SIZE, 4).T_world_camera, backwards[20].T_world_camera)


def test_what_is_promised_and_measured_does_not_depend_on_the_sampler() -> None:
    """The page's envelope and held-out cameras stay; those are of no training pool."""
    plain, wide = source(CameraSampler()), source(CameraSampler(0.2, 0.5))
    assert plain.envelope == wide.envelope
    for k in range(5):
        camera = wide.unseen(k, SIZE).camera
        assert torch.equal(camera.T_world_camera, plain.unseen(k, SIZE).camera.T_world_camera)
        assert plain.envelope.contains(camera)
        assert not torch.equal(camera.T_world_camera, plain.camera(9 + k, SIZE, 0).T_world_camera)
