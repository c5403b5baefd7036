"""Does the background optimization disturb requests, and does starting it later change how much?

A client asks on a schedule from the moment the backend is ready until both variants' optimizations would be over, in
both variants for the same time. A request is disturbed when it takes more than three times the median of those that
were sent while nothing was optimized. A later delay that lessens the disturbance lowers `disturbed`, over the whole
time; one that only moves it lowers `disturbed_early`, up to the later of the two delays, and raises `disturbed_late`,
after that, by as much.

The optimization's work is real, but not that of any product: it uses the backend's own processor for 0.3 s in slices of
5 ms, between which requests get their turn, then merges and indexes tables that are empty. Only the delays are scaled:
against them the work weighs more than 0.3 s would. What is compared is whether moving it changes how much is disturbed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

import pytest

from harness.measure.callers import Call, open_loop
from harness.measure.http import Client
from harness.measure.service import RunningService
from harness.measure.turn import Turn
from harness.model import Metric

INSIDE = Metric("inside", "s", gated=False, about="Median latency of requests sent during the optimization.")
OUTSIDE = Metric("outside", "s", gated=False, about="Median latency of those sent while nothing was optimized.")
EARLY = Metric("early", "s", gated=False, about="Median latency from the earlier delay on, by the clock.")
LATE = Metric("late", "s", gated=False, about="Median latency from the later delay on, by the clock.")
DISTURBED = Metric(
    "disturbed", "1", kind="rate", gated=False, about="Share of the time, the same for both, that is disturbed."
)
DISTURBED_EARLY = Metric("disturbed_early", "1", kind="rate", gated=False, about="The same, up to the later delay.")
DISTURBED_LATE = Metric("disturbed_late", "1", kind="rate", gated=False, about="The same, after that.")
DISTURBED_TIME = Metric("disturbed_requests", "1", kind="count", gated=False, about="Each is 1/50 s of a scaled time.")
LENGTH = Metric("length", "s", gated=False, about="Of the optimization itself; nothing is scaled in it.")
MEMORY = Metric("memory", "B", gated=False, about="Largest resident memory of the backend up to the end.")
SERVED = Metric("served", "1", better="higher", kind="rate", gated=False, about="Requests that got a good answer.")

RATE = 50.0
"""Requests a second."""
DISTURBED_BEYOND = 3.0
"""Times the median of the others."""
SCALE = 0.02
"""Of the delays."""
BUSY = 0.3
"""Seconds of work."""
WORK = {"busy": f"busy:{BUSY / SCALE}"}
CHANGES = {"CLICKHOUSE_DB": "interference", "TIME_SCALE": SCALE, "OPTIMIZATION_TIMEOUT": 1e5}
"""The timeout stands in place of the variants' own: no work is cut short. What those do is shown by `optimization`."""
SPAN = 30.0 * SCALE
"""Seconds of a time by the clock at least."""


@dataclass(frozen=True)
class Times:
    """Of both variants, in seconds from ready."""

    early: tuple[float, float]
    late: tuple[float, float]
    """From one delay and from the other on, for the same time."""

    @property
    def window(self) -> float:
        """How long is looked."""
        return self.late[1] + SPAN / 2


@pytest.mark.parametrize("work", WORK)
@pytest.mark.scenario(tag="full", rounds=8)
def test_interference(turn: Turn, work: str) -> None:
    """Requests on a schedule while the optimization works: how many does it disturb, and when?"""
    times = times_of(turn)
    with turn.started("backend", {**CHANGES, "OPTIMIZATION_FAULT": WORK[work]}, settled=False) as (backend, _):
        calls = open_loop(backend, RATE, times.window, query)
        begun, ended = worked(backend)
        ready = backend.process.output.marks["ready"]
        memory = backend.process.peak_memory()

    calm = typical(call for call in calls if call.intended > ended or call.ended < begun)
    disturbed = [call.latency > DISTURBED_BEYOND * calm for call in calls]
    turn.record(INSIDE, typical(call for call in calls if begun <= call.intended <= ended))
    turn.record(OUTSIDE, calm)
    for metric, (start, end) in ((EARLY, times.early), (LATE, times.late)):
        turn.record(metric, typical(call for call in calls if start <= call.intended - ready <= end))
    for call, is_disturbed in zip(calls, disturbed, strict=True):
        turn.record(DISTURBED, float(is_disturbed))
        is_early = call.intended <= ready + times.early[1]
        turn.record(DISTURBED_EARLY if is_early else DISTURBED_LATE, float(is_disturbed))
        turn.record(SERVED, float(call.result == 200))
    turn.record(DISTURBED_TIME, sum(disturbed))
    turn.record(LENGTH, ended - begun)
    if memory is not None:
        turn.record(MEMORY, memory)


def times_of(turn: Turn) -> Times:
    """The delays that both variants are set to."""
    settings = [variant.settings["backend"] for variant in turn.variants.values()]
    first, second = sorted(float(each["OPTIMIZATION_DELAY"]) * SCALE for each in settings)
    length = max(second - first, SPAN)
    return Times((first, first + length), (second, second + length))


def typical(calls: Iterable[Call[int]]) -> float:
    """Median latency."""
    latencies = [call.latency for call in calls]
    assert latencies, "the machine is too slow: no request was sent in one of the times that are compared"
    return median(latencies)


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
