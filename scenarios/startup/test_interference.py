"""Does the background optimization disturb requests, and does starting it later change how much?

A client asks on a schedule from the moment the backend is ready until both variants' optimizations would be over, in
both variants for the same time. A request is disturbed when it takes more than three times the median of those that
were sent while nothing was optimized. A later delay that lessens the disturbance lowers `disturbed`, over the whole
time; one that only moves it lowers `disturbed_early`, up to when the optimization of `before` should be over, and
raises `disturbed_late`, after that, by as much.

The optimization does work that is real, but not that of any product: `busy` uses the backend's own processor in slices
of 5 ms, `rows` has ClickHouse merge a table of a million rows.
"""

from dataclasses import dataclass
from statistics import median

import pytest

from harness.measure.callers import Call, open_loop
from harness.measure.http import Client
from harness.measure.service import RunningService
from harness.measure.turn import Turn
from harness.model import Metric, Side

INSIDE = Metric("inside", "s", gated=False, about="Median latency of requests sent during the optimization.")
OUTSIDE = Metric("outside", "s", gated=False, about="Median latency of those sent while nothing was optimized.")
EARLY = Metric("early", "s", gated=False, about="Median latency while `before` should optimize, by the clock.")
LATE = Metric("late", "s", gated=False, about="Median latency while `after` should optimize, by the clock.")
DISTURBED = Metric("disturbed", "1", kind="rate", about="Share of the time, the same for both, that is disturbed.")
DISTURBED_EARLY = Metric("disturbed_early", "1", kind="rate", gated=False, about="The same, up to the end of EARLY.")
DISTURBED_LATE = Metric("disturbed_late", "1", kind="rate", gated=False, about="The same, after that.")
DISTURBED_TIME = Metric("disturbed_requests", "1", kind="count", gated=False, about="Each is 10 ms of a scaled time.")
LENGTH = Metric("length", "s", gated=False, about="Of the optimization itself; nothing is scaled in it.")
MEMORY = Metric("memory", "B", gated=False, about="Largest resident memory of the backend up to the end.")
SERVED = Metric("served", "1", better="higher", kind="rate", gated=False, about="Requests that got a good answer.")

RATE = 100.0
"""Requests a second."""
DISTURBED_BEYOND = 3.0
"""Times the median of the others."""
ROWS = 1_000_000


@dataclass(frozen=True)
class Work:
    """What the optimization does."""

    fault: str
    longest: float
    """Seconds that it takes at most, nothing scaled: a bound for the window only."""


WORK = {"busy": Work("busy:25", 0.25), "rows": Work("none", 0.25)}


@pytest.mark.parametrize("work", WORK)
@pytest.mark.scenario(tag="full", rounds=10)
def test_interference(turn: Turn, work: str) -> None:
    """Requests on a schedule while the optimization works: how many does it disturb, and when?"""
    database = f"interference_{work}"
    if work == "rows":
        turn.once("rows", lambda: fill(turn, database))
    early, late = expected(turn, "before", WORK[work]), expected(turn, "after", WORK[work])
    window = max(early[1], late[1]) + 0.1
    changes = {"CLICKHOUSE_DB": database, "OPTIMIZATION_FAULT": WORK[work].fault}
    with turn.started("backend", changes, settled=False) as (backend, _):
        calls = open_loop(backend, RATE, window, query)
        begun, ended = worked(backend)
        ready = backend.process.output.marks["ready"]
        memory = backend.process.peak_memory()

    inside = [call for call in calls if begun <= call.intended <= ended]
    calm = median(call.latency for call in calls if call.intended > ended or call.ended < begun)
    disturbed = [call.latency > DISTURBED_BEYOND * calm for call in calls]
    assert inside, "no request was sent during the optimization"
    turn.record(INSIDE, median(call.latency for call in inside))
    turn.record(OUTSIDE, calm)
    turn.record(EARLY, median(latencies(calls, ready, early)))
    turn.record(LATE, median(latencies(calls, ready, late)))
    for call, is_disturbed in zip(calls, disturbed, strict=True):
        turn.record(DISTURBED, float(is_disturbed))
        turn.record(DISTURBED_EARLY if call.intended <= ready + early[1] else DISTURBED_LATE, float(is_disturbed))
        turn.record(SERVED, float(call.result == 200))
    turn.record(DISTURBED_TIME, sum(disturbed))
    turn.record(LENGTH, ended - begun)
    if memory is not None:
        turn.record(MEMORY, memory)


def expected(turn: Turn, side: Side, work: Work) -> tuple[float, float]:
    """From when to when that variant should optimize, in seconds from ready."""
    settings = turn.variants[side].settings["backend"]
    begin = float(settings["OPTIMIZATION_DELAY"]) * float(settings["TIME_SCALE"])
    return begin, begin + work.longest


def latencies(calls: list[Call[int]], ready: float, span: tuple[float, float]) -> list[float]:
    return [call.latency for call in calls if span[0] <= call.intended - ready <= span[1]]


def query(client: Client, index: int) -> int:
    """Read a number from ClickHouse, another one each time, so that no cache answers."""
    return client.post("/api/query", {"sql": f"SELECT {index}"}).status


def worked(backend: RunningService) -> tuple[float, float]:
    """When the only attempt began and ended, monotonic seconds; waits for its end."""
    assert backend.process.output.wait_for_mark("settled", 20), "the optimization did not end"
    report = backend.get("/startup").json()["optimization"]
    assert (report["state"], report["attempts"]) == ("done", 1), report
    ended = backend.process.output.marks["settled"]
    return ended - report["duration"], ended


def fill(turn: Turn, database: str) -> None:
    """A million rows, in a database of their own: whoever optimizes it rewrites all of them."""
    service = turn.service("clickhouse")
    user, password = service.settings["CLICKHOUSE_USER"], service.settings["CLICKHOUSE_PASSWORD"]
    headers = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
    sql = f"INSERT INTO {database}.workload_events (user_id, workload_id) SELECT number, 'w' FROM numbers({ROWS})"
    with turn.started("backend", {"CLICKHOUSE_DB": database, "OPTIMIZATION_DELAY": 1e6}, settled=False):
        answer = service.post("/", sql.encode(), headers=headers)
    assert answer.status == 200, answer.text
