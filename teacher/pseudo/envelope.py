"""The set of cameras a student is trained for: measured from the training cameras, sampled.

    training cameras --fit_envelope--> Envelope --sample_cameras--> cameras for pseudo-data

Cameras are described around a pivot: position = pivot + radius * (cos e cos a, cos e sin a, sin e),
looking at a target near the pivot with the world's +z up. The page keeps visitors inside the same
set.

Where cameras look around (a room filmed from its middle), the pivot is what they turn about, and
nobody looks at it. Then azimuth and elevation say which way the camera faces, against (cos e cos a,
cos e sin a, sin e) as before; and the radius is not its distance from the pivot but from a point
that always lies `outlook` ahead of it, so that smaller is nearer to what is seen, as before.
Instead of looking aside, a camera stands beside the line through the pivot. With an outlook of 0
all of this is an orbit.

A whole orbit is sampled whole: the R2L family drew azimuths from [-178, 178] degrees and so never
showed its students a wedge of 4 degrees. Partial arcs (photos of one side) and forward-facing
captures are the same thing with a narrower range.

A path that was filmed fills little of what its elevations and distances span together: then the
envelope has a track, the band around the path, and both ranges are those of the track where a
camera stands.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from teacher.cameras import Camera, look_around, look_at, point_of_interest

RADIUS_MARGIN = 0.02
"""Ranges of radius and focal length are widened by this fraction of themselves, at both ends."""
ANGLE_MARGIN = math.radians(2)
"""Arcs of azimuth and elevation are widened by this, at both ends."""
WHOLE_ORBIT_GAP = math.radians(60)
"""Cameras that leave no azimuth gap wider than this go all the way round."""
STEEPEST = math.radians(89)
"""Elevations stay below this: at the pole, "up" means nothing."""
WIDEST_SPREAD = 0.5
"""Targets stay within this fraction of the nearest camera's distance: none looks away."""
TRACK_STEP = math.radians(7.5)
"""Azimuths of a track are no farther apart."""
TRACK_WINDOW = math.radians(15)
"""Cameras within this of an azimuth of the track, and at least three, make the ranges there."""
TRACK_SHARE = 0.5
"""A track is kept if it fills less than this share of what it would if cameras were strewn all over the ranges."""
OUTLOOK = 2.0
"""What cameras that look around see is taken to be this many times as far from the pivot as the farthest of them, and
no nearer than 1: half the box's side, where walls are."""
_NONE = (0.0, 0.0)
_TOLERANCE = 1e-4  # relative; float32 poses are exact to about 1e-6


Band = tuple[float, float, float, float]
"""Lowest and highest elevation, nearest and farthest distance."""


@dataclass(frozen=True)
class Envelope:
    """Ranges of an orbit camera; angles in radians, lengths in norm units."""

    pivot: tuple[float, float, float]
    """The point orbited, or turned about: least-squares intersection of the training cameras' optical axes."""
    radius: tuple[float, float]
    """Nearest and farthest distance from the pivot, or from the point `outlook` ahead of it."""
    azimuth: tuple[float, float]
    """First angle and last angle, first < last; a span of 2 pi means all the way round."""
    elevation: tuple[float, float]
    """Lowest and highest angle above the horizontal plane through the pivot."""
    target_spread: float
    """How far from the pivot the point looked at may lie, or an optical axis may pass it."""
    focal: tuple[float, float]
    """Smallest and largest focal length, as a fraction of the picture's height."""
    track: tuple[Band, ...] = ()
    """Around a filmed path, the ranges of elevation and radius at azimuths evenly from the first to the last (all the
    way round the last one is left out, being the first); between two they are linear. Empty: the same everywhere.
    """
    outlook: float = 0.0
    """0: cameras orbit the pivot. Else they look around, and what they see is taken to be this far ahead of it."""

    def standing(self, camera: Camera) -> tuple[float, float, float]:
        """Azimuth, elevation (radians) and radius of `camera`."""
        arm = camera.position.double() - torch.tensor(self.pivot, dtype=torch.float64)
        side = -camera.forward.double() if self.outlook else arm
        x, y, z = side.tolist()
        radius = self.outlook + float(arm @ side) if self.outlook else float(arm.norm())
        return math.atan2(y, x), math.atan2(z, math.hypot(x, y)), radius

    def pose(self, azimuth: float, elevation: float, radius: float) -> Float[Tensor, "4 4"]:
        """The upright camera that stands there, its optical axis through the pivot; float32."""
        pivot, side = torch.tensor(self.pivot, dtype=torch.float64), direction(azimuth, elevation)
        position = pivot + (radius - self.outlook) * side
        return look_at(position, position - side).float()

    def band(self, azimuth: float) -> Band:
        """The ranges of elevation and radius at `azimuth`."""
        if not self.track:
            return (*self.elevation, *self.radius)
        (first, last), count = self.azimuth, len(self.track)
        span, steps = last - first, count if self.whole_orbit else max(1, count - 1)
        turned = (azimuth - first) % math.tau
        if not self.whole_orbit:  # what is beyond the arc has its nearer end's
            middle = 0.5 * (first + last)
            turned = max(0.0, min(span, math.remainder(azimuth - middle, math.tau) + 0.5 * span))
        place = turned / span * steps
        k = min(int(place), steps - 1)
        before, after = self.track[k % count], self.track[(k + 1) % count]
        a, b, c, d = (x + (place - k) * (y - x) for x, y in zip(before, after, strict=True))
        return a, b, c, d

    @property
    def whole_orbit(self) -> bool:
        """Whether the azimuth goes all the way round."""
        return self.azimuth[1] - self.azimuth[0] >= 2 * math.pi - 1e-9

    def contains(self, camera: Camera) -> bool:
        """Whether `camera` lies inside; its roll is not looked at."""
        around, elevation, radius = self.standing(camera)
        azimuth, band = around - self.azimuth[0], self.band(around)
        slack = _TOLERANCE * radius
        return (
            _inside(radius, band[2:], slack)
            and (azimuth + _TOLERANCE) % math.tau
            <= self.azimuth[1] - self.azimuth[0] + 2 * _TOLERANCE
            and _inside(elevation, band[:2], _TOLERANCE)
            and _axis_distance(camera, torch.tensor(self.pivot)) <= self.target_spread + slack
            and _inside(camera.fractions[1], self.focal, _TOLERANCE)
        )


