"""SIGINT, SIGTERM and SIGHUP end a session in order - but not in the middle of what must not be cut in two."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Gate:
    """Signals are held back while it is closed. One for the process, as signals are."""

    closed = 0
    held: int | None = None


def _interrupt(number: int, _frame: FrameType | None) -> None:
    if _Gate.closed:
        _Gate.held = number
    else:
        raise KeyboardInterrupt(signal.Signals(number).name)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within it these signals raise KeyboardInterrupt, SIGINT too when the parent shell had it ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, _interrupt) for number in _NUMBERS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Within it the signals of `interruptible` wait; one that came raises at the end."""
    _Gate.closed += 1
    try:
        yield
    finally:
        _Gate.closed -= 1
    if not _Gate.closed and _Gate.held is not None:
        number, _Gate.held = _Gate.held, None
        raise KeyboardInterrupt(signal.Signals(number).name)
