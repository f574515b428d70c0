"""The envelope of cameras: recovered from known captures, and sampled evenly."""

import json
import math
from dataclasses import asdict, replace

import pytest
import torch

from teacher.cameras import Camera, apply_similarity, look_at
from teacher.pseudo.envelope import (
    ANGLE_MARGIN,
    RADIUS_MARGIN,
    STEEPEST,
    WHOLE_ORBIT_GAP,
    Envelope,
    azimuth_range,
    fit_envelope,
    sample_camera,
    sample_cameras,
    widened,
)
from tests.looking_around import PIVOT, facing, room


def camera_at(azimuth: float, elevation: float, radius: float, focal: float = 1.4) -> Camera:
    """A camera that looks at PIVOT from there; focal length in picture heights; not square."""
    level = math.cos(elevation)
    offset = (level * math.cos(azimuth), level * math.sin(azimuth), math.sin(elevation))
    pivot = torch.tensor(PIVOT)
    pose = look_at(pivot + radius * torch.tensor(offset), pivot)
    return Camera(pose, focal * 48, focal * 48, 30.0, 26.0, 64, 48)


def orbit(azimuths: list[float]) -> list[Camera]:
    """Elevations 10 to 50 degrees, radii 2 to 3, focal lengths 1.2 to 1.5."""
    n = len(azimuths)
    return [
        camera_at(
            azimuth,
            math.radians(10 + 40 * (7 * k % n) / (n - 1)),
            2 + (5 * k % n) / (n - 1),
            1.2 + 0.3 * k / (n - 1),
        )
        for k, azimuth in enumerate(azimuths)
    ]


def whole(count: int) -> list[float]:
    return [2 * math.pi * k / count for k in range(count)]


def draw(envelope: Envelope, count: int, seed: int = 0) -> list[Camera]:
    like = camera_at(0.0, 0.3, 2.0)
    return sample_cameras(envelope, count, torch.Generator().manual_seed(seed), like)


def spherical(cameras: list[Camera], pivot: tuple[float, ...]) -> tuple[torch.Tensor, ...]:
    """Azimuth, sine of elevation and radius of camera positions around `pivot`."""
    offset = torch.stack([c.position for c in cameras]).double() - torch.tensor(pivot).double()
    radius = offset.norm(dim=1)
    return torch.atan2(offset[:, 1], offset[:, 0]), offset[:, 2] / radius, radius


def test_known_orbit_is_recovered():
    """Pivot and ranges of a made-up capture come back, widened by the documented margins."""
    envelope = fit_envelope(orbit(whole(13)))
    assert envelope.pivot == pytest.approx(PIVOT, abs=1e-5)
    assert envelope.radius == pytest.approx((2 * (1 - RADIUS_MARGIN), 3 * (1 + RADIUS_MARGIN)))
    low, high = (math.radians(a) for a in (10, 50))
    assert envelope.elevation == pytest.approx((low - ANGLE_MARGIN, high + ANGLE_MARGIN), abs=1e-5)
    assert envelope.focal == pytest.approx((1.2 * (1 - RADIUS_MARGIN), 1.5 * (1 + RADIUS_MARGIN)))
    assert envelope.target_spread < 1e-4
    assert envelope.azimuth[1] - envelope.azimuth[0] == 2 * math.pi
    assert envelope.whole_orbit


@pytest.mark.parametrize("turn", [0.0, 1.0, 2.5, math.pi, 4.0, 6.2])
def test_partial_arc_is_recovered_wherever_it_lies(turn: float):
    """An arc of 100 degrees is found across the cut of atan2 too: only the largest gap counts."""
    azimuths = [turn + math.radians(100) * k / 20 for k in range(21)]
    envelope = fit_envelope(orbit(azimuths))
    first, last = envelope.azimuth
    assert -math.pi <= first < math.pi
    assert last - first == pytest.approx(math.radians(100) + 2 * ANGLE_MARGIN, abs=1e-4)
    assert math.cos(first - (turn - ANGLE_MARGIN)) == pytest.approx(1, abs=1e-6)
    assert not envelope.whole_orbit