def fit_envelope(cameras: Sequence[Camera]) -> Envelope:
    """The envelope of training cameras, with the margins that this module names.

    All `cameras` are inside, but for those that look past the pivot by more than `WIDEST_SPREAD`
    allows.

    Args:
        cameras: at least one, in the norm frame.
    """
    pivot = point_of_interest(cameras).float()
    bare = Envelope(
        _point(pivot), _NONE, _NONE, _NONE, 0.0, _NONE, outlook=_outlook(cameras, pivot)
    )
    azimuths, elevations, radii = torch.tensor([bare.standing(camera) for camera in cameras]).T
    low, high = _widened_angles(float(elevations.min()), float(elevations.max()))
    past = max(_axis_distance(camera, pivot) for camera in cameras)
    focal = [camera.fractions[1] for camera in cameras]
    plain = replace(
        bare,
        radius=_widened(float(radii.min()), float(radii.max())),
        azimuth=azimuth_range(azimuths),
        elevation=(max(low, -STEEPEST), min(high, STEEPEST)),
        target_spread=past if bare.outlook else min(past, WIDEST_SPREAD * float(radii.min())),
        focal=_widened(min(focal), max(focal)),
    )
    windows = _windows(plain, azimuths)
    if not _along_a_path(windows, elevations, radii):
        return plain
    return replace(plain, track=_track(windows, elevations, radii))


def _outlook(cameras: Sequence[Camera], pivot: Float[Tensor, "3"]) -> float:
    if not look_around(cameras):
        return 0.0
    farthest = max(float((camera.position - pivot).norm()) for camera in cameras)
    return max(1.0, OUTLOOK * farthest)


def _windows(plain: Envelope, azimuths: Float[Tensor, " cameras"]) -> list[Int[Tensor, " _"]]:
    """The cameras near each azimuth of a track, by number."""
    windows = []
    for azimuth in _places(plain):
        away = torch.remainder(azimuths - azimuth + math.pi, math.tau).sub(math.pi).abs()
        window = max(TRACK_WINDOW, float(away.sort().values[:3][-1]))
        windows.append((away <= window + _TOLERANCE).nonzero()[:, 0])
    return windows


def _along_a_path(
    windows: list[Int[Tensor, " _"]],
    elevations: Float[Tensor, " cameras"],
    radii: Float[Tensor, " cameras"],
) -> bool:
    """Whether cameras that are near each other span little of what all span together.

    Of `n` that are strewn all over a range, (n - 1) / (n + 1) is spanned on average. A range no wider than its margins
    says nothing.
    """
    margins = (elevations, 2 * ANGLE_MARGIN), (radii, 2 * RADIUS_MARGIN * float(radii.mean()))
    wide = [values for values, margin in margins if _span(values) > margin]
    fills = [math.prod(_span(v[near]) / _span(v) for v in wide) for near in windows]
    strewn = [((len(near) - 1) / (len(near) + 1)) ** len(wide) for near in windows]
    return sum(fills) < TRACK_SHARE * sum(strewn)


