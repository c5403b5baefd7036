"""Pool: what the number of ClickHouse connections, their health and the order of their use do to callers.

Every scenario starts an instance of the variant's backend of its own, with the pool that it is about and without the
result cache, and works it with queries that sleep in ClickHouse for a known time: then the pool is the only thing that
callers compete for. Time in the queue and counts are the backend's own (`GET /api/metrics/summary`), latencies and
answers are seen from outside.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from harness.measure.callers import Call, at_once
from harness.measure.http import Client, Response
from harness.measure.relay import Relay
from harness.measure.service import RunningService
from harness.measure.turn import Turn
from harness.model import Metric

THROUGHPUT = Metric("throughput", "1/s", better="higher", gated=False, about="Queries answered a second.")
QUEUE = Metric("queue", "s", gated=False, about="Mean wait of a query for a free connection, as the backend counts it.")
OPENED = Metric("opened", "1", kind="count", gated=False, about="Connections that the pool opened.")
ANSWERED = Metric("answered", "1", better="higher", kind="count", about="Queries that got their rows.")
TIMED_OUT = Metric("timed_out", "1", kind="count", about="Callers that were told that no connection was free in time.")
TOLD = Metric("told_after", "s", gated=False, about="Until the last of these was told so.")
AFTER_CUT = Metric(
    "answered_after_cut", "1", better="higher", kind="count", about="Of the first four queries after all were cut."
)
AFTER_SILENCE = Metric(
    "answered_after_silence", "1", better="higher", kind="count", about="Of the first four after all had gone dead."
)
REPLACED = Metric("replaced", "1", better="higher", kind="count", gated=False, about="New connections after both.")
WELL_AFTER_CUT = Metric("well_after_cut", "s", gated=False, about="From the cut until all callers are answered again.")
WELL_AFTER_SILENCE = Metric("well_after_silence", "s", gated=False, about="The same, after the silence.")
IMBALANCE = Metric("imbalance", "1", gated=False, about="Uses of the busiest connection / mean of all; 1 is even.")

CALLERS = 16
EACH = 2
"""Queries of each caller, one after the other."""
SLEEP = 0.01
"""Seconds that a query of the size sweep sleeps in ClickHouse; it takes longer, never shorter."""
ALONE = {"CACHE_SIZE": 0, "OPTIMIZATION_DELAY": 1e6}
"""No answer from the cache, and no background work beside what is measured."""


def query(client: Client, sql: str) -> Response:
    return client.post("/api/query", {"sql": sql})


def sleep(client: Client, seconds: float) -> bool:
    """One query that sleeps in ClickHouse; whether it was answered."""
    return query(client, f"SELECT sleep({seconds})").status == 200


def pool(backend: RunningService) -> Any:
    """The pool's counts since its start."""
    return backend.get("/api/metrics/summary").json()["pool"]


@contextmanager
def backend_with(turn: Turn, **settings: object) -> Iterator[RunningService]:
    """Another instance of the backend, with its own pool."""
    with turn.started("backend", {**ALONE, **settings}, settled=False) as (backend, _):
        yield backend


def results(calls: list[Call[Any]]) -> list[Any]:
    """What the calls returned; what one raised is raised."""
    for call in calls:
        if call.error is not None:
            raise call.error
    return [call.result for call in calls]


@pytest.mark.parametrize("size", [1, 2, 4, 8, 16])
@pytest.mark.scenario(tag="full", rounds=6)
def test_size(turn: Turn, size: int) -> None:
    """16 callers, two queries each: how many are answered a second, and how long each waits in the queue.

    With s connections and queries of t seconds no pool answers more than s / t a second; what is missing to that is
    spent elsewhere: in the backend, in ClickHouse, on a processor that has no more to give.
    """
    with backend_with(turn, POOL_SIZE=size) as backend:
        assert all(results(at_once(backend, size, lambda client, _: sleep(client, 0.1))))  # opens the connections
        before = pool(backend)
        calls = at_once(backend, CALLERS, lambda client, _: [sleep(client, SLEEP) for _ in range(EACH)])
        seen = pool(backend)
    queries = CALLERS * EACH
    turn.record(ANSWERED, sum(map(sum, results(calls))))
    turn.predict(ANSWERED, queries, queries, "all of them")
    turn.record(THROUGHPUT, queries / (max(call.ended for call in calls) - calls[0].intended))
    turn.predict(THROUGHPUT, 0, size / SLEEP, f"at most {size} at once, each at least {SLEEP:g} s")
    turn.record(OPENED, seen["opened"])
    turn.predict(OPENED, 1, size, "never more than its size")
    if size < CALLERS:  # with one connection for every caller nobody waits
        turn.record(QUEUE, (seen["wait_seconds"] - before["wait_seconds"]) / queries)