def test_gap_decides_between_whole_orbit_and_arc():
    """Just under WHOLE_ORBIT_GAP is a whole orbit, exactly 2 pi; just over it is an arc."""
    for gap, is_whole in ((WHOLE_ORBIT_GAP - 1e-3, True), (WHOLE_ORBIT_GAP + 1e-3, False)):
        span = 2 * math.pi - gap
        first, last = azimuth_range(torch.tensor([span * k / 30 - 1 for k in range(31)]))
        assert (last - first == 2 * math.pi) == is_whole
        if not is_whole:
            assert last - first == pytest.approx(span + 2 * ANGLE_MARGIN, abs=1e-5)


def test_single_camera_gives_a_small_envelope_around_it():
    """No range may be empty or infinite."""
    camera = camera_at(1.0, 0.4, 2.0)
    envelope = fit_envelope([camera])
    assert envelope.contains(camera)
    assert envelope.azimuth[1] - envelope.azimuth[0] == pytest.approx(2 * ANGLE_MARGIN)
    assert all(envelope.contains(c) for c in draw(envelope, 50))


def test_overhead_cameras_stay_off_the_pole():
    """Elevations end at STEEPEST, where up is still defined."""
    envelope = fit_envelope([camera_at(a, math.radians(88.5), 2.0) for a in whole(9)])
    assert envelope.elevation[1] == STEEPEST
    for camera in draw(envelope, 50):
        assert camera.T_world_camera.isfinite().all()


@pytest.mark.parametrize("seed", range(5))
def test_training_cameras_are_inside(seed: int):
    """Whatever the capture, its own cameras are contained."""
    g = torch.Generator().manual_seed(seed)
    span = float(0.3 + 6 * torch.rand((), generator=g))
    azimuths = (
        float(torch.rand((), generator=g)) * 6 + span * torch.rand(40, generator=g)
    ).tolist()
    cameras = orbit(azimuths)
    envelope = fit_envelope(cameras)
    assert all(envelope.contains(camera) for camera in cameras)


@pytest.mark.parametrize("span", [2 * math.pi, 1.5])
def test_sampled_cameras_are_inside_upright_and_orthonormal(span: float):
    """Rotation matrices of determinant 1, no roll, axis through a target near the pivot."""
    envelope = Envelope(PIVOT, (2.0, 3.0), (-1.0, -1.0 + span), (-0.2, 1.2), 0.15, (1.2, 1.5))
    for camera in draw(envelope, 300):
        R = camera.T_world_camera[:3, :3]
        torch.testing.assert_close(R @ R.T, torch.eye(3), atol=1e-5, rtol=0)
        assert torch.linalg.det(R) > 0.999
        assert abs(float(R[2, 0])) < 1e-6 < float(R[2, 1])  # right is level, up points up
        assert envelope.contains(camera)
        assert (camera.width, camera.height, camera.cx, camera.cy) == (64, 48, 30.0, 26.0)
        assert camera.fx == pytest.approx(camera.fy)


def test_contains_looks_at_every_range():
    """A camera that leaves the envelope in one respect only is outside."""
    envelope = Envelope(PIVOT, (2.0, 3.0), (-0.5, 0.5), (0.1, 0.9), 0.05, (1.2, 1.5))
    good = {"azimuth": 0.2, "elevation": 0.4, "radius": 2.5, "focal": 1.4}
    assert envelope.contains(camera_at(**good))
    for change in (
        {"azimuth": 0.6},
        {"azimuth": -0.6},
        {"elevation": 0.05},
        {"elevation": 1.0},
        {"radius": 1.9},
        {"radius": 3.1},
        {"focal": 1.1},
        {"focal": 1.6},
    ):
        assert not envelope.contains(camera_at(**{**good, **change})), change
    aside = camera_at(**good)
    away = look_at(aside.position, torch.tensor(PIVOT) + torch.tensor([0.0, 0.0, 0.1]))
    assert not envelope.contains(Camera(away, aside.fx, aside.fy, 30.0, 26.0, 64, 48))


