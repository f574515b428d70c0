"""From the data set's frame to the normalised one, by an explicit similarity.

    RawScene --point of interest--> "near" frame --box--> "norm" frame: Scene

The box is the first of these that there is: what the user gives; the visual hull, where pictures
have transparent parts; what the data set asks for; a cube around the point of interest that reaches
BEYOND_CAMERAS times as far as the cameras are on average and holds every camera, because
photographs show what lies behind the object too, widened where a reconstruction's sparse points
show more than that (`teacher.datasets.sparse`).

In the near frame the point of interest is the origin and the mean distance of the cameras is 1.
Poses are float64 up to there, so that captures with large coordinates (a map's, say) keep their
precision. All similarities are a uniform scale and a translation: +z stays up.

A teacher without bounds takes a tighter cube, `around_cameras`: what a contracted field keeps as it is is that very
cube (`teacher.fields.domains.Contracted`), and everything else lies outside. The box stays finite for those who need
one, such as the student.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from teacher.cameras import Camera, apply_similarity, look_around, point_of_interest
from teacher.datasets.hull import visual_hull
from teacher.datasets.raw import RawScene
from teacher.datasets.sparse import widened
from teacher.errors import UserError
from teacher.scene import Frame, Scene

Corners = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Lower and upper corner of a box, in world units."""

BEYOND_CAMERAS = 1.5  # for comparison: the author of instant-ngp's fox chose 1.2 by hand
SURROUNDINGS = (
    1.1  # half a side of `around_cameras`, in distances of the camera farthest along an axis
)
WALLS = 3.0
MOST = 0.95  # a window shows what is far away
_ALPHA_PROBES = 8  # pictures opened to see whether the alpha channel is used at all
_CONTRADICTION = "{}: no point is covered in all pictures, so their alpha says nothing of the box"
_UPRIGHT = 0.5  # least z of the mean up vector of a world that is plausibly z-up (60 degrees)


def normalise(raw: RawScene, aabb: Corners | None = None) -> Scene:
    """The scene in its norm frame; `aabb` overrides the box that the data suggest.

    Raises:
        UserError: `aabb` is not a box, or a picture that the hull needs cannot be read.
    """
    given = raw.aabb if aabb is None else _checked(aabb)
    train = raw.splits["train"]
    T_near_world = _near_frame([frame.camera for frame in train])
    near = _moved(T_near_world, train)
    has_alpha = raw.has_alpha and _any_transparent(train)
    carve = has_alpha and aabb is None
    box = _hull(near) if carve else None
    contradiction = (_CONTRADICTION.format(raw.name),) if carve and box is None else ()
    if box is None and given is not None:
        box = _moved_points(T_near_world, given)
    elif box is None:
        points = raw.points
        box = _around(near, None if points is None else _moved_points(T_near_world, points))
    T_norm_near = _onto_unit_cube(box)
    T_norm_world = T_norm_near @ T_near_world
    return Scene(
        raw.name,
        {split: _moved(T_norm_world, frames) for split, frames in raw.splits.items()},
        T_norm_world.float(),
        _moved_points(T_norm_near, box).float(),
        has_alpha,
        raw.warnings + _not_upright(raw) + _moving(raw) + contradiction,
        raw.T_world_source.float(),
        None if raw.points is None else _moved_points(T_norm_world, raw.points).float(),
    )


def reframed(scene: Scene, T_norm_world: Float[Tensor, "4 4"], aabb: Float[Tensor, "2 3"]) -> Scene:
    """`scene` in another norm frame, with the box `aabb` in that frame."""
    T = T_norm_world.double() @ scene.T_norm_world.double().inverse()
    points = None if scene.points is None else _moved_points(T, scene.points).float()
    splits = {split: _moved(T, frames) for split, frames in scene.splits.items()}
    return replace(scene, splits=splits, T_norm_world=T_norm_world, aabb=aabb, points=points)


def around_cameras(scene: Scene) -> Scene:
    """`scene` for a field without bounds: its cube holds the training cameras and what they look at, no more.

    Cameras that look around are in the middle of what they look at: then the cube holds most of what the sparse points
    show, or, where there are none, reaches `WALLS` times as far as the cameras.

    What lies beyond keeps its room in the contracted part; a cube that held it too would leave less for the rest
    (orbit.mp4 at 240 px, 4000 steps: 26.50 dB instead of 26.24).
    """
    cameras = scene.cameras()
    centre = point_of_interest(cameras).double()
    offsets = torch.stack([camera.position.double() for camera in cameras]) - centre
    half = SURROUNDINGS * offsets.abs().max()
    if look_around(cameras):
        half = WALLS * half if scene.points is None else _holding(half, scene.points - centre)
    T = _similarity(1 / half.clamp_min(1e-9), centre)
    return reframed(
        scene, (T @ scene.T_norm_world.double()).float(), torch.tensor([[-1.0] * 3, [1.0] * 3])
    )


