"""Many calls to one service: all at once, or on a schedule that does not wait for answers.

Each call has a thread and a connection of its own. Good for some hundred calls, to see what callers do to each other;
what measures a service under load is a program of its own (docs/suites/load.md).
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.measure.http import Client
from harness.measure.service import RunningService

R = TypeVar("R")

_LEAD = 0.02
"""Seconds before the first start of a schedule, so that it is not late already."""


@dataclass(frozen=True, slots=True)
class Call(Generic[R]):
    """One call. Times in monotonic seconds."""

    index: int
    intended: float
    """When it should have begun."""
    began: float
    ended: float
    result: R | None
    """What ``call`` returned; None when it raised."""
    error: Exception | None = None

    @property
    def latency(self) -> float:
        """Seconds from the intended start to the end: what is late because the caller was busy counts, too."""
        return self.ended - self.intended

    @property
    def late(self) -> float:
        """Seconds from the intended start to the actual one."""
        return self.began - self.intended


def at_once(service: RunningService, n: int, call: Callable[[Client, int], R]) -> list[Call[R]]:
    """``call(client, index)`` in ``n`` threads that are released together; in order of ``index``.

    The intended start of all is the moment of their release. What a call raises is its ``error``.
    """
    return _calls(service, [0.0] * n, call)


def open_loop(service: RunningService, rate: float, seconds: float, call: Callable[[Client, int], R]) -> list[Call[R]]:
    """``call(client, index)`` at ``rate`` a second for ``seconds``, whatever becomes of the earlier ones.

    Call ``i`` is intended ``i / rate`` seconds after the first. Returns when all have ended, in order of ``index``;
    what a call raises is its ``error``.
    """
    return _calls(service, [index / rate for index in range(max(1, round(rate * seconds)))], call)


def _calls(service: RunningService, offsets: list[float], call: Callable[[Client, int], R]) -> list[Call[R]]:
    made: list[Call[R] | None] = [None] * len(offsets)
    ready = threading.Barrier(len(offsets) + 1)
    start = 0.0

    def run(index: int) -> None:
        with Client(service.host, service.port) as client, suppress(threading.BrokenBarrierError):
            client.met = service.met
            ready.wait()
            ready.wait()  # between the two the start is set, when every thread is there
            intended = start + offsets[index]
            time.sleep(max(0.0, intended - time.monotonic()))
            began = time.monotonic()
            result, error = None, None
            try:
                result = call(client, index)
            except Exception as raised:  # noqa: BLE001 - whatever a call raises is its result
                error = raised
            made[index] = Call(index, intended, began, time.monotonic(), result, error)

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(len(offsets))]
    try:
        for thread in threads:
            thread.start()
        ready.wait()
        start = time.monotonic() + _LEAD
        ready.wait()
    except BaseException:
        ready.abort()  # those that wait already would wait for ever
        raise
    for thread in threads:
        thread.join()
    return [one for one in made if one is not None]