def test_whole_orbit_is_sampled_without_a_gap():
    """Chi-square over 36 sectors, and no gap: R2L and MobileR2L never drew a wedge of 4 degrees."""
    envelope = fit_envelope(orbit(whole(13)))
    n = 3000
    azimuth, _, _ = spherical(draw(envelope, n), envelope.pivot)
    counts = torch.histc(azimuth, 36, -math.pi, math.pi)
    chi_square = float(((counts - n / 36) ** 2 / (n / 36)).sum())
    assert chi_square < 80  # 35 degrees of freedom: exceeded once in 25 000 seeds
    ordered = azimuth.sort().values
    gaps = torch.diff(ordered, append=ordered[:1] + 2 * math.pi)
    assert gaps.max() < 2 * math.pi / n * (math.log(n) + 10)  # exceeded once in e^10 seeds
    assert gaps.max() < math.radians(4) / 1.5


def test_positions_are_uniform_in_area_and_radius():
    """sin(elevation) and radius are uniform: Kolmogorov-Smirnov against the straight line."""
    envelope = Envelope(PIVOT, (2.0, 3.0), (-math.pi, math.pi), (-0.3, 1.3), 0.0, (1.2, 1.5))
    n = 2000
    cameras = draw(envelope, n)
    _, sine, radius = spherical(cameras, PIVOT)
    focal = torch.tensor([camera.fractions[1] for camera in cameras], dtype=torch.float64)
    ranges = ((sine, math.sin(-0.3), math.sin(1.3)), (radius, 2.0, 3.0), (focal, 1.2, 1.5))
    ranks = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    for values, low, high in ranges:
        uniform = ((values - low) / (high - low)).sort().values
        assert (uniform - ranks).abs().max() < 2.2 / math.sqrt(n)  # once in 8000 seeds


def test_targets_fill_their_ball():
    """Axes pass the pivot at distances up to target_spread, on average as for a uniform ball."""
    spread = 0.2
    envelope = Envelope(PIVOT, (2.5, 2.5), (-math.pi, math.pi), (0.0, 0.8), spread, (1.4, 1.4))
    cameras = draw(envelope, 2000)
    offset = torch.tensor(PIVOT) - torch.stack([c.position for c in cameras])
    axes = torch.stack([c.forward for c in cameras])
    distance = torch.linalg.cross(offset, axes).norm(dim=1)
    assert distance.max() < spread
    # Mean distance of a ball's points from a line through its centre: 3 pi / 16 of the radius.
    assert float(distance.mean()) == pytest.approx(3 * math.pi / 16 * spread, rel=0.03)


def test_sampling_is_a_function_of_the_generator():
    """Same seed, same cameras; and one at a time is as good as many at once."""
    envelope = fit_envelope(orbit(whole(13)))
    a, b = draw(envelope, 3, seed=5), draw(envelope, 3, seed=5)
    for x, y in zip(a, b, strict=True):
        assert torch.equal(x.T_world_camera, y.T_world_camera) and x.fy == y.fy
    one = sample_camera(envelope, torch.Generator().manual_seed(5), camera_at(0.0, 0.3, 2.0))
    assert torch.equal(one.T_world_camera, draw(envelope, 1, seed=5)[0].T_world_camera)
    assert not torch.equal(one.T_world_camera, draw(envelope, 1, seed=6)[0].T_world_camera)


def test_envelope_is_plain_data():
    """It goes into manifest.json as it is."""
    assert json.loads(json.dumps(asdict(fit_envelope(orbit(whole(7))))))