@pytest.mark.scenario(tag="full", rounds=2)
def test_exhausted(turn: Turn) -> None:
    """16 callers of two connections, which are busy for longer than anybody may wait: how many are told so?"""
    with backend_with(turn, POOL_SIZE=2, POOL_TIMEOUT=0.05) as backend:
        calls = at_once(backend, CALLERS, lambda client, _: query(client, "SELECT sleep(0.8)"))
        answers = results(calls)
        assert sleep(backend, 0), "a pool that was exhausted serves again"
        # The backend's own writer of metrics waits for a connection, too, and may be told the same.
        assert pool(backend)["timeouts"] >= sum(answer.status == 503 for answer in answers)
    assert all(answer.status == 200 or "no free connection" in answer.text for answer in answers)
    turn.record(ANSWERED, sum(answer.status == 200 for answer in answers))
    turn.record(TIMED_OUT, sum(answer.status == 503 for answer in answers))
    turn.record(TOLD, max(call.latency for call in calls if call.result and call.result.status == 503))
    turn.predict(ANSWERED, 2, 2, "one for each connection")
    turn.predict(TIMED_OUT, CALLERS - 2, CALLERS - 2, "all others")


@pytest.mark.parametrize("check", ["none", "on_error_retry"])
@pytest.mark.scenario(tag="full", rounds=6)
def test_broken(turn: Turn, check: str) -> None:
    """Idle connections break: are they noticed, what does it cost the callers, when is all well again?

    A relay between backend and ClickHouse first cuts all connections, as a server that restarts does: both ends are
    told. Then it lets all go dead without a word, as a firewall does: only waiting tells, 0.5 s here.
    """
    clickhouse = turn.service("clickhouse")
    with Relay(clickhouse.host, clickhouse.port, seen_from=turn.service("backend").host) as relay:
        between = {"CLICKHOUSE_HOST": relay.host, "CLICKHOUSE_PORT": relay.port, "CLICKHOUSE_RECEIVE_TIMEOUT": 0.5}
        with backend_with(turn, POOL_SIZE=4, POOL_CHECK=check, **between) as backend:
            wave(backend)
            opened = relay.accepted
            for break_all, answered, well in (
                (relay.cut, AFTER_CUT, WELL_AFTER_CUT),
                (relay.silence, AFTER_SILENCE, WELL_AFTER_SILENCE),
            ):
                assert break_all() > 0
                broken = time.monotonic()
                first = answers = wave(backend)
                while not all(answers):
                    assert time.monotonic() - broken < 20, "never well again"
                    answers = wave(backend)
                turn.record(well, time.monotonic() - broken)
                turn.record(answered, sum(first))
            turn.record(REPLACED, relay.accepted - opened)


def wave(backend: RunningService) -> list[bool]:
    """Four callers at once, on up to four connections; who was answered."""
    return results(at_once(backend, 4, lambda client, _: sleep(client, 0.03)))


@pytest.mark.parametrize("order", ["lifo", "fifo"])
@pytest.mark.scenario(tag="full", rounds=6)
def test_balance(turn: Turn, order: str) -> None:
    """After a peak has opened eight connections, one caller goes on: do all of them work, or one of them?"""
    with backend_with(turn, POOL_SIZE=8, POOL_ORDER=order) as backend:
        assert all(results(at_once(backend, 8, lambda client, _: sleep(client, 0.2))))
        opened = pool(backend)["uses"]
        assert all(sleep(backend, 0) for _ in range(4 * len(opened)))
        uses = [after - before for before, after in zip(opened, pool(backend)["uses"], strict=True)]
    turn.record(IMBALANCE, max(uses) * len(uses) / sum(uses))
    even = order == "fifo"
    turn.predict(
        IMBALANCE, 1 if even else 5, 1.5 if even else 8, "all in turn" if even else "the same one again and again"
    )
