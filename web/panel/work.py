"""What takes too long for a page to wait for: comparisons, and models that are opened.

    tab --Comparisons.ask--> Job (how far it is)   one thread, the newest question first
    tab --Models.ask-------> Opened (once it is)   one thread

Both outlive a page's run and are shared by all visitors. torch is imported by these threads, a moment after the
first question: the page that asked is painted by then. Comparing gives way to pictures that a visitor waits for,
between two views.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from export.runs import Run
from teacher.errors import UserError

if TYPE_CHECKING:
    from export.compare.contenders import Contenders

GRACE_SECONDS = 1.0
"""Between the first question and torch's import, which would compete with the first paint."""
_NAP_SECONDS = 0.05

Key = tuple[str, float, str, str]


class _Superseded(Exception):
    """Another comparison has been asked for since."""


@dataclass
class Job:
    """A comparison of all views of a run, and how far it is."""

    run: Run
    split: str
    background: str
    state: Literal["waiting", "running", "done", "failed"] = "waiting"
    done: int = 0
    total: int = 0
    view: str = ""
    problem: UserError | None = None

    @property
    def key(self) -> Key:
        """A run that has changed on the disk is compared again."""
        return (str(self.run.folder), self.run.changed, self.split, self.background)

    @property
    def finished(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("done", "failed")


def _compare(job: Job, progress: Callable[[int, int, str], None]) -> None:
    from export.compare.batch import compare_run

    compare_run(job.run, split=job.split, background=job.background, progress=progress)


@dataclass
class Comparisons:
    """Compares runs one after another; what was asked for last comes first."""

    compare: Callable[[Job, Callable[[int, int, str], None]], None] = _compare
    grace: float = GRACE_SECONDS
    _jobs: dict[Key, Job] = field(default_factory=dict)
    _waiting: list[Job] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _rest_until: float = 0.0

    def ask(self, run: Run, split: str, background: str) -> Job:
        """The comparison of `run`, begun by the first who asks."""
        job = Job(run, split, background)
        with self._changed:
            if job.key in self._jobs:
                return self._jobs[job.key]
            self._jobs[job.key] = job
            self._waiting.append(job)
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True, name="comparisons")
                self._thread.start()
        return job

    def forget(self, job: Job) -> None:
        """Let the next question begin anew: after a failure, when its cause has been mended."""
        with self._changed:
            self._jobs.pop(job.key, None)

    def rest(self, seconds: float) -> None:
        """Leave the machine to somebody who waits for a picture, from the end of the view in work."""
        self._rest_until = max(self._rest_until, time.monotonic() + seconds)

    def _work(self) -> None:
        time.sleep(self.grace)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                job = self._waiting.pop()
            self._do(job)

    def _do(self, job: Job) -> None:
        job.state = "running"
        try:
            self.compare(job, lambda done, total, view: self._progress(job, done, total, view))
            job.state = "done"
        except _Superseded:
            job.state = "waiting"
            with self._changed:
                self._waiting.insert(0, job)
        except Exception as error:  # whatever it is, the page says it and this thread lives on
            job.problem = as_problem(error, f"comparing {job.run.name}")
            job.state = "failed"

    def _progress(self, job: Job, done: int, total: int, view: str) -> None:
        job.done, job.total, job.view = done, total, view
        while time.monotonic() < self._rest_until:
            time.sleep(_NAP_SECONDS)
        with self._changed:
            if any(self._newer(job, other) for other in self._waiting):
                raise _Superseded

    def _newer(self, job: Job, other: Job) -> bool:
        order = list(self._jobs)
        return order.index(other.key) > order.index(job.key)


@dataclass
class Opened:
    """The models of a run, or why there are none; neither, while they are being opened."""

    contenders: "Contenders | None" = None
    problem: UserError | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while they render: one picture at a time."""

    @property
    def ready(self) -> bool:
        """Whether opening has ended."""
        return self.contenders is not None or self.problem is not None


@dataclass
class Models:
    """Opens the models of runs, and keeps those asked for last."""

    capacity: int = 4
    _opened: dict[tuple[str, float], Opened] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, run: Run) -> Opened:
        """The models of `run`, opened by the first who asks."""
        key = (str(run.folder), run.changed)
        with self._lock:
            opened = self._opened.pop(key, None)
            if opened is None:
                opened = Opened()
                thread = threading.Thread(target=self._open, args=(run, opened), daemon=True)
                thread.start()
            self._opened[key] = opened  # at the end: the one asked for last
            for old in list(self._opened)[: -self.capacity]:
                del self._opened[old]
        return opened

    def known(self, run: Run) -> "Contenders | None":
        """The models of `run`, if they have been opened."""
        with self._lock:
            opened = self._opened.get((str(run.folder), run.changed))
        return None if opened is None else opened.contenders

    def _open(self, run: Run, opened: Opened) -> None:
        with self._busy:  # one at a time
            try:
                from export.compare.contenders import open_contenders

                opened.contenders = open_contenders(run)
            except Exception as error:
                opened.problem = as_problem(error, f"opening {run.name}")


def as_problem(error: Exception, doing: str) -> UserError:
    """`error` as one that can be shown; those that nobody foresaw say so."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, OSError):
        remedy = "check that the run's folder is still there and readable, then reload the page"
        return UserError(doing, str(error), "files that stay where they are", remedy)
    remedy = "this is a fault of the panel: please report it with what is printed above"
    return UserError(doing, repr(error), "no such error", remedy)


COMPARISONS = Comparisons()
MODELS = Models()