def wave(count: int, arc: float = 2 * math.pi) -> list[Camera]:
    """A filmed path: up and down twice between 5 and 35 degrees, once out from 2 to 4 and back, hardly aside."""
    cameras = []
    for k in range(count):
        azimuth = arc * k / count - 1.0
        height = math.radians(20 + 15 * math.sin(2 * azimuth) + (k % 3))
        cameras.append(camera_at(azimuth, height, 3 + math.cos(azimuth)))
    return cameras


@pytest.mark.parametrize(("arc", "turn"), [(2 * math.pi, 1.5), (2.0, -0.85)])
def test_a_filmed_path_has_a_track(arc: float, turn: float) -> None:
    """All its cameras are inside, and what lies far from it at the same azimuth is not."""
    cameras = wave(60, arc)
    envelope = fit_envelope(cameras)
    assert envelope.whole_orbit == (arc > 6) and envelope.track
    assert all(envelope.contains(camera) for camera in cameras)
    band, plain = envelope.band(turn), replace(envelope, track=())
    for elevation, radius in ((envelope.elevation[1], band[2]), (band[0], envelope.radius[1])):
        beside = camera_at(turn, elevation, radius)
        assert plain.contains(beside) and not envelope.contains(beside)


def test_a_path_at_one_distance_has_a_track_by_its_elevations_alone() -> None:
    """A radius that hardly varies does not say that the cameras are strewn all over."""
    cameras = [
        camera_at(0.1 * k, 0.4 + 0.3 * math.sin(0.2 * k), 2 + 0.01 * (k % 2)) for k in range(63)
    ]
    envelope = fit_envelope(cameras)
    assert envelope.track and all(envelope.contains(camera) for camera in cameras)
    lows, highs, *_ = zip(*envelope.track, strict=True)
    assert max(high - low for low, high in zip(lows, highs, strict=True)) < 0.4


def test_bands_are_linear_between_azimuths_and_close() -> None:
    whole = Envelope(
        PIVOT,
        radius=(1.0, 9.0),
        azimuth=(-math.pi, math.pi),
        elevation=(0.0, 1.0),
        target_spread=0.0,
        focal=(1.0, 1.0),
        track=((0.0, 0.2, 1.0, 2.0), (0.4, 0.6, 3.0, 6.0)),
    )
    assert whole.band(-math.pi) == pytest.approx((0.0, 0.2, 1, 2))
    assert whole.band(-math.pi / 2) == pytest.approx((0.2, 0.4, 2, 4))
    assert whole.band(0.0) == pytest.approx((0.4, 0.6, 3, 6))
    assert whole.band(math.pi / 2) == pytest.approx((0.2, 0.4, 2, 4))  # on the way to the first
    arc = replace(whole, azimuth=(1.0, 2.0))
    assert arc.band(1.25) == pytest.approx((0.1, 0.3, 1.5, 3))
    assert arc.band(0.9) == arc.band(1.0) and arc.band(2.3) == arc.band(2.0)
    assert replace(arc, track=()).band(1.5) == (0.0, 1.0, 1.0, 9.0)


@pytest.mark.parametrize("arc", [2 * math.pi, 2.0])
@pytest.mark.parametrize("margin", [0.0, 0.05])
def test_cameras_are_drawn_from_the_track_and_a_margin_holds_them(
    arc: float, margin: float
) -> None:
    envelope = fit_envelope(wave(60, arc))
    drawn = draw(envelope, 200)
    assert all(envelope.contains(camera) for camera in drawn)
    assert all(widened(envelope, margin).contains(camera) for camera in drawn)
    assert all(widened(envelope, margin).contains(camera) for camera in wave(60, arc))


@pytest.mark.parametrize("count", [12, 40, 200])
def test_cameras_all_over_a_dome_have_none(count: int) -> None:
    cameras = []
    for u, v, w in torch.rand(count, 3, generator=torch.Generator().manual_seed(count)).tolist():
        cameras.append(camera_at(math.tau * u, math.radians(10 + 40 * v), 2 + w))
    assert not fit_envelope(cameras).track


