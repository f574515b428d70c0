"""Small motions of cameras, and the similarity that best takes some cameras onto others.

A motion is a pair (w, v) of a rotation vector (axis times angle, radians) and a translation, both in the cameras'
common frame. It turns a camera about its own centre and then shifts it:

    R -> Exp(w) R      c -> c + v      so that its rays go  o -> o + v,  d -> Exp(w) d
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera

_SERIES_BELOW = 1e-2  # square of the angle below which four terms are exact, even in float64
_NEAREST = 0.25  # norm units: cameras nearer than this to what they look at shift in units of this
_NEGLIGIBLE = 1e-6  # singular values below this fraction of the largest are no direction


def rotate(w: Float[Tensor, "*n 3"], x: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
    """Exp(w) x: vectors `x` turned by the rotation vectors `w`; any number of times differentiable, at w = 0 too.

    Rodrigues' formula x + A w × x + B w × (w × x) with A = sin(a) / a, B = (1 - cos(a)) / a², a = |w| (Murray, Li
    and Sastry 1994, equation 2.14); near zero A and B are their series.

    >>> rotate(torch.tensor([0.0, 0.0, torch.pi / 2]), torch.tensor([1.0, 0.0, 0.0])).round(decimals=4)
    tensor([0., 1., 0.])
    """
    a, b = _rodrigues(w.square().sum(-1, keepdim=True))
    across = torch.linalg.cross(w, x)
    return x + a * across + b * torch.linalg.cross(w, across)


def _rodrigues(s: Tensor) -> tuple[Tensor, Tensor]:
    """A and B of `rotate` for the square `s` of the angle.

    The root is taken of a harmless number where the series is used: its infinite slope at 0 would be multiplied by
    the zero that `where` sends back, to NaN.
    """
    small = s < _SERIES_BELOW
    angle = torch.where(small, torch.ones_like(s), s).sqrt()
    a = torch.where(small, 1 - s / 6 * (1 - s / 20 * (1 - s / 42)), angle.sin() / angle)
    half = 2 * (angle / 2).sin().square() / angle.square()  # 1 - cos, without its cancellation
    b = torch.where(small, 0.5 - s / 24 * (1 - s / 30 * (1 - s / 56)), half)
    return a, b


def moved(camera: Camera, motion: Float[Tensor, "6"]) -> Camera:
    """`camera` after the motion (w, v); see the module's docstring."""
    w, v = motion.detach().to(camera.T_world_camera).split(3)
    pose = camera.T_world_camera.clone()
    pose[:3, :3] = rotate(w.expand(3, 3), pose[:3, :3].T).T
    pose[:3, 3] += v
    return replace(camera, T_world_camera=pose)


def gauge_directions(
    centres: Float[Tensor, "cameras 3"],
) -> Float[Tensor, "coordinates directions"]:
    """Orthonormal motions of all cameras together that show the same pictures of a scene that moves along.

    These are the rotations, translations and scalings of space, to first order: 7 directions in the 6 * cameras
    coordinates of the motions (fewer where cameras are too few to tell them apart).
    """
    arm = centres.double() - centres.double().mean(0)
    basis = torch.eye(3, dtype=torch.float64)[:, None].expand(3, len(arm), 3)
    turns = torch.cat([basis, torch.linalg.cross(basis, arm.expand(3, -1, -1))], -1)
    shifts = torch.cat([torch.zeros_like(basis), basis], -1)
    scaling = torch.cat([torch.zeros_like(arm), arm], -1)[None]
    directions = torch.cat([turns, shifts, scaling]).flatten(1).T
    u, sizes, _ = torch.linalg.svd(directions, full_matrices=False)
    return u[:, sizes > _NEGLIGIBLE * sizes[0]].to(centres)


def gauge_readings(
    centres: Float[Tensor, "cameras 3"], point: Float[Tensor, "3"]
) -> Float[Tensor, "readings coordinates"]:
    """How far a motion of all cameras takes a scene about `point` along: its shift, its turn, its growth.

    A camera takes along what it shows: shift and turn are the means of where `point` goes and how it is turned. The
    growth is that of the cameras' places.
    """
    c, n, basis = centres.double(), len(centres), torch.eye(3, dtype=torch.float64)
    basis = basis[:, None].expand(3, n, 3)
    arm = c - c.mean(0)
    ahead = (point.double() - c).expand(3, -1, -1)
    shifts = torch.cat([torch.linalg.cross(ahead, basis), basis], -1) / n
    turns = torch.cat([basis, torch.zeros_like(basis)], -1) / n
    growth = torch.cat([torch.zeros_like(arm), arm], -1)[None]
    growth = growth / arm.square().sum().clamp_min(_NEGLIGIBLE**2)
    return torch.cat([shifts, turns, growth]).flatten(1).to(centres)


