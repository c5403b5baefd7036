"""A client of the harness's own model provider (``harness.services.llm``): what it plays, and what reached it.

The provider counts from outside: how often a service really tried, how long it paused between two attempts, whether
a hundred callers came back in step. Moments are seconds of the machine's monotonic clock, as ``Turn.clock`` tells it.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from harness.errors import HarnessError
from harness.measure.http import Client
from harness.model import Mark

Step = str | Mapping[str, object]
"""What the provider does with one call, such as ``"500"`` or ``{"slow_first_byte": 0.9}``."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that reached the provider."""

    key: str | None
    """The ``X-Request-Id`` that it came with: attempts of one request share it."""
    arrived: float
    ended: float | None
    """When the last byte of the answer was handed over, or the caller left; None: it is still under way."""
    outcome: str | None
    """What became of it on the wire, such as ``answered`` (good or bad) or ``client left``; None: under way."""


class Provider:
    """Speaks to one running provider."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def play(self, *steps: Step, then: Step = "ok", seed: int = 1) -> None:
        """Have it play ``steps``, one a call from now on, then ``then`` for ever.

        ``seed`` fixes the steps that are random. Raises HarnessError when it refuses the script.
        """
        self._ask("PUT", "/script", {"steps": list(steps), "then": then, "seed": seed})

    def forget(self) -> None:
        """Clear the list of calls."""
        self._ask("DELETE", "/calls")

    def attempts(self) -> list[Attempt]:
        """The calls that reached it since they were last forgotten, in the order of arrival.

        Raises HarnessError when there were so many that the oldest are no longer listed.
        """
        log = self._ask("GET", "/calls")
        if log["dropped"]:
            raise HarnessError(f"the provider no longer lists {log['dropped']} of {log['count']} calls")
        return [
            Attempt(call["key"], call["arrived_ns"] / 1e9, _seconds(call["ended_ns"]), call["outcome"])
            for call in log["calls"]
        ]

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        answer = self._client.request(method, path, body)
        if answer.status != 200:
            raise HarnessError(f"the provider refused {method} {path}: {answer.text[:300]}")
        return answer.json()


def by_request(attempts: Iterable[Attempt]) -> list[list[Attempt]]:
    """The attempts of each request, in the order in which their first ones arrived; one without a key is alone."""
    requests: dict[object, list[Attempt]] = {}
    for number, attempt in enumerate(attempts):
        requests.setdefault(number if attempt.key is None else attempt.key, []).append(attempt)
    return list(requests.values())


def waits(attempts: Sequence[Attempt]) -> list[float]:
    """Seconds between the end of each attempt of one request and the arrival of the next.

    An attempt that the provider takes to be under way when the next arrives counts as a wait of 0.
    """
    return [0.0 if one.ended is None else max(0.0, two.arrived - one.ended) for one, two in pairwise(attempts)]


def peak(moments: Iterable[float], window: float) -> int:
    """Most of ``moments`` (seconds) that lie within any half-open window of ``window`` seconds."""
    ordered = sorted(moments)
    return max((bisect_left(ordered, moment + window) - i for i, moment in enumerate(ordered)), default=0)


def timeline(
    began: float, ended: float, attempts: Sequence[Attempt], outcome: str, good: str = "answered"
) -> list[Mark]:
    """One request for a picture: its attempts between ``began`` and ``ended``; if ``outcome`` is ``good``, the last
    attempt brought the answer and ends with it."""
    marks = [Mark("request", 0.0)]
    for number, attempt in enumerate(attempts, 1):
        marks.append(Mark(f"attempt {number}", attempt.arrived - began))
        if outcome != good or number < len(attempts):
            marks.append(Mark(f"failed {number}", (attempt.ended or ended) - began))
    return [*marks, Mark("answer" if outcome == good else outcome, ended - began)]


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9
