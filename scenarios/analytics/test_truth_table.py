"""Analytics: the truth table.

Each case is a small workload of which every figure is computed here, in plain Python from its definition, and held
against the answer: counts, rates, mean, quantiles, the line through the minutes, the kinds. Whether there is a trend is
not computed but stated by the case: it is what the workload was made to be.

A case is true when the answer has all of it, asked for at once and as a stream. Quantiles may be off by the rounding to
seven digits that the answer's `method` names. `true_cases` counts them; each case has a metric of its own beside it, to
see which. The variant before has no such method: 0 throughout.
"""

import json
import math
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import correlation, fmean, linear_regression

import pytest

from harness.measure import clickhouse
from harness.measure.turn import Turn
from harness.model import Metric

TRUE_CASES = Metric("true_cases", "1", better="higher", kind="count", about="Workloads with every figure right.")

START = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
"""Half an hour before the table's partitions change."""
SEVEN_DIGITS = 2.0**-23


@dataclass(frozen=True)
class Query:
    """A row of the table: when (seconds after START), how long (ms), which kind."""

    at: float
    took: float
    kind: str = "select"
    hit: bool = False
    error: bool = False


@dataclass(frozen=True)
class Case:
    """Rows in the order in which they arrive, each part in one INSERT."""

    parts: tuple[list[Query], ...]
    direction: str
    beside: tuple[Query, ...] = ()
    """Rows of another run."""

    @property
    def rows(self) -> list[Query]:
        return [query for part in self.parts for query in part]


def over_minutes(minutes: int, level, a_minute: int = 6) -> list[Query]:  # type: ignore[no-untyped-def]
    """``level(minute)`` milliseconds on the average, give or take a tenth."""
    return [
        Query(60 * minute + n, level(minute) * (0.9 + 0.2 * n / (a_minute - 1)), f"kind {n % 3}", n % 2 == 0)
        for minute in range(minutes)
        for n in range(a_minute)
    ]


def random_rows(seed: int, count: int = 400) -> list[Query]:
    """Long-tailed durations, seven kinds, three hits in five, one error in twenty, in no order of time."""
    draw = Random(seed)
    return [
        Query(
            draw.uniform(0, 3600),
            draw.lognormvariate(2, 1.5),
            f"kind {draw.randrange(7)}",
            draw.random() < 0.6,
            draw.random() < 0.05,
        )
        for _ in range(count)
    ]


FLAT = over_minutes(30, lambda _: 20.0)
UP, DOWN = over_minutes(30, lambda m: 20.0 + m), over_minutes(30, lambda m: 50.0 - m)

CASES = {
    "empty": Case((), "unknown"),
    "one row": Case(([Query(0, 12.5, hit=True)],), "unknown"),
    "durations": Case(([Query(n, float((n * 7919) % 1000 + 1)) for n in range(1000)],), "flat"),
    "equal durations": Case(([Query(6 * n, 7.0) for n in range(300)],), "flat"),
    "zero durations": Case(([Query(6 * n, 0.0) for n in range(300)],), "unknown"),
    "microseconds": Case(([replace(query, took=query.took / 1e6) for query in FLAT],), "flat"),
    "hours": Case(([replace(query, took=query.took * 1e6) for query in FLAT],), "flat"),
    "all hits": Case(([replace(query, hit=True) for query in FLAT],), "flat"),
    "no hits": Case(([replace(query, hit=False) for query in FLAT],), "flat"),
    "all errors": Case(([replace(query, error=True) for query in FLAT],), "flat"),
    "one error": Case(([replace(FLAT[0], error=True), *FLAT[1:]],), "flat"),
    "flat": Case((FLAT,), "flat"),
    "up": Case((UP,), "up"),
    "down": Case((DOWN,), "down"),
    "step up": Case((over_minutes(30, lambda m: 20.0 if m < 15 else 30.0),), "up"),
    "step down": Case((over_minutes(30, lambda m: 30.0 if m < 15 else 20.0),), "down"),
    "late step up": Case((over_minutes(30, lambda m: 20.0 if m < 22 else 30.0),), "up"),
    "a rise too small to matter": Case((over_minutes(30, lambda m: 20.0 + m / 20),), "flat"),
    "seasons": Case((over_minutes(120, lambda m: 20.0 + 8 * math.sin(m / 10 * 2 * math.pi)),), "flat"),
    "seasons on a rise": Case((over_minutes(120, lambda m: 20.0 + m / 4 + 4 * math.sin(m / 10 * 2 * math.pi)),), "up"),
    "few long seasons": Case((over_minutes(120, lambda m: 20.0 + 8 * math.sin(m / 40 * 2 * math.pi)),), "flat"),
    "too short for a trend": Case((over_minutes(4, lambda m: 20.0 + 10 * m),), "unknown"),
    "gaps": Case(([query for query in UP if not 300 <= query.at < 1200],), "up"),
    "duplicates": Case((FLAT, FLAT), "flat"),
    "late rows": Case((UP[90:], UP[:90]), "up"),
    "out of order": Case((UP[::-1],), "up"),
    "another run": Case((DOWN,), "down", beside=tuple(UP)),
    "many kinds": Case(([Query(6 * n, 5.0 + n % 50, f"kind {n % 50}") for n in range(500)],), "flat"),
    "random 1": Case((random_rows(1),), "flat"),
    "random 2": Case((random_rows(2),), "flat"),
}


