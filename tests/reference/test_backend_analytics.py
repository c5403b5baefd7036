"""``analyze_performance_metrics`` of the reference backend: absent before; after, every figure is as computed here."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import correlation, fmean, linear_regression
from typing import Any

import pytest

from tests.reference.backend_process import AFTER, Backend, ClickHouse, backend

PATH = "/api/analytics/performance"
START = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
SEVEN_DIGITS = 2.0**-23
"""Quantiles are rounded to Float32."""
MISSING = "method not found: analyze_performance_metrics"


@dataclass(frozen=True)
class Query:
    """A row of the table of metrics."""

    minute: int
    duration: float
    kind: str = "select"
    hit: bool = True
    error: bool = False


def put(store: ClickHouse, running: Backend, run_id: str, queries: list[Query]) -> None:
    rows = [
        {
            "timestamp": (START + timedelta(minutes=q.minute, milliseconds=n)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
            "run_id": run_id,
            "query_kind": q.kind,
            "duration_ms": q.duration,
            "cache_hit": int(q.hit),
            "error": int(q.error),
        }
        for n, q in enumerate(queries)
    ]
    block = "\n".join(map(json.dumps, rows)).encode()
    store.query("INSERT INTO query_metrics FORMAT JSONEachRow", running.database, block)


def analyze(running: Backend, run_id: str) -> Any:
    return running.get(PATH, run_id=run_id)


def expected_kinds(queries: list[Query]) -> list[dict[str, Any]]:
    durations: dict[str, list[float]] = defaultdict(list)
    for query in queries:
        durations[query.kind].append(query.duration)
    whole = sum(query.duration for query in queries)
    kinds: list[dict[str, Any]] = [
        {"kind": kind, "queries": len(own), "mean_ms": fmean(own), "share_of_time": sum(own) / whole}
        for kind, own in durations.items()
    ]
    return sorted(kinds, key=lambda kind: -kind["mean_ms"])[:5]


def minutes_of(queries: list[Query]) -> dict[int, float]:
    durations = defaultdict(list)
    for query in queries:
        durations[query.minute].append(query.duration)
    return {minute: fmean(own) for minute, own in sorted(durations.items())}


@pytest.mark.parametrize("seed", range(5))
def test_every_figure_is_right(after: Backend, store: ClickHouse, seed: int) -> None:
    """A random workload in random order; quantiles are the values at index floor(level * n) of the sorted durations."""
    random = Random(seed)
    queries = [
        Query(
            minute=(minute := random.randrange(20)),
            duration=random.expovariate(1 / (10 + minute)),
            kind=f"kind {random.randrange(7)}",
            hit=random.random() < 0.6,
            error=random.random() < 0.05,
        )
        for _ in range(random.randrange(200, 2000))
    ]
    put(store, after, f"seed {seed}", queries)
    found = analyze(after, f"seed {seed}")
    count, ordered = len(queries), sorted(query.duration for query in queries)
    assert found["run_id"] == f"seed {seed}"
    assert found["total_queries"] == count
    assert found["errors"] == sum(query.error for query in queries)
    assert found["error_rate"] == sum(query.error for query in queries) / count
    assert found["cache_hit_rate"] == sum(query.hit for query in queries) / count
    durations = found["duration_ms"]
    assert durations["mean"] == pytest.approx(fmean(ordered))
    exact = [ordered[int(level * count)] for level in (0.5, 0.95, 0.99)]
    assert [durations[name] for name in ("p50", "p95", "p99")] == pytest.approx(exact, rel=SEVEN_DIGITS)
    assert [kind["kind"] for kind in found["slowest_kinds"]] == [kind["kind"] for kind in expected_kinds(queries)]
    for kind, expected in zip(found["slowest_kinds"], expected_kinds(queries), strict=True):
        assert kind == pytest.approx(expected)
    minutes = minutes_of(queries)
    slope = linear_regression(list(minutes), list(minutes.values())).slope
    trend = found["trend"]
    assert trend["minutes"] == len(minutes)
    assert trend["slope_ms_per_minute"] == pytest.approx(slope)
    assert trend["r_squared"] == pytest.approx(correlation(list(minutes), list(minutes.values())) ** 2)
    assert trend["relative_change"] == pytest.approx(slope * (max(minutes) - min(minutes)) / fmean(minutes.values()))


@pytest.mark.parametrize(
    ("name", "durations", "direction"),
    [
        ("rising", [10, 11, 12, 13, 14, 15], "up"),
        ("falling", [15, 14, 13, 12, 11, 10], "down"),
        ("constant", [10] * 6, "flat"),
        ("rising by less than a tenth", [10, 10.1, 10.2, 10.3, 10.4, 10.5], "flat"),
        ("noise", [10, 30, 10, 30, 10, 31], "flat"),
        ("rising but too short", [10, 20, 30, 40], "unknown"),
    ],
)
def test_the_direction_of_the_trend(
    after: Backend, store: ClickHouse, name: str, durations: list[float], direction: str
) -> None:
    put(store, after, name, [Query(minute, duration) for minute, duration in enumerate(durations)])
    assert analyze(after, name)["trend"]["direction"] == direction


def rules(found: Any) -> dict[str, float]:
    return {entry["rule"]: entry["measured"] for entry in found["recommendations"]}


HEALTHY = [Query(minute=n % 10, duration=10.0, kind=f"kind {n % 2}") for n in range(100)]


def changed(share: int, **changes: Any) -> list[Query]:
    """HEALTHY with the first ``share`` of its hundred queries changed."""
    return [replace(query, **changes) if n < share else query for n, query in enumerate(HEALTHY)]


RISING = [Query(minute=n % 10, duration=10.0 + n % 10, kind=f"kind {n // 10 % 2}") for n in range(100)]


@pytest.mark.parametrize(
    ("name", "queries", "expected"),
    [
        ("healthy", HEALTHY, {}),
        ("half hits", changed(50, hit=False), {}),
        ("fewer hits", changed(51, hit=False), {"low_cache_hit_rate": 0.49}),
        ("two errors are an accident", changed(2, error=True), {}),
        ("three errors in a hundred", changed(3, error=True), {"high_error_rate": 0.03}),
        ("three errors in three hundred", changed(3, error=True) + HEALTHY * 2, {}),
        ("long tail", changed(6, duration=200.0), {"long_tail": 20.0}),
        ("outliers are no tail", changed(4, duration=200.0), {}),
        ("long tail of p99", changed(4, duration=200.0) + HEALTHY * 2, {"long_tail": 20.0}),
        (
            "a slow kind is no tail",
            [replace(q, kind="slow", duration=200.0) if n % 10 == 0 else q for n, q in enumerate(HEALTHY)],
            {"dominant_kind": 2000 / 2900},
        ),
        (
            "a rare slow query hides no tail",
            [Query(0, 9000.0, kind="rare"), *changed(12, duration=200.0), *HEALTHY],
            {"long_tail": 20.0, "dominant_kind": 9000 / (9000 + 2400 + 1880)},
        ),
        ("two kinds one with more", [replace(q, kind="a" if n < 74 else "b") for n, q in enumerate(HEALTHY)], {}),
        (
            "two kinds one dominant",
            [replace(q, kind="a" if n < 76 else "b") for n, q in enumerate(HEALTHY)],
            {"dominant_kind": 0.76},
        ),
        ("dominant", changed(100, kind="a")[:60] + HEALTHY[60:], {"dominant_kind": 0.6}),
        ("rising durations", RISING, {"rising_durations": 9 / 14.5}),
        ("too few to say", [Query(0, 1.0, hit=False, error=True)] * 19, {}),
    ],
)
def test_recommendations_follow_from_the_figures(
    after: Backend, store: ClickHouse, name: str, queries: list[Query], expected: dict[str, float]
) -> None:
    put(store, after, name, queries)
    found = analyze(after, name)
    assert rules(found) == pytest.approx(expected)
    for entry in found["recommendations"]:
        assert entry["advice"]
        assert entry["measured"] != entry["threshold"]


def test_no_rows_give_no_figures(after: Backend) -> None:
    found = analyze(after, "never ran")
    assert (found["total_queries"], found["errors"], found["cache_hits"]) == (0, 0, 0)
    assert found["error_rate"] is found["cache_hit_rate"] is None
    assert {found["duration_ms"][name] for name in ("mean", "p50", "p95", "p99")} == {None}
    assert (found["trend"]["direction"], found["trend"]["minutes"]) == ("unknown", 0)
    assert found["slowest_kinds"] == found["recommendations"] == []


def test_without_a_run_all_rows_count(services: dict[str, str], store: ClickHouse) -> None:
    with backend(services, AFTER) as running:
        for run_id in ("one", "two"):
            put(store, running, run_id, HEALTHY)
        assert running.get(PATH)["total_queries"] == 200
        assert running.get(PATH)["run_id"] is None
        assert analyze(running, "one")["total_queries"] == 100


def test_queries_of_the_product_are_analyzed(services: dict[str, str]) -> None:
    with backend(services, AFTER) as running:
        answers = [running.select("SELECT 1", run_id="mine") for _ in range(3)]
        running.select("SELECT nonsense", 400, run_id="mine")
        running.get("/api/metrics/flush")
        found = analyze(running, "mine")
        assert (found["total_queries"], found["cache_hits"], found["errors"]) == (4, 2, 1)
        assert found["duration_ms"]["p99"] >= max(answer["duration_ms"] for answer in answers)


def events(text: str) -> Iterator[tuple[str, Any]]:
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_the_stream_ends_with_the_same_answer(after: Backend, store: ClickHouse) -> None:
    put(store, after, "streamed", RISING)
    answer = after.http.get(PATH, params={"run_id": "streamed", "stream": "true"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *progress, (name, result) = events(answer.text)
    assert [(name, update["stage"]) for name, update in progress] == [
        ("progress", "reading"),
        ("progress", "read"),
        ("progress", "analyzed"),
    ]
    assert name == "result"
    assert result == analyze(after, "streamed")


def test_a_stream_that_fails_says_so(services: dict[str, str], store: ClickHouse) -> None:
    with backend(services, AFTER) as running:
        store.query("DROP TABLE query_metrics", running.database)
        answer = running.http.get(PATH, params={"stream": "true"})
        *_, (name, data) = events(answer.text)
        assert name == "error"
        assert data["error"].startswith("ClickHouse: ")
        assert running.get(PATH, 400)["error"].startswith("ClickHouse: ")


@pytest.mark.parametrize("stream", ["false", "true"])
def test_before_the_method_is_missing(services: dict[str, str], stream: str) -> None:
    with backend(services) as running:
        for _ in range(11):
            assert running.get(PATH, 501, run_id="x", stream=stream) == {"error": MISSING}
        assert running.get("/api/errors") == {
            "answers": {MISSING: 11},
            "log_lines": {f"ClickHouse operation failed: {MISSING}": 11},
        }
        running.log.wait(lambda line: MISSING in line and "ERROR" in line)


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"run_id": "a'b"}, "run_id: allowed are 1 to 128 letters, digits, spaces and _ . : -"),
        ({"stream": "yes"}, "stream: allowed is true or false"),
    ],
)
def test_arguments_that_are_not_understood_are_refused(after: Backend, parameters: dict[str, str], error: str) -> None:
    assert after.get(PATH, 400, **parameters) == {"error": error}