def orbit_basis(camera: Camera, point: Float[Tensor, "3"]) -> Float[Tensor, "6 6"]:
    """Motions (columns: w, v) that pictures of what lies about `point` tell apart, each in radians.

    Turns about the camera's own three axes; turns about its x and y axis through the spot ahead that is as far away as
    `point`, which leave that spot's image where it is; and going there, in units of that distance. A shift along the
    camera's x or y looks almost as a turn does: for an optimiser that weighs each coordinate by itself (Adam), the
    six numbers of turns and shifts are a long narrow valley across all of them.
    """
    R, place = camera.T_world_camera[:3, :3].double(), camera.position.double()
    distance = (place - point.double()).norm().clamp_min(_NEAREST)
    arm = R[:, 2] * distance  # from that spot to the camera
    basis = torch.zeros(6, 6, dtype=torch.float64)
    basis[:3, :3] = R
    basis[:3, 3:5] = R[:, :2]
    basis[3:, 3:5] = torch.linalg.cross(R[:, :2].T, arm.expand(2, 3)).T
    basis[3:, 5] = arm
    return basis.float()


def aligning_similarity(
    cameras: Sequence[Camera],
    onto: Sequence[Camera],
    about: Float[Tensor, "3"] | None = None,
) -> Float[Tensor, "4 4"]:
    """The similarity T that takes `cameras` onto `onto` in the least-squares sense, as float64.

    Umeyama 1991, equations 40 to 42, on the centres; the rotation is found from the cameras' axes as well (the
    chordal mean of R' R^T: Hartley et al. 2013, "Rotation Averaging"), with the centres in units of their spread,
    so that cameras in a row or on one spot do. The scale is 1 where all centres coincide.

    With `about`, a point that pictures show, T takes that point where the cameras on average carry it, rather than
    their mean centre to their mean centre. Turning all cameras a little and shifting what they look at changes their
    pictures less than anything else does; who wants to see the same picture has to follow the shift.
    """
    given, wanted = (
        torch.stack([c.T_world_camera for c in each]).double() for each in (cameras, onto)
    )
    arm, arm_wanted = (poses[:, :3, 3] - poses[:, :3, 3].mean(0) for poses in (given, wanted))
    spread = arm.square().sum(-1).mean()
    turns = wanted[:, :3, :3] @ given[:, :3, :3].mT
    if spread > _NEGLIGIBLE**2:
        turns = turns + arm_wanted[:, :, None] * arm[:, None, :] / spread
    R = _nearest_rotation(turns.mean(0))
    along = (arm_wanted * (arm @ R.T)).sum(-1).mean()
    scale = along / spread if spread > _NEGLIGIBLE**2 else torch.ones(())
    T = torch.eye(4, dtype=torch.float64)
    T[:3, :3] = scale * R
    T[:3, 3] = wanted[:, :3, 3].mean(0) - T[:3, :3] @ given[:, :3, 3].mean(0)
    if about is not None:
        T[:3, 3] += _carried(about, given, wanted, T)
    return T


def _carried(
    point: Float[Tensor, "3"],
    given: Float[Tensor, "cameras 4 4"],
    wanted: Float[Tensor, "cameras 4 4"],
    T: Float[Tensor, "4 4"],
) -> Float[Tensor, "3"]:
    """How far from T @ point it is on average, where it stays what it is for each camera."""
    scale = torch.linalg.det(T[:3, :3]) ** (1 / 3)
    local = (given[:, :3, :3].mT @ (point.to(given) - given[:, :3, 3])[:, :, None]) * scale
    places = (wanted[:, :3, :3] @ local)[:, :, 0] + wanted[:, :3, 3]
    return places.mean(0) - (T[:3, :3] @ point.to(T) + T[:3, 3])


def _nearest_rotation(matrix: Float[Tensor, "3 3"]) -> Float[Tensor, "3 3"]:
    u, _, vh = torch.linalg.svd(matrix)
    flip = torch.ones(3, dtype=matrix.dtype)
    flip[2] = torch.sign(torch.linalg.det(u @ vh))
    return u @ (flip[:, None] * vh)


def differences(
    cameras: Sequence[Camera], others: Sequence[Camera]
) -> tuple[Float[Tensor, " cameras"], Float[Tensor, " cameras"]]:
    """How far each camera is from its counterpart: angle in degrees, and distance between centres, in float64."""
    a, b = (torch.stack([c.T_world_camera for c in each]).double() for each in (cameras, others))
    # the chord |R_a - R_b| = 2 sqrt(2) sin(angle / 2) keeps its digits where the trace loses them
    chord = (a - b)[:, :3, :3].square().sum((1, 2)).sqrt()
    angle = 2 * torch.arcsin((chord / 8**0.5).clamp_max(1))
    return torch.rad2deg(angle), (a - b)[:, :3, 3].norm(dim=-1)