def _span(values: Float[Tensor, " n"]) -> float:
    return float(values.max() - values.min())


def _track(
    windows: list[Int[Tensor, " _"]],
    elevations: Float[Tensor, " cameras"],
    radii: Float[Tensor, " cameras"],
) -> tuple[Band, ...]:
    """The bands around a path, with margins."""
    rows = []
    for near in windows:
        low, high = _widened_angles(float(elevations[near].min()), float(elevations[near].max()))
        closest, farthest = _widened(float(radii[near].min()), float(radii[near].max()))
        rows.append((max(low, -STEEPEST), min(high, STEEPEST), closest, farthest))
    return tuple(rows)


def _places(envelope: Envelope) -> list[float]:
    """The azimuths of a track: evenly all round, or from one end to the other."""
    first, last = envelope.azimuth
    steps = max(1, math.ceil((last - first) / TRACK_STEP))
    count = steps if envelope.whole_orbit else steps + 1
    return [first + k * (last - first) / steps for k in range(count)]


def widened(envelope: Envelope, margin: float) -> Envelope:
    """`envelope` and what lies around it, so that a student learns past the edge it promises.

    Every camera of `envelope` is in it; a whole orbit stays exactly one, and no elevation gets
    steeper than `STEEPEST` for it.

    Args:
        envelope: the promised set.
        margin: by how much each range grows at both ends: radius and focal length by this fraction
            of themselves, angles by this in radians; targets by this fraction of the least radius,
            which turns the camera by as much.
    """
    (first, last), (low, high) = envelope.azimuth, envelope.elevation
    excess = max(0.0, last - first + 2 * margin - math.tau) / 2  # of an arc that closes
    near = envelope.radius[0]
    arc = first - margin + excess, last + margin - excess
    spread = envelope.target_spread + margin * near
    if not envelope.outlook:
        spread = min(spread, WIDEST_SPREAD * near * (1 - margin))
    return replace(
        envelope,
        radius=(near * (1 - margin), envelope.radius[1] * (1 + margin)),
        azimuth=arc,
        elevation=_steepened(low, high, margin),
        target_spread=max(envelope.target_spread, spread),
        focal=(envelope.focal[0] * (1 - margin), envelope.focal[1] * (1 + margin)),
        track=_widened_track(envelope, arc, margin),
    )


def _steepened(low: float, high: float, margin: float) -> tuple[float, float]:
    return min(low, max(low - margin, -STEEPEST)), max(high, min(high + margin, STEEPEST))


def _widened_track(envelope: Envelope, arc: tuple[float, float], margin: float) -> tuple[Band, ...]:
    """The track along a longer arc: where bands come to lie apart from those they were, all that were near count."""
    if not envelope.track:
        return ()
    rows = []
    longer = replace(envelope, azimuth=arc)
    for azimuth in _places(longer):
        near = [envelope.band(azimuth + step) for step in (-TRACK_STEP, 0.0, TRACK_STEP)]
        lows, highs, closest, farthest = zip(*near, strict=True)
        low, high = _steepened(min(lows), max(highs), margin)
        rows.append((low, high, min(closest) * (1 - margin), max(farthest) * (1 + margin)))
    return tuple(rows)


def azimuth_range(azimuths: Float[Tensor, " cameras"]) -> tuple[float, float]:
    """The arc that azimuths (radians) cover: the complement of the largest gap between them.

    Returns:
        First and last angle, first in [-pi, pi). The span is exactly 2 pi if the gap is no wider
        than `WHOLE_ORBIT_GAP`, otherwise 2 pi - gap and the margins.
    """
    ordered = azimuths.double().sort().values
    gaps = torch.diff(ordered, append=ordered[:1] + math.tau)
    widest = int(gaps.argmax())
    gap = float(gaps[widest])
    if gap <= WHOLE_ORBIT_GAP:
        return -math.pi, math.pi
    last = float(ordered[widest])
    first, last = _widened_angles(last + gap - math.tau, last)
    turns = math.floor((first + math.pi) / math.tau) * math.tau
    return first - turns, last - turns


def sample_camera(envelope: Envelope, generator: torch.Generator, like: Camera) -> Camera:
    """One camera drawn from `envelope`; see `sample_cameras`."""
    return sample_cameras(envelope, 1, generator, like)[0]


