"""Analytics: what do callers do to each other who ask for the same analysis at the same moment?

All are released together, each with a connection of its own. The backend has a few connections to ClickHouse
(`POOL_SIZE`); more callers than that wait in its queue, and all share the engine's processors. `equal` is 1 when every
caller got the same answer (sums may differ in the last digits: threads add up in any order). Where the method does not
exist nothing is timed: a refusal is fast.
"""

import math

import pytest

from harness.measure import clickhouse
from harness.measure.callers import at_once
from harness.measure.http import Client
from harness.measure.turn import Turn
from harness.model import Metric

EQUAL = Metric("equal", "1", better="higher", kind="count", about="1: all callers got the same, right answer.")
P50 = Metric("latency_p50", "s", gated=False, about="Median over the callers, from their release to the answer.")
LONGEST = Metric("latency_max", "s", gated=False, about="The last caller's wait.")
THROUGHPUT = Metric("throughput", "1/s", better="higher", gated=False, about="Answers a second, until the last one.")

ROWS = 100_000
PATH = "/api/analytics/performance?run_id=callers"
FILL = f"""INSERT INTO query_metrics SELECT
    toDateTime64('2025-08-28 00:00:00', 3, 'UTC') + number, 'callers', generateUUIDv4(),
    concat('select ', toString(number % 5)), (number * 7919) % {ROWS} + 1,
    number % 4 = 0, number % 10 = 0, 100, 1 FROM numbers({ROWS})"""


def ask(client: Client, index: int) -> dict | None:  # type: ignore[type-arg]
    answer = client.get(PATH)
    return answer.json() if answer.status == 200 else None


def figures(answer: dict | None) -> list[float] | None:  # type: ignore[type-arg]
    if answer is None or answer["total_queries"] != ROWS:
        return None
    durations, trend = answer["duration_ms"], answer["trend"]
    return [answer["errors"], answer["cache_hits"], *(durations[name] for name in ("mean", "p50", "p95", "p99"))] + [
        trend["minutes"],
        trend["r_squared"],
    ]


def agree(found: list[list[float] | None]) -> bool:
    first = found[0]
    return first is not None and all(
        other is not None and all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(first, other, strict=True))
        for other in found
    )


@pytest.mark.parametrize("callers", [1, 4, 16])
@pytest.mark.scenario(tag="full", rounds=8, warmup=1)
def test_callers(turn: Turn, callers: int) -> None:
    """So many callers at once, for the same hundred thousand rows."""
    turn.once("rows", lambda: fill(turn))
    calls = at_once(turn.service("backend"), callers, ask)
    for call in calls:
        if call.error is not None:
            raise call.error
    turn.record(EQUAL, float(agree([figures(call.result) for call in calls])))
    if calls[0].result is None:
        return
    latencies = sorted(call.latency for call in calls)
    turn.record(P50, latencies[len(latencies) // 2])
    turn.record(LONGEST, latencies[-1])
    turn.record(THROUGHPUT, callers / latencies[-1])


def fill(turn: Turn) -> None:
    store = turn.service("clickhouse")
    if clickhouse.run(store, "SELECT count() FROM query_metrics WHERE run_id = 'callers'").strip() == "0":
        clickhouse.run(store, FILL)
