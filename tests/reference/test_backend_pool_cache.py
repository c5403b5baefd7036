"""What the switches of the reference backend's pool and cache change, and that nothing changes while they are off."""

import importlib.util
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from harness.measure.relay import Relay
from tests.reference.backend_process import BOUND, FOLDER, Backend, ClickHouse, backend, until

ALONE = {"OPTIMIZATION_DELAY": "1e6", "CACHE_SIZE": "0"}
CACHING = {"OPTIMIZATION_DELAY": "1e6"}


def pool(running: Backend) -> Any:
    """The counts of the pool when the metrics of the queries so far are written."""
    running.get("/api/metrics/flush")
    return running.get("/api/metrics/summary")["pool"]


def cache(running: Backend) -> Any:
    return running.get("/api/metrics/summary")["cache"]


@contextmanager
def behind_relay(services: dict[str, str], **settings: str) -> Iterator[tuple[Backend, Relay]]:
    with (
        Relay("127.0.0.1", int(services["CLICKHOUSE_PORT"])) as relay,
        backend({**services, "CLICKHOUSE_PORT": str(relay.port)}, ALONE, settings) as running,
    ):
        yield running, relay


def at_once(running: Backend, sql: str, n: int) -> list[httpx.Response]:
    """``n`` queries, all on their way at the same time."""
    released = threading.Barrier(n)

    def ask(_: int) -> httpx.Response:
        released.wait(BOUND)
        return running.http.post("/api/query", json={"sql": sql})

    with ThreadPoolExecutor(n) as threads:
        return list(threads.map(ask, range(n)))


@pytest.mark.parametrize("check", ["none", "on_error_retry"])
def test_connections_that_were_closed_cost_no_answer(services: dict[str, str], check: str) -> None:
    with behind_relay(services, POOL_CHECK=check) as (running, relay):
        assert relay.cut() > 0
        assert running.select("SELECT 7")["rows"] == [[7]]


def test_a_dead_connection_costs_an_answer(services: dict[str, str]) -> None:
    with behind_relay(services, CLICKHOUSE_RECEIVE_TIMEOUT="0.9") as (running, relay):
        before = pool(running)
        relay.silence()
        assert running.select("SELECT 7", 503)["error"].startswith("ClickHouse: ")
        assert running.select("SELECT 7")["rows"] == [[7]]
        after = pool(running)
        assert (after["discarded"] - before["discarded"], after["retried"]) == (1, 0)


def test_with_a_second_try_it_costs_none(services: dict[str, str]) -> None:
    with behind_relay(services, CLICKHOUSE_RECEIVE_TIMEOUT="0.9", POOL_CHECK="on_error_retry") as (running, relay):
        before = pool(running)
        relay.silence()
        assert running.select("SELECT 7")["rows"] == [[7]]
        after = pool(running)
        assert (after["discarded"] - before["discarded"], after["opened"] - before["opened"]) == (1, 1)
        assert (after["retried"], len(after["uses"])) == (1, after["idle"])


def test_there_is_one_second_try_and_none_for_what_the_database_refuses(services: dict[str, str]) -> None:
    with behind_relay(services, POOL_CHECK="on_error_retry") as (running, relay):
        running.select("SELECT nonsense", 400)
        assert pool(running)["retried"] == 0
        relay.close()
        running.select("SELECT 7", 503)
        seen = running.get("/api/metrics/summary")["pool"]
        assert (seen["retried"], seen["discarded"], seen["uses"]) == (1, 1, [])


@pytest.mark.parametrize(("order", "uses"), [("lifo", [0, 0, 0, 12]), ("fifo", [3, 3, 3, 3])])
def test_the_order_spreads_the_uses_or_does_not(services: dict[str, str], order: str, uses: list[int]) -> None:
    with backend(services, ALONE, POOL_SIZE="4", POOL_ORDER=order) as running:

        def opened() -> bool:  # a caller may come when another is done already
            at_once(running, "SELECT sleep(0.3)", 4)
            return len(pool(running)["uses"]) == 4

        until(opened)
        before = pool(running)["uses"]
        for _ in range(12):
            running.select("SELECT 1")
        after = running.get("/api/metrics/summary")["pool"]["uses"]
        used = sorted(now - then for now, then in zip(after, before, strict=True))
        # The rows of metrics of these queries may have been written meanwhile: a few uses more, anywhere.
        assert all(0 <= found - least <= sum(used) - 12 for found, least in zip(used, uses, strict=True))
        assert sum(used) < 20


def test_one_query_is_run_for_all_that_want_it_at_once(services: dict[str, str], store: ClickHouse) -> None:
    with backend(services, CACHING, CACHE_SINGLE_FLIGHT="true") as running:
        answers = at_once(running, "SELECT sleep(2), 'one flight'", 6)
        assert [answer.json()["rows"] for answer in answers] == [[[0, "one flight"]]] * 6
        assert not any(answer.json()["cache_hit"] for answer in answers)
        assert cache(running)["joined"] == 5
        assert runs(store, "one flight") == 1
        running.get("/api/metrics/flush")
        rows = store.query("SELECT count(), sum(rows_read), sum(cache_hit) FROM query_metrics", running.database)
        assert rows.split() == ["6", "1", "0"], "each is a query, one of them read"
        assert running.select("SELECT sleep(2), 'one flight'")["cache_hit"]


