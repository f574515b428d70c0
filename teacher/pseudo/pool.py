"""The online pool: a bounded ring of rendered views that the student draws batches from.

    Source --view(0), view(1), ...--> ring of `capacity` views (oldest replaced) --batch--> student

The first `capacity` views are rendered as fast as possible; after that a fresh one whenever the
views have been drawn `reuse` times on average. So the student does not overfit (a pool of 300 views that
never change cost the prototype 1.2 dB against one of 1000) and the teacher does not take
the whole machine.

Which of the held views a batch is made of is decided by a `Chooser`, by default evenly. Several
processes share the numbers: pool k of n renders the source's views k, k + n, k + 2n, ...

With `background=True` a thread renders; torch releases the GIL while it computes. With False,
`wait` and `batch` render themselves, at the same places in every run: what they return then depends
on nothing but their arguments, bit for bit.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import torch
from jaxtyping import Float, Int
from torch import Tensor

from teacher.pseudo.source import Size, Source
from teacher.pseudo.view import PackedView

_ASK_EVERY = 0.1  # seconds between two looks at whether somebody still wants to wait


@dataclass(frozen=True)
class Batch:
    """Views drawn from the pool, in the form that students take."""

    T_norm_camera: Float[Tensor, "n 4 4"]
    intrinsics: Float[Tensor, "n 4"]
    """fx / width, fy / height, cx / width, cy / height."""
    rgba: Float[Tensor, "n 4 height width"]
    """Premultiplied sRGB and alpha in [0, 1]."""
    depth: Float[Tensor, "n 1 height width"]
    """Distance along the unit ray, in norm units; 0 where alpha is 0."""
    numbers: Int[Tensor, " n"]
    """The pool's numbers of the views, in the order in which it rendered them."""


Chooser = Callable[[range, int, torch.Generator], Int[Tensor, " n"]]
"""Numbers of `n` views, given the range of numbers that are held, `n` and a CPU generator."""


def evenly(held: range, n: int, generator: torch.Generator) -> Int[Tensor, " n"]:
    """`n` of `held`, each as likely as the others, with replacement."""
    return held.start + torch.randint(len(held), (n,), generator=generator)


def _never() -> bool:
    return False


@dataclass(frozen=True)
class PoolState:
    """All that a stopped pool has to remember, besides its arguments."""

    rendered: int = 0
    """Views rendered so far: numbers 0 to rendered - 1."""
    drawn: int = 0
    """Views handed out so far, repetitions counted."""