TRUE = {
    case: Metric(f"true[{case}]", "1", better="higher", kind="count", gated=False, about="1: every figure is right.")
    for case in CASES
}


def put(turn: Turn, run_id: str, rows: list[Query]) -> None:
    lines = [
        json.dumps(
            {
                "timestamp": f"{START + timedelta(seconds=query.at):%Y-%m-%d %H:%M:%S.%f}"[:-3],
                "run_id": run_id,
                "query_kind": query.kind,
                "duration_ms": query.took,
                "cache_hit": int(query.hit),
                "error": int(query.error),
            }
        )
        for query in rows
    ]
    clickhouse.run(turn.service("clickhouse"), "INSERT INTO query_metrics FORMAT JSONEachRow\n" + "\n".join(lines))


def put_all(turn: Turn) -> None:
    for name, case in CASES.items():
        for part in case.parts:
            put(turn, name, part)
        if case.beside:
            put(turn, f"{name} 2", list(case.beside))


@pytest.mark.scenario(tag="full", rounds=14)
def test_truth_table(turn: Turn) -> None:
    """Workloads go in: how many come out with every figure right?"""
    turn.once("all", lambda: put_all(turn))
    true = {name: is_true(turn, name, case) for name, case in CASES.items()}
    for name, right in true.items():
        turn.record(TRUE[name], float(right))
    turn.record(TRUE_CASES, float(sum(true.values())))


def is_true(turn: Turn, name: str, case: Case) -> bool:
    backend, path = turn.service("backend"), f"/api/analytics/performance?run_id={name.replace(' ', '%20')}"
    answer = backend.get(path)
    if answer.status != 200:
        return False
    found, streamed = answer.json(), backend.get(f"{path}&stream=true")
    final = json.loads(streamed.text.strip().rpartition("\n")[2].removeprefix("data: "))
    return not list(differences(found, expected(case))) and not list(differences(final, found))


def expected(case: Case) -> dict:  # type: ignore[type-arg]
    """The answer, but for its advice and the words around it."""
    rows = case.rows
    durations = sorted(query.took for query in rows)
    n, hits, errors = len(rows), sum(query.hit for query in rows), sum(query.error for query in rows)
    whole = math.fsum(durations)
    by_minute, by_kind = defaultdict(list), defaultdict(list)
    for query in rows:
        by_minute[query.at // 60].append(query.took)
        by_kind[query.kind].append(query.took)
    kinds = [
        {"kind": kind, "queries": len(own), "mean_ms": fmean(own), "share_of_time": sum(own) / whole if whole else 0.0}
        for kind, own in by_kind.items()
    ]
    return {
        "total_queries": n,
        "cache_hits": hits,
        "errors": errors,
        "cache_hit_rate": hits / n if n else None,
        "error_rate": errors / n if n else None,
        "duration_ms": {"mean": whole / n if n else None}
        | {f"p{level}": durations[level * n // 100] if n else None for level in (50, 95, 99)},
        "trend": {"direction": case.direction, "minutes": len(by_minute)} | line(by_minute),
        "slowest_kinds": sorted(kinds, key=lambda kind: (-kind["mean_ms"], kind["kind"]))[:5],
    }


def line(by_minute: dict[float, list[float]]) -> dict[str, float | None]:
    """The least-squares line through the means of the minutes, where there are five that have a level."""
    minutes, means = list(by_minute), [fmean(own) for own in by_minute.values()]
    if len(minutes) < 2:
        return {"slope_ms_per_minute": None, "relative_change": None, "r_squared": None}
    slope = linear_regression(minutes, means).slope
    if len(minutes) < 5 or not any(means):
        return {"slope_ms_per_minute": slope, "relative_change": None, "r_squared": None}
    varies = max(means) - min(means) > 1e-9 * max(means)
    found = {"slope_ms_per_minute": slope, "relative_change": slope * (max(minutes) - min(minutes)) / fmean(means)}
    return found | ({"r_squared": correlation(minutes, means) ** 2} if varies else {})  # else of nothing but rounding


def leaves(value, path: str = ""):  # type: ignore[no-untyped-def]
    """(path, number or text) of everything in an answer; of a list also its length."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    elif isinstance(value, list):
        yield f"{path}.length", len(value)
        for at, item in enumerate(value):
            yield from leaves(item, f"{path}[{at}]")
    else:
        yield path, value


def differences(found, wanted):  # type: ignore[no-untyped-def]
    """Where ``found`` lacks or contradicts ``wanted``: (path, what is found, what is wanted)."""
    there = dict(leaves(found))
    for path, value in leaves(wanted):
        if not same(path, there.get(path, "missing"), value):
            yield path, there.get(path, "missing"), value


def same(path: str, found: object, wanted: object) -> bool:
    if not isinstance(found, int | float) or not isinstance(wanted, int | float):
        return found == wanted
    of_trend = path.startswith(".trend")  # whose figures may be zero but for rounding
    rounding = SEVEN_DIGITS if path.startswith(".duration_ms.p") else 1e-9
    return math.isclose(found, wanted, rel_tol=rounding, abs_tol=1e-9 if of_trend else 0.0)
