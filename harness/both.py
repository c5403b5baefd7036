"""Two things done at once, by two processes: large files are read, and many metrics compared, in little more than half
the time."""

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterable
from typing import NoReturn, TypeVar

A = TypeVar("A")
B = TypeVar("B")


def both(first: Callable[[], A], second: Callable[[], B]) -> tuple[A, B]:
    """What two functions return, ``second`` called in a forked process while this one calls ``first``.

    The other process can only save time: when it fails in any way, or there cannot be one (a single processor, threads
    beside this one), ``second`` is called here, so that its errors come from here too. It must therefore do nothing
    that may not be done twice, and return what can be pickled. Nothing is left of the other process, however this ends.
    """
    if not _possible():
        return first(), second()
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        _send(second, receiving, sending)
    os.close(sending)
    try:
        with os.fdopen(receiving, "rb") as pipe:
            mine = first()
            told = pipe.read()
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(child, 0)
    return mine, pickle.loads(told) if told and status == 0 else second()  # noqa: S301 - from ourselves


def halves(function: Callable[[A], B], items: Iterable[A]) -> list[B]:
    """As ``list(map(function, items))``, by ``both``."""
    every = list(items)
    middle = len(every) // 2
    mine, others = both(lambda: list(map(function, every[:middle])), lambda: list(map(function, every[middle:])))
    return mine + others


def _possible() -> bool:
    """A fork takes along only the thread that calls it: locks that others hold would stay locked."""
    return hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) > 1 and threading.active_count() == 1


def _send(function: Callable[[], object], receiving: int, sending: int) -> NoReturn:
    """The whole life of the other process. It ends without the clean-up, buffers and messages of this one."""
    status = 1
    try:
        os.close(receiving)  # so that writing fails when nobody reads any more
        with os.fdopen(sending, "wb") as pipe:
            pickle.dump(function(), pipe, pickle.HIGHEST_PROTOCOL)
        status = 0
    finally:
        os._exit(status)
