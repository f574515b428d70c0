"""A smooth way through given cameras.

    cameras --keys: position, turn, intrinsics--> cubic Hermite pieces between them --> cameras

Between two keys every coordinate is the cubic with the keys' values and slopes; a slope is that of the parabola through
the key and its neighbours (Bessel's choice), so that the way has no corners and equal steps are equally fast on a
straight line. Turns are unit quaternions, each on the same side as the one before it: the shorter way round; what the
cubics give is brought back to length one. The page does the same between a file's
frames (web/viewer/src/path_spline.ts).
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera
from teacher.errors import UserError

Keys = Float[Tensor, "keys 11"]
"""Position, quaternion (w, x, y, z), intrinsics as fractions."""
_SAME = 1e-6  # norm units plus radians: cameras nearer than this are one key


def interpolate(
    cameras: Sequence[Camera], frames: int, closed: bool = False, like: Camera | None = None
) -> list[Camera]:
    """`frames` cameras at even speed through all `cameras` in their order, the first and the last included.

    Speed is measured in the captured spread: a way as long as the cameras' mean distance from their
    centre counts as much as a turn by one radian. Of a closed way the step from the last camera to the first is one
    like the others.

    Args:
        cameras: at least two that differ.
        frames: number of cameras along the whole way.
        closed: come back to the first camera at the end.
        like: gives the size; by default the first of `cameras`.

    Raises:
        UserError: all cameras are the same.
    """
    keys = _distinct(_keys(cameras))
    if len(keys) < 2:
        given = f"{len(cameras)} cameras on one spot"
        raise UserError("path", given, "two cameras that differ", "choose another kind of path")
    knots = _knots(keys, closed)
    way = knots[-1] * torch.arange(frames) / max(1, frames if closed else frames - 1)
    if closed:
        keys, knots = _wrapped(keys, knots)
    size = like or cameras[0]
    return [_camera(row, size) for row in hermite(_aligned(keys), knots, way)]


def hermite(
    keys: Float[Tensor, "keys d"], knots: Float[Tensor, " keys"], at: Float[Tensor, " n"]
) -> Float[Tensor, "n d"]:
    """The cubic spline of the module's docstring through `keys` at rising `knots`, evaluated at `at`.

    >>> line = torch.tensor([[0.0], [2.0], [3.0]])
    >>> hermite(line, torch.tensor([0.0, 2.0, 3.0]), torch.tensor([0.5, 2.5])).flatten()
    tensor([0.5000, 2.5000])
    """
    steps = knots.diff()[:, None]
    rises = keys.diff(dim=0) / steps
    inner = (steps[1:] * rises[:-1] + steps[:-1] * rises[1:]) / (steps[1:] + steps[:-1])
    slopes = torch.cat([rises[:1], inner, rises[-1:]])
    piece = (torch.searchsorted(knots, at, right=True) - 1).clamp(0, len(knots) - 2)
    h = steps[piece]
    s = (at - knots[piece])[:, None] / h
    rest = 1 - s
    return (
        (1 + 2 * s) * rest.square() * keys[piece]
        + s * rest.square() * h * slopes[piece]
        + s.square() * (3 - 2 * s) * keys[piece + 1]
        - s.square() * rest * h * slopes[piece + 1]
    )


def in_nearest_order(cameras: Sequence[Camera]) -> list[Camera]:
    """`cameras` in an order of short steps: always on to the nearest (in position) not yet visited."""
    places = torch.stack([camera.position for camera in cameras])
    distances = torch.cdist(places, places)
    order, left = [0], set(range(1, len(cameras)))
    while left:
        order.append(min(left, key=lambda k: float(distances[order[-1], k])))
        left.remove(order[-1])
    return [cameras[k] for k in order]


def _keys(cameras: Sequence[Camera]) -> Keys:
    poses = torch.stack([camera.T_world_camera for camera in cameras]).double()
    fractions = torch.tensor([camera.fractions for camera in cameras], dtype=torch.float64)
    turns = torch.stack([quaternion(pose[:3, :3]) for pose in poses])
    return torch.cat([poses[:, :3, 3], turns, fractions], -1)


def _distinct(keys: Keys) -> Float[Tensor, "distinct 11"]:
    """`keys` without those that are where the one before is."""
    moved = torch.cat([torch.tensor([torch.inf]), _steps(keys, keys.roll(1, 0))[1:]]) > _SAME
    return keys[moved]


def _steps(a: Keys, b: Keys) -> Float[Tensor, " keys"]:
    """How far apart keys are: norm units plus radians."""
    turn = 2 * torch.acos((a[:, 3:7] * b[:, 3:7]).sum(-1).abs().clamp_max(1))
    return (a[:, :3] - b[:, :3]).norm(dim=-1) + turn


def _knots(keys: Keys, closed: bool) -> Float[Tensor, " knots"]:
    """Where on the way each key lies; with the way's length as a last knot if it is closed."""
    spread = (keys[:, :3] - keys[:, :3].mean(0)).norm(dim=-1).mean().clamp_min(_SAME)
    scaled = torch.cat([keys[:, :3] / spread, keys[:, 3:]], -1)
    following = scaled.roll(-1, 0)
    steps = _steps(scaled, following).clamp_min(_SAME)
    return torch.cat([torch.zeros(1), steps if closed else steps[:-1]]).double().cumsum(0)


