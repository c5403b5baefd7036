"""Analytics: what do callers do to each other who ask for the same analysis at the same moment?

All are released together, each with a connection of its own. The backend has a few connections to ClickHouse
(`POOL_SIZE`); more callers than that wait in its queue, and all share the engine's processors. All answers have to be
the same (sums may differ in the last digits: threads add up in any order), or nothing is recorded. Where the method
does not exist nothing is timed: a refusal is fast.
"""

import math
from statistics import median

import pytest

from harness.measure import clickhouse
from harness.measure.callers import at_once
from harness.measure.http import Client
from harness.measure.turn import Turn
from harness.model import Metric

ANSWERED = Metric("answered", "1", better="higher", kind="count", gated=False, about="Callers that got the analysis.")
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


def figures(answer: dict) -> list[float]:  # type: ignore[type-arg]
    assert answer["total_queries"] == ROWS, answer
    durations, trend = answer["duration_ms"], answer["trend"]
    quantiles = [durations[name] for name in ("mean", "p50", "p95", "p99")]
    return [answer["errors"], answer["cache_hits"], *quantiles, trend["minutes"], trend["r_squared"]]


def agree(found: list[list[float]]) -> bool:
    return all(
        math.isclose(one, same, rel_tol=1e-6) for other in found for one, same in zip(found[0], other, strict=True)
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
    answers = [call.result for call in calls if call.result is not None]
    turn.record(ANSWERED, float(len(answers)))
    if not answers:
        return
    assert len(answers) == callers
    assert agree([figures(answer) for answer in answers]), answers
    latencies = sorted(call.latency for call in calls)
    turn.record(P50, median(latencies))
    turn.record(LONGEST, latencies[-1])
    turn.record(THROUGHPUT, callers / latencies[-1])


def fill(turn: Turn) -> None:
    store = turn.service("clickhouse")
    if clickhouse.run(store, "SELECT count() FROM query_metrics WHERE run_id = 'callers'").strip() == "0":
        clickhouse.run(store, FILL)
