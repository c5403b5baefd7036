"""Analytics: `analyze_performance_metrics` - is it there, and is it true?

Driven through the path that the product uses, `GET /api/analytics/performance`, which passes `run_id` and
`stream_updates`. A known workload is put into the table of metrics directly, so that every figure of the answer can be
computed beforehand. More of them: `test_truth_table.py`; what it costs: `test_cost.py`.
"""

import math

import pytest

from harness.measure import clickhouse
from harness.measure.http import Response
from harness.measure.turn import Turn
from harness.model import Metric

AVAILABLE = Metric("available", "1", better="higher", kind="count", about="Calls that got an analysis.")
MISSING = Metric("method_not_found", "1", kind="count", about="Answers saying that the method does not exist.")
TRUE = Metric("true", "1", better="higher", kind="count", about="Analyses whose every figure is right.")

ROWS = 1000
RULES = {"low_cache_hit_rate": 0.25, "high_error_rate": 0.1}
FILL = f"""INSERT INTO query_metrics SELECT
    toDateTime64('2025-08-28 00:00:00', 3, 'UTC') + number, 'truth', generateUUIDv4(), 'select',
    (number * 7919) % {ROWS} + 1, number % 4 = 0, number % 10 = 0, 100, 1 FROM numbers({ROWS})"""
"""Durations 1 … `ROWS` ms in a scattered order, one row a second, every fourth a cache hit, every tenth an error."""


def analyze(turn: Turn, run_id: str) -> Response:
    return turn.service("backend").get(f"/api/analytics/performance?run_id={run_id}")


@pytest.mark.scenario
def test_presence(turn: Turn) -> None:
    """Does the method exist for its caller? If it does not: how is that told?"""
    answer = analyze(turn, "presence")
    turn.record(AVAILABLE, float(answer.status == 200))
    turn.record(MISSING, float("method not found" in answer.text))


@pytest.mark.scenario
def test_truth(turn: Turn) -> None:
    """A known workload goes in: do quantiles, rates, trend and recommendations come out?"""
    turn.once("truth", lambda: clickhouse.run(turn.service("clickhouse"), FILL))
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