def _wrapped(
    keys: Keys, knots: Float[Tensor, " knots"]
) -> tuple[Float[Tensor, "wrapped 11"], Float[Tensor, " wrapped"]]:
    """A closed way with a key before its first and two after its last, which give the seam its slopes."""
    length = knots[-1:]
    around = torch.cat([knots[-2:-1] - length, knots, length + knots[1:2]])
    return torch.cat([keys[-1:], keys, keys[:2]]), around


def _aligned(keys: Keys) -> Keys:
    """`keys` with each quaternion on the same side as the one before it."""
    aligned = keys.clone()
    for before, now in zip(aligned[:-1, 3:7], aligned[1:, 3:7], strict=True):
        if (before * now).sum() < 0:
            now.neg_()
    return aligned


def _camera(key: Float[Tensor, "11"], like: Camera) -> Camera:
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3], pose[:3, 3] = rotation(key[3:7]), key[:3]
    fx, fy, cx, cy = key[7:].tolist()
    width, height = like.width, like.height
    intrinsics = (fx * width, fy * height, cx * width, cy * height)
    return replace(
        like.undistorted(),
        T_world_camera=pose.float(),
        time=None,
        **dict(zip(("fx", "fy", "cx", "cy"), intrinsics, strict=True)),
    )


def quaternion(R: Float[Tensor, "3 3"]) -> Float[Tensor, "4"]:
    """The unit quaternion (w, x, y, z) of the rotation `R`, up to its sign.

    It is the eigenvector of the largest eigenvalue of a symmetric 4 x 4 matrix (Bar-Itzhack 2000), which needs no
    case for any angle, and finds the nearest rotation where `R` is not quite one.
    """
    (a, b, c), (d, e, f), (g, h, i) = R.double().tolist()
    K = torch.tensor(
        [
            [a + e + i, h - f, c - g, d - b],
            [h - f, a - e - i, b + d, c + g],
            [c - g, b + d, e - a - i, f + h],
            [d - b, c + g, f + h, i - a - e],
        ],
        dtype=torch.float64,
    )
    return torch.linalg.eigh(K).eigenvectors[:, -1]


def rotation(q: Float[Tensor, "4"]) -> Float[Tensor, "3 3"]:
    """The rotation of the quaternion (w, x, y, z), of any length but zero; `quaternion`'s inverse."""
    w, x, y, z = (q / q.norm()).tolist()
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.tensor(rows, dtype=q.dtype)