def test_without_single_flight_each_runs_its_own(services: dict[str, str], store: ClickHouse) -> None:
    with backend(services, CACHING) as running:
        assert {answer.status_code for answer in at_once(running, "SELECT sleep(2), 'own flights'", 4)} == {200}
        assert cache(running)["joined"] == 0
        assert runs(store, "own flights") == 4


def runs(store: ClickHouse, marker: str) -> int:
    """How many queries ClickHouse has begun that begin with a sleep and contain the marker."""
    store.query("SYSTEM FLUSH LOGS")
    wanted = f"type = 'QueryStart' AND startsWith(query, 'SELECT sleep') AND position(query, '{marker}') > 0"
    return int(store.query(f"SELECT count() FROM system.query_log WHERE {wanted}"))


def test_a_flight_that_fails_fails_for_all_and_is_forgotten(services: dict[str, str]) -> None:
    with backend(services, CACHING, CACHE_SINGLE_FLIGHT="true") as running:
        answers = at_once(running, "SELECT throwIf(sleep(2) = 0, 'no luck')", 3)
        assert {answer.status_code for answer in answers} == {400}
        running.select("SELECT throwIf(sleep(2) = 0, 'no luck')", 400)
        assert cache(running)["joined"] == 2
        assert not running.logged("never retrieved")


def test_whoever_gives_up_leaves_the_flight_to_the_others(services: dict[str, str]) -> None:
    with backend(services, CACHING, CACHE_SINGLE_FLIGHT="true") as running:
        body = b'{"sql": "SELECT sleep(2)"}'
        with socket.create_connection((running.http.base_url.host, running.http.base_url.port or 0)) as first:
            first.sendall(b"POST /api/query HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            until(lambda: running.get("/api/metrics/summary")["pool"]["in_use"] > 0)
        assert running.select("SELECT sleep(2)")["rows"] == [[0]]
        assert cache(running)["joined"] == 1


class Clock:
    """Takes the place of the module ``time``."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("adaptive", "uses", "age", "kept"),
    [(False, 5, 1.99, True), (False, 5, 2, False), (True, 4, 2, False), (True, 5, 3.99, True), (True, 5, 4, False)],
)
def test_what_is_used_five_times_lives_twice_as_long(adaptive: bool, uses: int, age: float, kept: bool) -> None:  # noqa: FBT001
    """The cache itself, on a clock that the test sets."""
    specification = importlib.util.spec_from_file_location("cache_under_test", FOLDER / "backend" / "cache.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.time = clock = Clock()
    cache = module.ResultCache(10, 2.0, adaptive=adaptive)
    for _ in range(2):  # put anew it begins anew
        cache.put("key", "value")
        assert [cache.get("key") for _ in range(uses)] == ["value"] * uses
        clock.now += age
        assert cache.get("key") == ("value" if kept else None)


def test_the_setting_lets_a_result_live_twice_as_long(services: dict[str, str]) -> None:
    with backend(services, CACHING, CACHE_TTL="1", CACHE_ADAPTIVE_TTL="true") as running:
        fresh = iter(range(1000))

        def outlives() -> bool:
            """Whether it does; not either when this machine needs a second for all uses."""
            sql = f"SELECT {next(fresh)}"
            for _ in range(6):
                running.select(sql)
            running.select("SELECT sleep(1)", parameters={"n": next(fresh)})
            return bool(running.select(sql)["cache_hit"])

        until(outlives)


def test_warming_puts_answers_where_they_will_be_looked_for(services: dict[str, str]) -> None:
    sql = "SELECT {x:UInt8}"
    with backend(services, CACHING) as running:
        wanted = [{"sql": sql, "parameters": {"x": x}} for x in (1, 2)] + [{"sql": "SELECT 3"}]
        assert running.post("/api/cache/warm", {"queries": wanted}) == {"warmed": 3}
        seen = running.get("/api/metrics/summary")
        assert (seen["total_queries"], seen["cache_hits"], seen["cache_misses"]) == (0, 0, 0)
        answers = [running.select(sql, parameters={"x": x}) for x in (1, 2, 3)] + [running.select("SELECT 3")]
        assert [answer["cache_hit"] for answer in answers] == [True, True, False, True]
        assert [answer["rows"] for answer in answers] == [[[1]], [[2]], [[3]], [[3]]]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"queries": [{"sql": "SELECT 1"}, {"sql": "DROP TABLE query_metrics"}]}, "only SELECT is allowed"),
        ({"queries": "SELECT 1"}, "queries: a list of at most 10000 objects is needed"),
        ({"queries": ["SELECT 1"]}, "queries: a list of at most 10000 objects is needed"),
        ({}, "queries: a list of at most 10000 objects is needed"),
        ({"queries": [{"sql": 1}]}, "sql: a text is needed"),
        (
            {"queries": [{"sql": "SELECT {x:UInt8}", "params": {"x": 1}}]},
            "queries: 'params' is not known; known are parameters, sql",
        ),
        ({"queries": [{"sql": "SELECT 1", "parameters": 1}]}, "parameters: an object is needed"),
    ],
)
def test_a_warming_that_is_not_understood_is_refused(after: Backend, body: object, error: str) -> None:
    assert after.post("/api/cache/warm", body, 400) == {"error": error}


def test_a_timeout_may_be_a_fraction_of_a_second(services: dict[str, str]) -> None:
    with backend(services, ALONE, CLICKHOUSE_RECEIVE_TIMEOUT="0.9", CLICKHOUSE_CONNECT_TIMEOUT="0.9") as running:
        assert running.select("SELECT sleep(3)", 503)["error"].startswith("ClickHouse: ")
