"""Cache: what is answered without ClickHouse, how old that is, and what happens while the cache is cold.

Every scenario starts an instance of the variant's backend of its own, with the cache that it is about. The accesses are
known beforehand, so whether each of them has to be a hit is computed beforehand, too, by a simulation that shares no
code with the backend. Accesses, sizes and times to live are small: what counts is their proportion.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from harness.measure import clickhouse
from harness.measure.access import cache_hits, one_hit_wonders, scan, zipf
from harness.measure.callers import Call, at_once, open_loop
from harness.measure.http import Client
from harness.measure.service import RunningService
from harness.measure.turn import Turn
from harness.model import Metric

WRONG = Metric("not_as_computed", "1", kind="count", about="Accesses that hit or missed although they should not have.")
HIT = Metric("hit_rate", "1", better="higher", kind="rate", gated=False, about="Share of reads answered by the cache.")
STALE = Metric(
    "stale", "1", kind="rate", gated=False, about="Share of answers that the data had outrun when asked for."
)
AGE = Metric("stale_for", "s", gated=False, about="Since the data had changed, of the answer that was stale longest.")
COLD_HITS = Metric("cold_hits", "1", better="higher", kind="count", about="Of the first 30 requests, cold cache.")
WARM_HITS = Metric("warm_hits", "1", better="higher", kind="count", about="Of the first 30 requests, warmed cache.")
COLD_LATENCY = Metric("cold_latency", "s", gated=False, about="Mean of the first requests with a cold cache.")
WARM_LATENCY = Metric("warm_latency", "s", gated=False, about="Mean of the first requests, warmed cache.")
WARMING = Metric("warming", "s", gated=False, about="That warming took, before the first request.")
REACHED = Metric("reached_clickhouse", "1", kind="count", about="Queries that ClickHouse got, by its own log.")
SLOWEST = Metric("slowest", "s", gated=False, about="Until the last caller was answered.")

QUIET = {"OPTIMIZATION_DELAY": 1e6}
"""No background work beside what is measured."""
SEED = 20251124
"""The accesses are the same in all rounds: then so is what should become of them."""
ACCESSES = 150
SIZE = 32
"""Entries of the cache."""
WANTED = zipf(random.Random(SEED), 100, 1.0, ACCESSES)
PATTERNS = {
    "zipf": WANTED,
    "one_hit_wonders": one_hit_wonders(random.Random(SEED), WANTED, 0.3),
    "scan": scan(SIZE + 1, 3 * (SIZE + 1)),
    "scan_that_fits": scan(SIZE, 3 * SIZE),
}
HITS = {
    name: Metric(f"{name}_hits", "1", better="higher", kind="count", about=f"Of {len(accesses)} accesses.")
    for name, accesses in PATTERNS.items()
}


def ask(client: Client, sql: str, **parameters: object) -> Any:
    """One query through the cache."""
    answer = client.post("/api/query", {"sql": sql, "parameters": parameters})
    assert answer.status == 200, answer.text
    return answer.json()


@contextmanager
def backend_with(turn: Turn, **settings: object) -> Iterator[RunningService]:
    """Another instance of the backend, with its own empty cache."""
    with turn.started("backend", {**QUIET, **settings}, settled=False) as (backend, _):
        yield backend


@pytest.mark.scenario(tag="full", rounds=2)
def test_access(turn: Turn) -> None:
    """Known sequences of accesses to a cache of 32: which of them hit, and are those the ones that should?

    Zipf: few keys are wanted often. One-hit wonders: three in ten of these are keys that never come again, and push
    others out. Scan: 33 keys round and round defeat a cache of 32 that drops the least recently used; 32 keys fit.
    Each sequence has keys of its own. What earlier ones left has been used less recently than any of them and goes
    first, so each of them meets a cache that is as good as empty.
    """
    wrong = 0
    with backend_with(turn, CACHE_SIZE=SIZE) as backend:
        for name, accesses in PATTERNS.items():
            hits = [access(backend, name, key) for key in accesses]
            expected = cache_hits(accesses, SIZE)
            wrong += sum(hit != should for hit, should in zip(hits, expected, strict=True))
            turn.record(HITS[name], sum(hits))
            turn.predict(HITS[name], sum(expected), sum(expected), f"the least recently used of {SIZE} goes first")
    turn.record(WRONG, wrong)
    turn.predict(WRONG, 0, 0, "every access is computed beforehand")


def access(client: Client, pattern: str, key: int) -> bool:
    """Whether it hit."""
    answer = ask(client, "SELECT {pattern:String}, {key:UInt32}", pattern=pattern, key=key)
    assert answer["rows"] == [[pattern, key]]
    hit: bool = answer["cache_hit"]
    return hit


RATE, SECONDS = 60.0, 1.4
"""Of the schedule of reads and writes."""
WRITE_EVERY = 6
"""One call in so many changes the data: every 0.1 s."""


@pytest.mark.parametrize(
    ("ttl", "adaptive"),
    [(0.05, False), (0.15, False), (0.15, True), (0.45, False)],
    ids=["50ms", "150ms", "150ms_adaptive", "450ms"],
)
@pytest.mark.scenario(tag="full", rounds=8)
def test_ttl(turn: Turn, ttl: float, adaptive: bool) -> None:  # noqa: FBT001
    """One value is read 50 times a second and changed 10 times a second: how often is it a hit, how often stale?

    A longer time to live buys hits with stale answers; nothing here makes both better. Adaptive: a value that was used
    five times lives twice as long, so at this rate it is a time to live of twice the length.
    """
    store = turn.service("clickhouse")
    clickhouse.run(store, "DROP TABLE IF EXISTS cache_versions")
    clickhouse.run(store, "CREATE TABLE cache_versions (version UInt64) ENGINE = Memory")
    clickhouse.run(store, "INSERT INTO cache_versions VALUES (0)")

    def call(client: Client, index: int) -> Any:
        if index % WRITE_EVERY:
            return ask(client, "SELECT max(version) FROM cache_versions")
        with RunningService(store.name, store.host, store.port, store.settings) as writer:  # a connection of its own
            clickhouse.run(writer, f"INSERT INTO cache_versions VALUES ({index + 1})")
        return None

    with backend_with(turn, CACHE_TTL=ttl, CACHE_ADAPTIVE_TTL=adaptive) as backend:
        calls = open_loop(backend, RATE, SECONDS, call)
    assert not (errors := [one.error for one in calls if one.error]), errors[0]
    reads = [one for one in calls if one.index % WRITE_EVERY]
    ages = [outdated(one, calls) for one in reads]
    for one, age in zip(reads, ages, strict=True):
        turn.record(HIT, one.result["cache_hit"])
        turn.record(STALE, age is not None)
    life, gap = ttl * (2 if adaptive else 1), 2 / RATE
    if longest := max((age for age in ages if age is not None), default=0.0):
        turn.record(AGE, longest)
        slowest = max(one.ended - one.began for one in reads)
        assert longest <= life + slowest, "kept for longer than its time to live and the query that fetched it"
    starts = [one.index / RATE for one in reads]
    low, high = (sum(cache_hits([0] * len(starts), 1, t, starts)) / len(starts) for t in (life - gap, life + gap))
    turn.predict(HIT, min(low, high), max(low, high), f"reads on schedule; a value lives {life:g} s ± two reads")


def outdated(read: Call[Any], calls: list[Call[Any]]) -> float | None:
    """For how long the answer of ``read`` had been outrun when it was asked for, in seconds; None: it had not.

    What counts is the first later version whose write had been confirmed by then.
    """
    seen = read.result["rows"][0][0]
    writes = [one for one in calls if one.index % WRITE_EVERY == 0 and one.index + 1 > seen]
    confirmed = min((one.ended for one in writes), default=read.began)
    return read.began - confirmed if confirmed < read.began else None


FIRST = 30
"""Requests that are the first ones."""
HOT = 10
"""Most wanted keys that are fetched beforehand, of 40."""


@pytest.mark.scenario(tag="full", rounds=6)
def test_warming(turn: Turn) -> None:
    """The first 30 requests (Zipf, 40 keys) of a cold cache, and of one into which the ten most wanted were put.

    The queries of both sleep in ClickHouse for 5 ms and differ in their text, so that neither half helps the other.
    """
    accesses = zipf(random.Random(SEED), 40, 1.0, FIRST)
    sql = "SELECT sleep(0.005), {key:UInt32}"
    with backend_with(turn) as backend:
        cold, cold_seconds = first_requests(turn, backend, sql, accesses)
        began = turn.clock()
        wanted = [{"sql": f"{sql} AS warm", "parameters": {"key": key}} for key in range(HOT)]
        assert backend.post("/api/cache/warm", {"queries": wanted}).json() == {"warmed": HOT}
        turn.record(WARMING, turn.clock() - began)
        warm, warm_seconds = first_requests(turn, backend, f"{sql} AS warm", accesses)
    turn.record(COLD_LATENCY, cold_seconds / FIRST)
    turn.record(WARM_LATENCY, warm_seconds / FIRST)
    for metric, hits, before in ((COLD_HITS, cold, 0), (WARM_HITS, warm, HOT)):
        turn.record(metric, hits)
        expected = sum(cache_hits([*range(before), *accesses], 1000)[before:])
        turn.predict(metric, expected, expected, f"{before} of 40 keys fetched beforehand")


def first_requests(turn: Turn, backend: RunningService, sql: str, keys: list[int]) -> tuple[int, float]:
    """How many of them hit, and the seconds that all took."""
    began = turn.clock()
    hits = sum(ask(backend, sql, key=key)["cache_hit"] for key in keys)
    return hits, turn.clock() - began


CALLERS = 32


@pytest.mark.parametrize("single_flight", [False, True], ids=["off", "single_flight"])
@pytest.mark.scenario(tag="full", rounds=2)
def test_stampede(turn: Turn, single_flight: bool) -> None:  # noqa: FBT001
    """32 callers at once want what is not in the cache: how many queries does ClickHouse get for one answer?"""
    marker = f"stampede {turn.round} {turn.pair} {turn.random.random()}"
    sql = f"SELECT sleep(0.3), '{marker}'"
    with backend_with(turn, POOL_SIZE=CALLERS, CACHE_SINGLE_FLIGHT=single_flight) as backend:
        calls = at_once(backend, CALLERS, lambda client, _: ask(client, sql)["rows"])
    assert all(one.result == [[0, marker]] for one in calls), [one.error for one in calls if one.error]
    clickhouse.run(turn.service("clickhouse"), "SYSTEM FLUSH LOGS")
    got = clickhouse.run(
        turn.service("clickhouse"),
        f"""SELECT count() FROM system.query_log
            WHERE type = 'QueryStart' AND startsWith(query, 'SELECT sleep') AND position(query, '{marker}') > 0""",
    )
    turn.record(REACHED, int(got))
    turn.record(SLOWEST, max(one.latency for one in calls))
    expected = 1 if single_flight else CALLERS
    turn.predict(REACHED, expected, expected, "one query" if single_flight else "one for each caller")
