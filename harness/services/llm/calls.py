"""The log of calls: what arrived, when, and what became of it, seen from outside the caller."""

import time
from collections import deque
from dataclasses import dataclass, fields
from typing import Literal

CAPACITY = 100_000
"""Calls kept; beyond that the oldest are dropped and counted."""

Outcome = Literal["answered", "truncated", "reset", "closed", "client left"]


@dataclass(slots=True)
class Call:
    """One call; a field stays None until it has happened. Times are monotonic nanoseconds (``CLOCK_MONOTONIC``)."""

    number: int
    key: str | None
    """The caller's ``X-Request-Id``."""
    attempt: int | None
    """The how-manieth call with this key, counted from 1."""
    arrived_ns: int
    """The request was read to its end."""
    step: object = None
    """What was played, as in a script; a random step as what was drawn."""
    status: int | None = None
    answered_ns: int | None = None
    """The first byte of the answer was handed to the kernel."""
    ended_ns: int | None = None
    outcome: Outcome | None = None

    def answer(self, status: int) -> None:
        """Note that the answer begins now."""
        self.status, self.answered_ns = status, time.monotonic_ns()

    def end(self, outcome: Outcome) -> None:
        """Note that the call is over now."""
        self.outcome, self.ended_ns = outcome, time.monotonic_ns()


_FIELDS = tuple(field.name for field in fields(Call))


class CallLog:
    """The most recent calls, in the order of arrival."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self.clear()

    def clear(self) -> None:
        """Forget all calls: numbers and attempts start at 1 again."""
        self._calls: deque[Call] = deque()
        self._attempts: dict[str, int] = {}
        self._count = 0

    def arrive(self, key: str | None) -> Call:
        """Log a call that has arrived now."""
        self._count += 1
        call = Call(self._count, key, self._attempt(key), time.monotonic_ns())
        self._calls.append(call)
        if len(self._calls) > self._capacity:
            self._drop_oldest()
        return call

    def as_json(self) -> dict[str, object]:
        """The log as a JSON value; ``count`` includes the calls that were dropped."""
        return {
            "count": self._count,
            "dropped": self._count - len(self._calls),
            "calls": [{name: getattr(call, name) for name in _FIELDS} for call in self._calls],
        }

    def _attempt(self, key: str | None) -> int | None:
        if key is None:
            return None
        self._attempts[key] = self._attempts.get(key, 0) + 1
        return self._attempts[key]

    def _drop_oldest(self) -> None:
        oldest = self._calls.popleft()
        # A key is forgotten with the last call that had it, or its count would stay for ever.
        if oldest.key is not None and self._attempts[oldest.key] == oldest.attempt:
            del self._attempts[oldest.key]