@pytest.mark.parametrize("arc", [2 * math.pi, 3.5])
def test_cameras_that_look_around_stand_in_an_envelope_of_their_own(arc: float) -> None:
    """They turn about the room's middle, and the radius grows with the distance from what they face."""
    cameras = room(arc=arc)
    envelope = fit_envelope(cameras)
    assert envelope.outlook == pytest.approx(1.0, abs=0.05)
    assert envelope.pivot == pytest.approx(PIVOT, abs=0.05)
    assert envelope.whole_orbit == (arc > 6)
    assert envelope.radius == pytest.approx((0.5, 0.7), abs=0.06)
    assert 0.05 < envelope.target_spread < 0.15
    assert all(envelope.contains(camera) for camera in cameras)
    near, far = (facing(2.0, ahead, 0.0, 0.0, 1.2) for ahead in (0.4, -0.4))
    assert envelope.contains(near) and not envelope.contains(far)  # that far back nobody stood
    assert not envelope.contains(facing(2.0, 0.4, 0.3, 0.0, 1.2))
    plain = replace(envelope, track=())
    assert not plain.contains(facing(2.0, 0.4, 0.0, 0.0, 1.5))  # too long a lens


def test_a_room_is_seen_from_as_far_as_twice_its_farthest_camera() -> None:
    far = [apply_similarity(torch.diag(torch.tensor([4.0, 4, 4, 1])), c) for c in room()]
    assert 2 * 1.6 < fit_envelope(far).outlook < 2 * 2.1


@pytest.mark.parametrize("margin", [0.0, 0.05])
def test_cameras_drawn_for_a_room_look_around_in_it(margin: float) -> None:
    """Upright, inside, facing outwards all round, and as far beside the line through the pivot as the disc is wide."""
    envelope = fit_envelope(room())
    wide = widened(envelope, margin)
    drawn = draw(envelope, 400)
    assert all(envelope.contains(camera) and wide.contains(camera) for camera in drawn)
    assert all(wide.contains(camera) for camera in room())
    assert all(abs(float(camera.T_world_camera[2, 0])) < 1e-6 for camera in drawn)
    axes = torch.stack([camera.forward for camera in drawn])
    arms = torch.stack([camera.position for camera in drawn]) - torch.tensor(envelope.pivot)
    assert float(((axes * arms).sum(-1) > 0).float().mean()) == 1.0
    beside = torch.linalg.cross(arms, axes).norm(dim=-1)
    # Mean distance of a disc's points from its middle: 2/3 of the radius.
    assert float(beside.mean()) == pytest.approx(2 / 3 * envelope.target_spread, rel=0.06)
    turns = torch.atan2(axes[:, 1], axes[:, 0])
    assert torch.histc(turns, 8, -math.pi, math.pi).min() > 25


def test_a_margin_lets_cameras_of_a_room_stand_farther_aside() -> None:
    """Nobody looks at the pivot, so no spread is too wide for that."""
    envelope = replace(fit_envelope(room()), target_spread=0.6)
    near = envelope.radius[0]
    assert widened(envelope, 0.1).target_spread == pytest.approx(0.6 + 0.1 * near)


def test_standing_and_pose_are_inverse() -> None:
    """In an orbit as in a room; the optical axis goes through the pivot."""
    for outlook in (0.0, 1.5):
        envelope = Envelope(
            PIVOT, (1.0, 2.0), (-3.0, 3.0), (-1.0, 1.0), 0.0, (1.0, 1.0), outlook=outlook
        )
        for numbers in ((0.4, 0.3, 1.2), (-2.9, -0.8, 1.9)):
            camera = replace(camera_at(0.0, 0.0, 1.0), T_world_camera=envelope.pose(*numbers))
            assert envelope.standing(camera) == pytest.approx(numbers, abs=1e-6)
            arm = camera.position - torch.tensor(PIVOT)
            assert float(torch.linalg.cross(arm, camera.forward).norm()) < 1e-6
            assert float(arm.norm()) == pytest.approx(abs(numbers[2] - outlook), abs=1e-6)