def sample_cameras(
    envelope: Envelope, count: int, generator: torch.Generator, like: Camera
) -> list[Camera]:
    """Draw independent, upright cameras.

    Uniform are: azimuth, sine of elevation (so that directions are uniform in area on the sphere),
    radius, target in its ball (or place in the disc across the direction), and focal length.

    Args:
        envelope: the set to draw from, in the norm frame.
        count: how many.
        generator: source of randomness.
        like: gives the size, principal point and pixel aspect ratio, but no lens distortion.
    """
    u = torch.rand(count, 7, generator=generator, dtype=torch.float64)
    sides, radii = _standings(envelope, u[:, 0], u[:, 1:3])
    positions = torch.tensor(envelope.pivot) + (radii - envelope.outlook)[:, None] * sides
    if envelope.outlook:
        positions = positions + envelope.target_spread * _in_disc(sides, u[:, 3:5])
        targets = positions - sides
    else:
        targets = torch.tensor(envelope.pivot) + envelope.target_spread * _in_ball(u[:, 3:6])
    focal = _between(envelope.focal, u[:, 6]).tolist()
    poses = [look_at(p, t).float() for p, t in zip(positions, targets, strict=True)]
    return [seen_through(like, pose, f) for pose, f in zip(poses, focal, strict=True)]


def seen_through(like: Camera, pose: Float[Tensor, "4 4"], focal: float) -> Camera:
    """The pinhole camera at `pose` with a focal length of `focal` picture heights, else as `like`."""
    fy = focal * like.height
    return replace(
        like.undistorted(), T_world_camera=pose, fx=fy * like.fx / like.fy, fy=fy, time=None
    )


def _standings(
    envelope: Envelope, far: Float[Tensor, " n"], u: Float[Tensor, "n 2"]
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
    """Directions, uniform in area within their band, and radii, even."""
    azimuth = _between(envelope.azimuth, u[:, 0])
    bands = torch.tensor([envelope.band(a) for a in azimuth.tolist()], dtype=torch.float64)
    low, high, nearest, farthest = bands.unbind(-1)
    z = _between((low.sin(), high.sin()), u[:, 1])
    level = (1 - z * z).sqrt()
    directions = torch.stack([level * azimuth.cos(), level * azimuth.sin(), z], -1)
    return directions, _between((nearest, farthest), far)


def _in_disc(axes: Float[Tensor, "n 3"], u: Float[Tensor, "n 2"]) -> Float[Tensor, "n 3"]:
    """Points of the unit discs across `axes` (none upright), uniform in area."""
    up = torch.tensor([0.0, 0.0, 1.0], dtype=axes.dtype).expand_as(axes)
    right = torch.nn.functional.normalize(torch.linalg.cross(up, axes), dim=-1)
    turn, far = math.tau * u[:, :1], u[:, 1:].sqrt()
    return far * (turn.cos() * right + turn.sin() * torch.linalg.cross(axes, right))


def _in_ball(u: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Points of the unit ball, uniform in volume."""
    azimuth, z = math.tau * u[:, 0], 2 * u[:, 1] - 1
    level = (1 - z * z).sqrt()
    sphere = torch.stack([level * azimuth.cos(), level * azimuth.sin(), z], -1)
    return u[:, 2:] ** (1 / 3) * sphere


def direction(azimuth: float, elevation: float) -> Float[Tensor, "3"]:
    """The unit vector at these angles (radians), in float64."""
    level = math.cos(elevation)
    side = (level * math.cos(azimuth), level * math.sin(azimuth), math.sin(elevation))
    return torch.tensor(side, dtype=torch.float64)


def _point(vector: Float[Tensor, "3"]) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z


def _between(
    limits: tuple[float, float] | tuple[Tensor, Tensor], u: Float[Tensor, " n"]
) -> Float[Tensor, " n"]:
    return limits[0] + (limits[1] - limits[0]) * u


def _axis_distance(camera: Camera, point: Float[Tensor, "3"]) -> float:
    """Distance of `point` from the camera's optical axis."""
    return float(torch.linalg.cross(point - camera.position, camera.forward).norm())


def _widened(low: float, high: float) -> tuple[float, float]:
    return low * (1 - RADIUS_MARGIN), high * (1 + RADIUS_MARGIN)


def _widened_angles(low: float, high: float) -> tuple[float, float]:
    return low - ANGLE_MARGIN, high + ANGLE_MARGIN


def _inside(value: float, limits: tuple[float, float], slack: float) -> bool:
    return limits[0] - slack <= value <= limits[1] + slack
