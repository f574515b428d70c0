"""Ctrl-C and SIGTERM as a question that a loop can ask between two steps, so that it ends where it can save."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether somebody asked to stop. A second Ctrl-C does not wait for the answer."""

    asked = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def interruption() -> Iterator[Interruption]:
    """Inside the block signals only set `asked`; other threads than the main one never receive any."""
    it = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield it
        return
    before = [signal.signal(number, it._ask) for number in _SIGNALS]
    try:
        yield it
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)
