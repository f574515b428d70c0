"""What to render for whom and when: small while a visitor moves, larger at rest, and in a share of the time only."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from teacher.cameras import Camera
from teacher.images import to_bytes
from teacher.scene import Scene, composite_over
from teacher.trainer import Trainer

SIZES = (64, 128, 256, 512)
"""Longest sides of the pictures, in pixels: the first right after a move."""
_WHITE = 1.0


@dataclass(frozen=True)
class Visitor:
    """Somebody's view of the scene."""

    number: int
    camera: Camera
    """In the norm frame; of any size, only its shape counts."""
    moved: float
    """A stamp that changes when the camera does."""


@runtime_checkable
class Server(Protocol):
    """What shows the scene to visitors; its methods return at once."""

    def begin(self, scene: Scene) -> None:
        """Show what stays the same: cameras, sparse points."""
        ...

    def visitors(self) -> Sequence[Visitor]:
        """Those who look now."""
        ...

    def show(self, number: int, picture: UInt8[np.ndarray, "height width 3"]) -> None:
        """Give a visitor a picture."""
        ...

    def say(self, text: str) -> None:
        """Show a line on how training goes."""
        ...

    def paused(self) -> bool:
        """Whether training should wait."""
        ...

    def close(self) -> None:
        """End it."""
        ...


@dataclass
class _Shown:
    """What a visitor has got."""

    moved: float
    level: int
    step: int


@dataclass
class LiveView:
    """A `teacher.train.Watcher` that shows the training to the visitors of `server`."""

    server: Server
    share: float = 0.2
    """Most of the time, from the first step on, that goes into pictures."""
    clock: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep
    _next: float | None = field(default=None, init=False)
    _shown: dict[int, _Shown] = field(default_factory=dict, init=False)
    _row: dict[str, Any] = field(default_factory=dict, init=False)

    def look(self, trainer: Trainer, row: dict[str, Any] | None, stop: Callable[[], bool]) -> None:
        """After a step: one picture, if it is time for one; then wait while paused, unless asked to `stop`."""
        if self._next is None:
            self.server.begin(trainer.scene)
            self._next = self.clock()
        self._row = row or self._row
        self._work(trainer)
        while self.server.paused() and not stop():
            self._work(trainer)
            self.sleep(0.05)

    def close(self) -> None:
        """End the server."""
        self.server.close()

    def _work(self, trainer: Trainer) -> None:
        start = self.clock()
        if self._next is not None and start < self._next:
            return
        self.server.say(self._text(trainer))
        visitors = self.server.visitors()
        self._shown = {v.number: self._shown[v.number] for v in visitors if v.number in self._shown}
        wanting = [visitor for visitor in visitors if self._wants(visitor, trainer.step)]
        if wanting:
            # Who has waited longest: those who were never served come first.
            chosen = min(wanting, key=lambda v: self._standing(v, trainer.step))
            self._render(trainer, chosen)
        spent = self.clock() - start
        self._next = start + spent / self.share

    def _wants(self, visitor: Visitor, step: int) -> bool:
        shown = self._shown.get(visitor.number)
        if shown is None or shown.moved != visitor.moved:
            return True
        return shown.level < len(SIZES) - 1 or shown.step < step

    def _standing(self, visitor: Visitor, step: int) -> tuple[int, int]:
        shown = self._shown.get(visitor.number)
        if shown is None or shown.moved != visitor.moved:
            return (0, -1 if shown is None else shown.step)
        return (1, shown.step)

    def _render(self, trainer: Trainer, visitor: Visitor) -> None:
        shown = self._shown.get(visitor.number)
        rests = shown is not None and shown.moved == visitor.moved
        level = min(shown.level + 1, len(SIZES) - 1) if shown is not None and rests else 0
        view = trainer.teacher().render(fitted(visitor.camera, SIZES[level]))
        self.server.show(visitor.number, to_bytes(composite_over(view.rgba, _WHITE)))
        self._shown[visitor.number] = _Shown(visitor.moved, level, trainer.step)

    def _text(self, trainer: Trainer) -> str:
        psnr = f", PSNR {self._row['psnr']:.1f} dB (training rays)" if "psnr" in self._row else ""
        return f"step {trainer.step} of {trainer.config.steps}{psnr}"


def fitted(camera: Camera, side: int) -> Camera:
    """The same view with `side` pixels along its longest side."""
    scale = side / max(camera.width, camera.height)
    return camera.resized(max(1, round(camera.width * scale)), max(1, round(camera.height * scale)))