def _holding(half: Float[Tensor, ""], points: Float[Tensor, "n 3"]) -> Float[Tensor, ""]:
    """Half the side of a cube that holds `MOST` of the points, and no smaller than `half`."""
    return torch.maximum(half, points.abs().amax(-1).double().quantile(MOST))


def _near_frame(cameras: Sequence[Camera]) -> Float64[Tensor, "4 4"]:
    centre = point_of_interest(cameras).double()
    distance = torch.stack([(c.position - centre).norm() for c in cameras]).mean()
    return _similarity(1 / distance.clamp_min(1e-9), centre)


def _onto_unit_cube(box: Float[Tensor, "2 3"]) -> Float64[Tensor, "4 4"]:
    """The similarity that centres `box` and makes its longest side 2."""
    box = box.double()
    return _similarity(2 / (box[1] - box[0]).max(), box.mean(0))


def _similarity(scale: Float[Tensor, ""], centre: Float[Tensor, "3"]) -> Float64[Tensor, "4 4"]:
    """p -> scale * (p - centre)."""
    T = torch.eye(4).double()
    T[:3, :3] *= scale
    T[:3, 3] = -scale * centre
    return T


def _moved(T: Float64[Tensor, "4 4"], frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """`frames` with their cameras in the frame that `T` leads to, in float32 from here on."""
    cameras = [apply_similarity(T, frame.camera) for frame in frames]
    poses = [camera.T_world_camera.float() for camera in cameras]
    return tuple(
        replace(frame, camera=replace(camera, T_world_camera=pose))
        for frame, camera, pose in zip(frames, cameras, poses, strict=True)
    )


def _moved_points(
    T: Float64[Tensor, "4 4"], points: Float[Tensor, "n 3"]
) -> Float64[Tensor, "n 3"]:
    return points.double() @ T[:3, :3].T + T[:3, 3]


def _hull(frames: Sequence[Frame]) -> Float[Tensor, "2 3"] | None:
    """The visual hull's box in the near frame, searched for as far out as the farthest camera."""
    return visual_hull(frames, max(float(frame.camera.position.norm()) for frame in frames))


def _around(frames: Sequence[Frame], points: Float[Tensor, "n 3"] | None) -> Float[Tensor, "2 3"]:
    """The near frame's box for photographs; the module's docstring has the rule."""
    positions = torch.stack([frame.camera.position for frame in frames])
    half = max(BEYOND_CAMERAS, 1.05 * float(positions.abs().max()))
    cube = torch.tensor([[-half] * 3, [half] * 3])
    return cube if points is None else widened(cube, points.float())


def _any_transparent(frames: Sequence[Frame]) -> bool:
    """Whether alpha channels say anything: a photograph saved with one is opaque throughout."""
    probes = frames[:: max(1, len(frames) // _ALPHA_PROBES)]
    return any(int(frame.picture.alpha().min()) < 255 for frame in probes)


def _checked(aabb: Corners) -> Float64[Tensor, "2 3"]:
    box = torch.tensor(aabb, dtype=torch.float64)
    if box.shape != (2, 3) or not box.isfinite().all() or not (box[0] < box[1]).all():
        raise UserError(
            "the scene's box (aabb)",
            f"{box.tolist()}",
            "lower and upper corner, each x y z in the data set's units, lower < upper",
            "mend the numbers, or leave the box out to have it found",
        )
    return box


def _not_upright(raw: RawScene) -> tuple[str, ...]:
    """A warning where the training cameras say that +z is not up; nothing is turned."""
    ups = torch.stack([frame.camera.T_world_camera[:3, 1] for frame in raw.splits["train"]])
    up = torch.nn.functional.normalize(ups.mean(0), dim=0)
    if up[2] > _UPRIGHT:
        return ()
    seen = ", ".join(f"{value:.2f}" for value in up.tolist())
    return (
        f"{raw.name}: the cameras' mean up vector is ({seen}), not +z; orbits and the page's"
        " controls will be tilted (rotate the data set's poses so that +z is up)",
    )


def _moving(raw: RawScene) -> tuple[str, ...]:
    """A warning where frames were taken at different times of a scene that moves."""
    cameras = [frame.camera for frames in raw.splits.values() for frame in frames]
    times = {camera.time for camera in cameras if camera.time is not None}
    if len(times) < 2:
        return ()
    return (
        f"{raw.name}: its frames have times from {min(times):g} to {max(times):g}; what moves between them blurs,"
        " because all presets are static and ignore time",
    )
