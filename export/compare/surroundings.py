"""Where a run's cameras are, from the first of its stages that can say it.

student/scene.json | teacher/scene.json | bundle/manifest.json -> Surroundings
"""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, tensor

from export.manifest import CameraPose, read_manifest
from export.runs import Run
from export.views import start_camera
from student.checkpoint import load_run
from teacher.cameras import Camera
from teacher.errors import UserError
from teacher.model import read_description
from teacher.pseudo.envelope import Envelope, fit_envelope

Size = tuple[int, int]


@dataclass(frozen=True)
class Surroundings:
    """Cameras of a run, in the norm frame."""

    name: str
    """The scene's."""
    envelope: Envelope
    cameras: tuple[Camera, ...]
    """The training cameras, pinhole; of a bundle alone its reference cameras, the only ones it tells."""
    like: Camera
    """See `export.compare.contenders.Contenders.like`."""
    aabb: Float[Tensor, "2 3"] | None
    """The scene's box; None: a bundle does not tell it."""
    picture: Size | None
    """(height, width) of held-out photographs, if the student was trained at a size of its own."""


def find_surroundings(run: Run) -> Surroundings:
    """The surroundings of `run`; raises UserError, of the last stage asked, where no stage has any."""
    failed: UserError | None = None
    for find in _FINDERS:
        try:
            found = find(run)
        except (UserError, KeyError) as error:
            failed = error if isinstance(error, UserError) else failed
            continue
        if found is not None:
            return found
    remedy = run.lacks[0].command if run.lacks else "train a teacher, or name another folder"
    nothing = UserError(f"run {run.folder}", "no cameras", "a stage with scene.json", remedy)
    raise failed or nothing


def _of_student(run: Run) -> Surroundings | None:
    if run.student is None:
        return None
    student = load_run(run.student)
    cameras, envelope, (height, width) = student.cameras, student.scene.envelope, student.size
    like = start_camera(cameras, envelope).resized(width, height)
    box = tensor(student.scene.aabb)
    return Surroundings(
        student.scene.name, envelope, tuple(cameras), like, box, student.config.size
    )


def _of_teacher(run: Run) -> Surroundings | None:
    if run.teacher is None:
        return None
    scene = read_description(run.teacher)
    cameras = tuple(scene.split("train"))
    envelope = fit_envelope(cameras)
    like = start_camera(cameras, envelope)
    return Surroundings(scene.name, envelope, cameras, like, tensor(scene.aabb), None)


def _of_bundle(run: Run) -> Surroundings | None:
    if run.bundle is None:
        return None
    manifest = read_manifest(run.bundle)
    size = manifest.models[0].width, manifest.models[0].height
    cameras = tuple(posed(view.camera, size) for view in manifest.references)
    like = posed(manifest.start, size)
    return Surroundings(manifest.name, manifest.envelope, cameras, like, None, None)


def posed(pose: CameraPose, size: Size) -> Camera:
    """The camera of a manifest at (width, height)."""
    (fx, fy, cx, cy), (width, height) = pose.intrinsics, size
    T = tensor(pose.T_norm_camera).reshape(4, 4)
    return Camera(T, fx * width, fy * height, cx * width, cy * height, width, height)


_FINDERS: tuple[Callable[[Run], Surroundings | None], ...] = (_of_student, _of_teacher, _of_bundle)
