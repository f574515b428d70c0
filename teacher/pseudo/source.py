"""A source of views: whatever a student can be distilled from, opened from one path.

    runs/x/teacher (a trained NeRF) | "demo" (the analytic scene) | a folder of shards -> Source

Views are numbered, and view k is a pure function of (source, size, seed, k): the training cameras
come first, in an order of which every beginning is spread over all of them (a filmed path is not
walked from its start: a slow teacher would show the rest of it too late), then cameras that its
sampler draws. So any machine can render any part of them, and a stopped run can go on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera
from teacher.crop.files import fingerprint
from teacher.errors import UserError
from teacher.files import sha256
from teacher.pseudo.envelope import Envelope, fit_envelope, sample_camera
from teacher.pseudo.sampler import CameraSampler
from teacher.pseudo.view import View, ViewRenderer
from teacher.seeds import generator_for

Size = tuple[int, int]
"""(height, width) in pixels."""
_UNSEEN_SEED = 2 << 20  # far from any seed of a training pool


@dataclass(frozen=True)
class Source:
    """A renderer together with what a student must know of the scene."""

    name: str
    renderer: ViewRenderer
    envelope: Envelope
    aabb: Float[Tensor, "2 3"]
    """The scene's box in the norm frame."""
    cameras: tuple[Camera, ...]
    """The training cameras, without distortion: they give the size and are part of the pool."""
    fingerprint: str
    """Changes when the views would: keeps stored shards of different teachers apart."""
    sampler: CameraSampler = field(default_factory=CameraSampler, kw_only=True)
    """Draws the cameras that follow the training cameras."""
    unbounded: bool = field(default=False, kw_only=True)
    """Whether views show what lies beyond that box."""

    def camera(self, index: int, size: Size, seed: int) -> Camera:
        """Camera of view `index`: a training camera, or one drawn by the sampler."""
        height, width = size
        if index < len(self.cameras):
            return self.cameras[spread_order(len(self.cameras))[index]].resized(width, height)
        like = self.cameras[index % len(self.cameras)].resized(width, height)
        generator = generator_for(seed, index)
        return self.sampler.draw(self.envelope, self.cameras, generator, like)

    def view(self, index: int, size: Size, seed: int) -> View:
        """View number `index` at `size`; the seed decides on cameras that are drawn."""
        return self.renderer.render(self.camera(index, size, seed))

    def unseen(self, number: int, size: Size) -> View:
        """View `number` of those that no student is shown: from the promised envelope."""
        return self.renderer.render(unseen_camera(self.envelope, self.cameras, number, size))


@cache
def spread_order(count: int) -> tuple[int, ...]:
    """0 ... count - 1 in an order of which every beginning is spread evenly: by reversed binary digits."""
    digits = max(1, (count - 1).bit_length())
    return tuple(sorted(range(count), key=lambda k: int(f"{k:0{digits}b}"[::-1], 2)))


def unseen_camera(envelope: Envelope, cameras: Sequence[Camera], number: int, size: Size) -> Camera:
    """The camera of `Source.unseen`, from the promised envelope and the training cameras."""
    index, (height, width) = len(cameras) + number, size
    like = cameras[index % len(cameras)].resized(width, height)
    return sample_camera(envelope, generator_for(_UNSEEN_SEED, index), like)


def open_source(path: str | Path) -> Source:
    """Open whatever `path` names, by the first entry of `OPENERS` that takes it.

    Raises:
        UserError: nothing takes it, or what it names cannot be used.
    """
    for opener in OPENERS.values():
        source = opener(path)
        if source is not None:
            return source
    raise UserError(
        f"source of views {str(path)!r}",
        "neither of these" if Path(path).exists() else "no such file or folder",
        '"demo", a folder written by --store (with store.json), or a teacher\'s run folder',
        "train a teacher first, or check the path",
    )


def _open_demo(path: str | Path) -> Source | None:
    if str(path) != "demo":
        return None
    from teacher.demo.oracle import demo_source

    return demo_source()


def _open_store(path: str | Path) -> Source | None:
    if not (Path(path) / "store.json").is_file():
        return None
    from teacher.pseudo.store import open_store

    return open_store(Path(path))


def _open_teacher(path: str | Path) -> Source | None:
    folder = Path(path)
    if not (folder / "config.json").is_file():
        return None
    from teacher.model import Teacher

    teacher = Teacher.load(folder)
    cameras = tuple(teacher.scene.split("train"))
    mark = fingerprint(folder, sha256(folder / "model.safetensors"))
    seen = (teacher.scene.name, teacher, fit_envelope(cameras), teacher.aabb, cameras, mark)
    return Source(*seen, unbounded=teacher.unbounded)


OPENERS: dict[str, Callable[[str | Path], Source | None]] = {
    "demo": _open_demo,
    "store": _open_store,
    "teacher": _open_teacher,
}
"""Each returns None for a path not of its kind; each imports only what its kind needs."""
