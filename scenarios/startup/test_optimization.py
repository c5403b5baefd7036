"""The background optimization after start-up: does it get done, and is the backend there meanwhile?

Each case starts an instance of its own and asks it on a schedule until the optimization has ended, so that a failure
that takes the service with it would show as requests without a good answer. Waits are shortened: everything that the
configuration says in seconds (delay, timeout, back-off) is multiplied by the case's scale. The time that the
optimization spends on real work is not, so that it weighs more than it would: it works on a database of its own, empty.

Nothing here is gated: six rounds are the fewest that tell a change of an exact count, not enough to fail a session.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

import pytest

from harness.measure.callers import open_loop
from harness.measure.http import Client
from harness.measure.service import RunningService
from harness.measure.turn import Turn
from harness.model import Metric

OPTIMIZED = Metric("optimized", "1", better="higher", kind="count", gated=False, about="1: it was done in the end.")
ATTEMPTS = Metric("attempts", "1", kind="count", gated=False, about="How often it was begun.")
TIMEOUTS = Metric("timeouts", "1", kind="count", gated=False, about="Attempts that its own timeout ended.")
SERVED = Metric("served", "1", better="higher", kind="rate", gated=False, about="Requests that got a good answer.")
SETTLED = Metric("settled", "s", gated=False, about="From ready to the end of the last attempt; a scaled wait.")

LIVES = (300, 600)
"""Seconds after which an instance is replaced: by a new version, or by whoever scales it."""
REACHED = {
    life: Metric(f"retry_within_{life}_s", "1", better="higher", kind="count", gated=False, about=about)
    for life, about in ((life, f"1: a second attempt began within {life} s from ready, unscaled.") for life in LIVES)
}

RATE = 25.0
"""Requests a second."""
LONGEST = 20.0
"""Seconds within which it has to have ended."""


@dataclass(frozen=True)
class Case:
    """What the optimization does."""

    fault: str
    scale: float
    """Of all its waits. Where an attempt does real work, its timeout has to leave time for that."""
    changes: Mapping[str, object] = field(default_factory=dict)


CASES = {
    "success": Case("none", 0.01),
    # Longer than the timeout of 90 s, shorter than that of 120 s. A back-off of 300 s would only make it last longer.
    "slow": Case("slow:91", 0.016, {"OPTIMIZATION_RETRY_BACKOFF": 30}),
    "time_out": Case("slow:1000", 0.002),
    "failing": Case("fail", 0.002),
    "failing_then_ok": Case("fail_once", 0.005),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.scenario(tag="full", rounds=6)
def test_optimization(turn: Turn, case: str) -> None:
    """It succeeds, is slow, takes too long, fails, or fails once: is it done in the end, is the backend there?"""
    chosen = CASES[case]
    with started(turn, OPTIMIZATION_FAULT=chosen.fault, TIME_SCALE=chosen.scale, **chosen.changes) as backend:
        served = asked_until_settled(backend)
        report = state(backend)
        marks = backend.process.output.marks
    assert report["state"] in ("done", "timed_out", "failed"), report
    turn.record(OPTIMIZED, float(report["state"] == "done"))
    turn.record(ATTEMPTS, report["attempts"])
    turn.record(TIMEOUTS, report["timeouts"])
    for good in served:
        turn.record(SERVED, float(good))
    settled = marks["settled"] - marks["ready"]
    turn.record(SETTLED, settled)
    if case == "failing_then_ok":
        last_began = (settled - report["duration"]) / chosen.scale
        for life, metric in REACHED.items():
            turn.record(metric, float(report["attempts"] > 1 and last_began <= life))


@contextmanager
def started(turn: Turn, **changes: object) -> Iterator[RunningService]:
    """An instance with these settings, ready, its optimization still to come."""
    with turn.started("backend", {"CLICKHOUSE_DB": "startup", **changes}, settled=False) as (backend, _):
        yield backend


def asked_until_settled(backend: RunningService) -> list[bool]:
    """Of requests on a schedule, until the optimization has ended: whether each got a good answer."""
    served: list[bool] = []
    end = time.monotonic() + LONGEST
    while "settled" not in backend.process.output.marks:
        assert time.monotonic() < end, f"not settled within {LONGEST:g} s"
        calls = open_loop(backend, RATE, 0.2, query(len(served)))
        served += [call.result is not None and call.result == 200 for call in calls]
    return served


def query(first: int):  # type: ignore[no-untyped-def]
    """A caller that reads a number from ClickHouse, another one each time, so that no cache answers."""
    numbers = count(first)

    def call(client: Client, _: int) -> int:
        return client.post("/api/query", {"sql": f"SELECT {next(numbers)}"}).status

    return call


def state(backend: RunningService) -> dict:  # type: ignore[type-arg]
    """What the backend says of its optimization."""
    answer = backend.get("/startup")
    assert answer.status == 200, answer.text
    return answer.json()["optimization"]  # type: ignore[no-any-return]


STOP = Metric("stop", "s", gated=False, about="From the signal to the end of the process.")
KILLED = Metric("killed", "1", kind="count", gated=False, about="1: it did not end by itself in time and was killed.")
ERRORS = Metric("errors", "1", kind="count", gated=False, about="Error lines logged from the signal on.")
PATIENCE = 2.0
"""Seconds that it gets for an orderly stop."""


@pytest.mark.parametrize("while_it_is", ["delayed", "running"])
@pytest.mark.scenario(tag="full", rounds=6)
def test_orderly_stop(turn: Turn, while_it_is: str) -> None:
    """Told to stop before the optimization has begun, or in the middle of it."""
    delay = {"delayed": 1e5, "running": 0.0}[while_it_is]
    times = {"OPTIMIZATION_DELAY": delay, "OPTIMIZATION_TIMEOUT": 1e5}
    with started(turn, OPTIMIZATION_FAULT="slow:100000", **times) as backend:
        end = time.monotonic() + LONGEST
        while state(backend)["state"] != while_it_is:
            assert time.monotonic() < end, f"not {while_it_is} within {LONGEST:g} s"
        said = set(error_lines(backend))
        begun = turn.clock()
        backend.stop(PATIENCE)
        took = turn.clock() - begun
        new = [line for line in error_lines(backend) if line not in said]
    turn.record(STOP, took)
    turn.record(KILLED, float(took >= PATIENCE))
    turn.record(ERRORS, len(new))


def error_lines(backend: RunningService) -> list[str]:
    """Of its last lines those that are errors."""
    return [line for line in backend.process.output.last_lines.splitlines() if "| ERROR |" in line]