class ViewPool:
    """A bounded, ever renewed set of views; see the module's docstring.

    Used in a `with` statement, or closed by hand: its thread ends then.
    """

    def __init__(
        self,
        source: Source,
        capacity: int,
        size: Size,
        seed: int,
        *,
        reuse: float = 20.0,
        background: bool = True,
        state: PoolState | None = None,
        device: torch.device | str = "cpu",
        part: tuple[int, int] = (0, 1),
    ) -> None:
        """Start the pool.

        Args:
            source: where views come from.
            capacity: how many views are kept; each takes 6 bytes a pixel.
            size: (height, width) in pixels.
            seed: other seeds give other cameras.
            reuse: how often a view is drawn, on average, before another takes its place.
            background: render in a thread, or else in `wait` and `batch`.
            state: where an earlier pool stopped. The views that it held are rendered again, into
                the same places; without a thread, the pool goes on as if it had never stopped.
            device: where views are kept and batches come out.
            part: (k, n): of n pools that share the source's views, this is the k-th.
        """
        assert capacity >= 1 and reuse > 0, (capacity, reuse)
        state = PoolState() if state is None else state
        self.source, self.capacity, self.size, self.seed = source, capacity, size, seed
        self.reuse, self.part = reuse, part
        self._seconds = 0.0
        self._rgba = torch.empty(capacity, 4, *size, dtype=torch.uint8, device=device)
        self._depth = torch.empty(capacity, 1, *size, dtype=torch.float16, device=device)
        self._poses = torch.empty(capacity, 4, 4, device=device)
        self._intrinsics = torch.empty(capacity, 4, device=device)
        self._first = max(0, state.rendered - capacity)
        self._next, self._due, self._drawn = self._first, state.rendered, state.drawn
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="view pool", daemon=True)
        if background:
            self._thread.start()

    def __len__(self) -> int:
        return min(self._next - self._first, self.capacity)

    def __enter__(self) -> "ViewPool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def state(self) -> PoolState:
        """What a later pool needs in order to go on from here."""
        with self._changed:
            return PoolState(max(self._next, self._due), self._drawn)

    @property
    def reuse_rate(self) -> float:
        """Mean number of draws of a view so far; above `reuse`, the teacher is too slow."""
        return self._drawn / max(1, self._next)

    @property
    def seconds_per_view(self) -> float:
        """Mean time that the source took for a view so far; 0 before the first."""
        return self._seconds / max(1, self._next - self._first)

    @property
    def held(self) -> range:
        """The numbers of the views that batches are drawn from."""
        return range(self._next - len(self), self._next)

    def wait(self, minimum: int, enough: Callable[[], bool] = _never) -> None:
        """Return when at least `minimum` views (no more than the capacity) are there.

        Args:
            minimum: how many views to wait for.
            enough: asked now and then; once it says so, waiting is over all the same.

        Raises:
            Exception: whatever the renderer raised.
        """
        assert minimum <= self.capacity, (minimum, self.capacity)
        if not self._background:
            while (len(self) < minimum or self._next < self._due) and not enough():
                self._render_next()
            return
        with self._changed:
            while not self._changed.wait_for(lambda: self._serves(minimum), _ASK_EVERY):
                if enough():
                    return
            if self._error is not None:
                raise self._error

    def _serves(self, minimum: int) -> bool:
        """Whether there is no point in waiting longer for `minimum` views."""
        return len(self) >= minimum or self._error is not None or self._closed

    def batch(self, n: int, generator: torch.Generator, choose: Chooser = evenly) -> Batch:
        """Draw `n` views; waits for the first view if need be.

        Args:
            n: how many.
            generator: decides which; on the CPU.
            choose: how it decides.

        Raises:
            Exception: whatever the renderer raised.
        """
        self.wait(1)
        while not self._background and self._hungry():
            self._render_next()
        with self._changed:
            numbers = choose(self.held, n, generator).to(self._rgba.device)
            pick = numbers % self.capacity
            batch = Batch(
                self._poses[pick],
                self._intrinsics[pick],
                self._rgba[pick].float() / 255,
                self._depth[pick].float(),
                numbers,
            )
            self._drawn += n
            self._changed.notify_all()
        return batch

    def rest(self) -> None:
        """Render no more: batches are drawn from the views that are there. Does not wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def close(self) -> None:
        """End the thread, after the view that it is at."""
        self.rest()
        if self._background:
            self._thread.join()

    @property
    def _background(self) -> bool:
        return self._thread.ident is not None

    def _hungry(self) -> bool:
        """Whether the views have been drawn often enough for a fresh one."""
        return self._drawn >= self.reuse * self._next

    def _work(self) -> None:
        """The thread: render while there is need, sleep otherwise."""
        if self._rgba.is_cuda:
            torch.cuda.set_device(self._rgba.device)  # each thread has a current device of its own
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._closed or len(self) < self.capacity or self._hungry()
                    )
                    if self._closed:
                        return
                self._render_next()
        except BaseException as error:  # handed to the consumer, whose thread can deal with it
            with self._changed:
                self._error = error
                self._changed.notify_all()

    @torch.no_grad()
    def _render_next(self) -> None:
        """Render one view and put it in the place of the oldest."""
        start, (which, of) = time.perf_counter(), self.part
        number = which + of * self._next
        packed = PackedView.pack(self.source.view(number, self.size, self.seed))
        slot = self._next % self.capacity
        with self._changed:
            self._rgba[slot] = packed.rgba.permute(2, 0, 1)
            self._depth[slot, 0] = packed.depth
            self._poses[slot] = packed.camera.T_world_camera
            self._intrinsics[slot] = torch.tensor(packed.camera.fractions)
            self._next += 1
            self._seconds += time.perf_counter() - start
            self._changed.notify_all()
