"""Analytics: what does an analysis cost, against reading the same data, and how does that grow?

The bare scan is ClickHouse itself summing up every column that the analysis reads, of the same rows, found by the same
`run_id`; it is asked for directly, while the analysis is asked of the backend and comes through it. Both are timed in
the same turn, next to each other, in drawn order: `over_scan` is their ratio. Where the method does not exist, only the
scan is measured: the costs of the variant before are missing, and are not zero.

Cold: the engine has dropped all that it had cached of the table (marks, indexes, uncompressed blocks, results of
conditions) and its compiled expressions. The files stay in the memory of the operating system.
"""

from collections.abc import Callable
from contextlib import suppress

import pytest

from harness.errors import HarnessError
from harness.measure import clickhouse
from harness.measure.turn import Timing, Turn
from harness.model import Metric
from harness.statistics.growth import growth

COST = Metric("cost", "s", gated=False, about="Of one analysis; measured only where the method exists.")
COST_CPU = Metric("cost_cpu", "s", gated=False, about="Processor time of ClickHouse for one analysis.")
SCAN = Metric("scan", "s", gated=False, about="ClickHouse reading the same columns of the same rows, nothing else.")
SCAN_CPU = Metric("scan_cpu", "s", gated=False, about="Processor time of ClickHouse for one scan.")
OVER_SCAN = Metric("over_scan", "1", gated=False, about="Cost of an analysis as a multiple of the scan next to it.")
CPU_OVER_SCAN = Metric("cpu_over_scan", "1", gated=False, about="The same of the processor time of ClickHouse.")
MEMORY = Metric("memory", "B", gated=False, about="What ClickHouse held at most for the analysis (system.query_log).")
EXPONENT = Metric("growth_exponent", "1", gated=False, about="Of the cost over rows, in one round; 1 is linear.")
SCAN_EXPONENT = Metric("scan_growth_exponent", "1", gated=False, about="The same of the bare scan.")

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
COLUMNS = "sum(duration_ms), sum(cache_hit), sum(error), max(timestamp), any(query_kind)"
CACHES = ("MARK", "INDEX MARK", "PRIMARY INDEX", "UNCOMPRESSED", "QUERY CONDITION", "COMPILED EXPRESSION")


def fill(turn: Turn, rows: int) -> str:
    """A run of so many rows, one a second, of five kinds; scenarios share it. Its run_id."""
    run_id, store = f"rows-{rows}", turn.service("clickhouse")
    if clickhouse.run(store, f"SELECT count() FROM query_metrics WHERE run_id = '{run_id}'").strip() == "0":
        clickhouse.run(
            store,
            f"""INSERT INTO query_metrics SELECT
                toDateTime64('2025-08-28 00:00:00', 3, 'UTC') + number, '{run_id}', generateUUIDv4(),
                concat('select ', toString(number % 5)), (number * 7919) % {rows} + 1,
                number % 4 = 0, number % 10 = 0, 100, 1 FROM numbers({rows})""",
        )
    return run_id


def analyze(turn: Turn, rows: int) -> None:
    answer = turn.service("backend").get(f"/api/analytics/performance?run_id=rows-{rows}")
    assert answer.status == 200, answer.text
    assert answer.json()["total_queries"] == rows


def scan(turn: Turn, rows: int) -> None:
    found = clickhouse.run(
        turn.service("clickhouse"), f"SELECT {COLUMNS} FROM query_metrics WHERE run_id = 'rows-{rows}'"
    )
    assert float(found.split("\t")[0]) == rows * (rows + 1) / 2, found


def has_method(turn: Turn) -> bool:
    return turn.service("backend").get("/api/analytics/performance?run_id=presence").status == 200


def seconds(turn: Turn, action: Callable[[Turn, int], None], rows: int) -> float:
    began = turn.clock()
    action(turn, rows)
    return turn.clock() - began


def compare(turn: Turn, rows: int, before_each: Callable[[], object] = lambda: None) -> None:
    """The scan and, where there is one, the analysis next to it, in drawn order."""
    actions = [(scan, SCAN, SCAN_CPU), (analyze, COST, COST_CPU)] if has_method(turn) else [(scan, SCAN, SCAN_CPU)]
    turn.random.shuffle(actions)
    timings: dict[Metric, Timing] = {}
    for action, metric, cpu in actions:
        before_each()
        with turn.timed(metric, cpu=cpu, of="clickhouse") as timings[metric]:
            action(turn, rows)
    bare, cost = timings[SCAN], timings.get(COST)
    if cost is None:
        return
    turn.record(OVER_SCAN, cost.seconds / bare.seconds)
    if cost.cpu and bare.cpu:
        turn.record(CPU_OVER_SCAN, cost.cpu / bare.cpu)


@pytest.mark.parametrize("rows", [10_000, 1_000_000])
@pytest.mark.scenario(warmup=1)
def test_cost(turn: Turn, rows: int) -> None:
    """One analysis of so many rows, beside the bare scan of the same columns."""
    turn.once("rows", lambda: fill(turn, rows))
    compare(turn, rows)


@pytest.mark.parametrize("rows", [100_000, 10_000_000])
@pytest.mark.scenario(tag="full", rounds=8, pairs=2, warmup=1)
def test_cost_at(turn: Turn, rows: int) -> None:
    """The same at other sizes, and what ClickHouse holds in memory for it."""
    turn.once("rows", lambda: fill(turn, rows))
    compare(turn, rows)
    with suppress(HarnessError):  # a server without a log of its queries
        clickhouse.run(turn.service("clickhouse"), "SYSTEM FLUSH LOGS")
        held = clickhouse.run(
            turn.service("clickhouse"),
            "SELECT memory_usage FROM system.query_log WHERE type = 'QueryFinish' AND query LIKE '%GROUPING SETS%'"
            " AND query NOT LIKE '%query_log%' ORDER BY event_time_microseconds DESC LIMIT 1",
        )
        if held.strip() and has_method(turn):
            turn.record(MEMORY, float(held))


@pytest.mark.scenario(tag="full", rounds=8)
def test_cold(turn: Turn) -> None:
    """A million rows with the engine's own caches dropped before each of the two; compare with `cost[1000000]`."""
    rows, store = 1_000_000, turn.service("clickhouse")
    turn.once("rows", lambda: fill(turn, rows))

    def drop() -> None:
        for cache in CACHES:
            clickhouse.run(store, f"SYSTEM DROP {cache} CACHE")

    compare(turn, rows, drop)


@pytest.mark.scenario(tag="full", rounds=8, warmup=1)
def test_growth(turn: Turn) -> None:
    """The exponent of the power law from 10^4 to 10^7 rows: one of the analysis and one of the scan in each round."""
    for rows in SIZES:
        turn.once(f"rows {rows}", lambda rows=rows: fill(turn, rows))
    scans, costs, analyzes = [], [], has_method(turn)
    for rows in SIZES:
        scans.append(seconds(turn, scan, rows))
        if analyzes:
            costs.append(seconds(turn, analyze, rows))
    turn.record(SCAN_EXPONENT, growth(SIZES, scans).exponent)
    if costs:
        turn.record(EXPONENT, growth(SIZES, costs).exponent)
