"""Everything of a run that can render: teacher, student, exports; and what to run for what cannot be opened.

    Run --open_contenders--> Contenders(renderers by model, problems, cameras, envelope)

The teacher is the run's own, or what its student learnt from. One problem hides nothing else: a damaged teacher leaves
the student and the exports to be seen.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from export.compare.identity import PRECISIONS, fingerprint, identities, onnx_file, scene_of
from export.compare.onnx_view import OnnxRenderer
from export.compare.records import MODELS
from export.compare.surroundings import Surroundings, find_surroundings
from export.run_checks import Layout, layout_of, make_command
from export.runs import Lack, Run
from student.checkpoint import load_student
from student.render import StudentRenderer
from teacher.cameras import Camera
from teacher.errors import UserError
from teacher.machine import Device, pick_device
from teacher.model import Teacher
from teacher.pseudo.envelope import Envelope
from teacher.pseudo.view import View, ViewRenderer

_CHEAP = 0.06
"""Seconds; a picture that takes less is timed again where several timings are asked for."""


@dataclass
class Contenders:
    """See the module's docstring."""

    run: Run
    renderers: dict[str, ViewRenderer]
    """By model, in the order of `MODELS`: those that could be opened."""
    problems: tuple[Lack, ...]
    """Why the others could not, and whatever makes the comparison doubtful."""
    surroundings: Surroundings
    identities: dict[str, str]
    _warm: set[tuple[str, int, int]] = field(default_factory=set)

    @property
    def envelope(self) -> Envelope:
        """Of the cameras that the student is made for, or the teacher's training cameras."""
        return self.surroundings.envelope

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """The training cameras, norm frame, pinhole."""
        return self.surroundings.cameras

    @property
    def like(self) -> Camera:
        """A flattering view at the run's own size, pinhole: what free cameras take size and intrinsics from."""
        return self.surroundings.like

    def identity(self, model: str) -> str:
        """Content hash of what renders `model`: equal hashes, equal pictures."""
        return self.identities[model]

    def size(self, model: str, camera: Camera) -> tuple[int, int]:
        """(width, height) that `model` computes for `camera`."""
        renderer = self.renderers[model]
        own = renderer.size if isinstance(renderer, OnnxRenderer) else None
        return own or (camera.width, camera.height)

    def timed(
        self, model: str, size: tuple[int, int], render: Callable[[], View], repeats: int = 1
    ) -> tuple[View, float]:
        """What `render` gives, by `model` at `size`, and the median milliseconds of at most `repeats` runs.

        The first picture of a model and size is rendered twice, since it compiles kernels and fills caches; slow ones
        (60 ms and more) are timed once.
        """
        if (model, *size) not in self._warm:
            render()
            self._warm.add((model, *size))
        view, seconds = _clocked(render)
        times = [seconds]
        while len(times) < repeats and seconds < _CHEAP:
            times.append(_clocked(render)[1])
        return view, 1e3 * statistics.median(times)


def _clocked(render: Callable[[], View]) -> tuple[View, float]:
    start = time.perf_counter()
    view = render()
    return view, time.perf_counter() - start


def open_contenders(
    run: Run, models: Sequence[str] = MODELS, device: Device = "auto"
) -> Contenders:
    """Open those of `models` that `run` has.

    Raises:
        UserError: the run does not even say where its cameras are, or `device` is not there.
    """
    pick_device(device)
    layout = layout_of(run.folder) or Layout(run.folder, run.teacher, run.student, run.bundle)
    renderers: dict[str, ViewRenderer] = {}
    problems: list[Lack] = []
    for model in (model for model in MODELS if model in models):
        opened = _opened(run, layout, model, device)
        if isinstance(opened, Lack):
            problems.append(opened)
        else:
            renderers[model] = opened
    problems += _doubts(run, layout)
    known = identities(run, models)
    return Contenders(run, renderers, tuple(problems), find_surroundings(run), known)


def _opened(run: Run, layout: Layout, model: str, device: Device) -> ViewRenderer | Lack:
    command = _command(run, layout, model)
    try:
        renderer = _OPENERS[model](run, device)
    except UserError as error:
        return Lack(model, f"{error.thing}: {error.given}", command)
    except Exception as error:  # files of other versions fail in any way; the rest is still shown
        why = str(error).strip().splitlines() or [""]
        return Lack(model, f"{type(error).__name__}: {why[-1].strip()}", command)
    return _missing(run, model, command) if renderer is None else renderer


def _known(run: Run, model: str) -> Lack | None:
    """What the run's own checks say of the stage that makes `model`."""
    what = "bundle" if model in PRECISIONS else model
    names = (what, f"{what} of this version", f"{what}'s settings")
    return next((lack for lack in run.lacks if lack.what in names), None)


def _command(run: Run, layout: Layout, model: str) -> str:
    if (known := _known(run, model)) is not None:
        return known.command
    return make_command("export" if model in PRECISIONS else model, layout)


def _missing(run: Run, model: str, command: str) -> Lack:
    known = _known(run, model)
    return Lack(model, f"nothing of it in {run.folder}" if known is None else known.why, command)


def _open_teacher(run: Run, device: Device) -> ViewRenderer | None:
    if run.teacher is not None:
        return Teacher.load(run.teacher, device)
    if run.student is not None and scene_of(run.student)["source"] == "demo":
        from teacher.demo import DemoRenderer

        return DemoRenderer()
    return None


def _open_student(run: Run, device: Device) -> ViewRenderer | None:
    if run.student is None:
        return None
    return StudentRenderer(load_student(run.student)[0].to(pick_device(device)))


def _open_onnx(model: str) -> Callable[[Run, Device], ViewRenderer | None]:
    def opener(run: Run, device: Device) -> ViewRenderer | None:
        if run.bundle is None:
            return None
        path, size = onnx_file(run.bundle, model)
        return OnnxRenderer(path, PRECISIONS[model], size)

    return opener


_OPENERS: dict[str, Callable[[Run, Device], ViewRenderer | None]] = {
    "teacher": _open_teacher,
    "student": _open_student,
    **{model: _open_onnx(model) for model in PRECISIONS},
}


def _doubts(run: Run, layout: Layout) -> list[Lack]:
    """A teacher that is not the one the student learnt from, and a bundle that is not of this student."""
    if run.teacher is None or run.student is None:
        return []
    try:
        learnt, own = scene_of(run.student)["fingerprint"], fingerprint(run.teacher)
    except (UserError, OSError, KeyError):
        return []
    if learnt == own:
        return []
    why = f"the student learnt from teacher {learnt}; {run.teacher} is {own}, trained since"
    folder = Path(run.student)
    return [
        Lack("student of this teacher", why, f"rm -r {folder} && {make_command('student', layout)}")
    ]
