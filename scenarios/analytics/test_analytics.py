"""Analytics: `analyze_performance_metrics` - is it there, is it true, what does it cost?

Driven through the path that the product uses, `GET /api/analytics/performance`. A known workload is put into the table
of metrics directly, so that every figure of the answer can be computed beforehand.
"""

import math

import pytest

from harness.measure.http import Response
from harness.measure.turn import Turn
from harness.model import Metric

AVAILABLE = Metric("available", "1", better="higher", kind="count", about="Calls that got an analysis.")
MISSING = Metric("method_not_found", "1", kind="count", about="Answers saying that the method does not exist.")
TRUE = Metric("true", "1", better="higher", kind="count", about="Analyses whose every figure is right.")
COST = Metric("cost", "s", gated=False, about="Of one analysis; measured only where the method exists.")
COST_CPU = Metric("cost_cpu", "s", gated=False, about="Processor time of ClickHouse for one analysis.")
SCAN = Metric("scan", "s", gated=False, about="ClickHouse reading the same columns of the same rows, nothing else.")

ROWS = 1000
RULES = {"low_cache_hit_rate": 0.25, "high_error_rate": 0.1}
COLUMNS = "sum(duration_ms), sum(cache_hit), sum(error), max(timestamp)"


def analyze(turn: Turn, run_id: str) -> Response:
    return turn.service("backend").get(f"/api/analytics/performance?run_id={run_id}")


def clickhouse(turn: Turn, sql: str) -> str:
    """Run a statement on the variant's ClickHouse, past the backend."""
    service = turn.service("clickhouse")
    user, password, database = (service.settings[f"CLICKHOUSE_{name}"] for name in ("USER", "PASSWORD", "DB"))
    headers = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password, "X-ClickHouse-Database": database}
    answer = service.post(f"/?database={database}", sql.encode(), headers=headers)
    assert answer.status == 200, answer.text
    return answer.text


def fill(turn: Turn, run_id: str, rows: int) -> None:
    """A workload of which everything is known: durations 1, 2, … `rows` ms (in a scattered order), one row a second,
    every fourth a cache hit, every tenth an error."""
    clickhouse(
        turn,
        f"""INSERT INTO query_metrics SELECT
            toDateTime64('2025-08-28 00:00:00', 3, 'UTC') + number, '{run_id}', generateUUIDv4(), 'select',
            (number * 7919) % {rows} + 1, number % 4 = 0, number % 10 = 0, 100, 1 FROM numbers({rows})""",
    )


@pytest.mark.scenario
def test_presence(turn: Turn) -> None:
    """Does the method exist for its caller? If it does not: how is that told?"""
    answer = analyze(turn, "presence")
    turn.record(AVAILABLE, float(answer.status == 200))
    turn.record(MISSING, float("method not found" in answer.text))


@pytest.mark.scenario
def test_truth(turn: Turn) -> None:
    """A known workload goes in: do quantiles, rates, trend and recommendations come out?"""
    turn.once("truth", lambda: fill(turn, "truth", ROWS))
    answer = analyze(turn, "truth")
    turn.record(TRUE, float(answer.status == 200 and is_true(answer)))


def is_true(answer: Response) -> bool:
    found = answer.json()
    expected = {
        ("total_queries",): ROWS,
        ("duration_ms", "mean"): (ROWS + 1) / 2,
        ("duration_ms", "p50"): 501,
        ("duration_ms", "p95"): 951,
        ("duration_ms", "p99"): 991,
        ("cache_hit_rate",): 0.25,
        ("error_rate",): 0.1,
    }
    figures = all(math.isclose(at(found, path), value, rel_tol=1e-9) for path, value in expected.items())
    # Durations are scattered, so there is no trend; a quarter of hits and a tenth of errors call for advice on both.
    advice = {recommendation["rule"]: recommendation["measured"] for recommendation in found["recommendations"]}
    return figures and found["trend"]["direction"] == "flat" and advice.items() >= RULES.items()


def at(value: dict, path: tuple[str, ...]) -> float:  # type: ignore[type-arg]
    for key in path:
        value = value[key]
    return value  # type: ignore[return-value]


@pytest.mark.parametrize("rows", [10_000, 100_000, 1_000_000])
@pytest.mark.scenario(warmup=1)
def test_cost(turn: Turn, rows: int) -> None:
    """One analysis of 10^4 to 10^6 rows, beside the bare scan of the same columns."""
    run_id = f"rows-{rows}"
    turn.once(run_id, lambda: fill(turn, run_id, rows))
    with turn.timed(SCAN):
        clickhouse(
            turn,
            f"SELECT {COLUMNS} FROM query_metrics WHERE run_id = '{run_id}'",
        )
    if analyze(turn, "presence").status != 200:
        return
    with turn.timed(COST, cpu=COST_CPU, of="clickhouse"):
        answer = analyze(turn, run_id)
    assert answer.status == 200, answer.text
    assert answer.json()["total_queries"] == rows
