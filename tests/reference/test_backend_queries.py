"""Queries of the reference backend: the cache, the pool, the rows of metrics they leave, and what is refused."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.reference.backend_process import Backend, ClickHouse, backend, free_port, until

NO_OPTIMIZATION = {"OPTIMIZATION_DELAY": "1e6"}
SLOW = "SELECT sleep(0.5), {n:UInt32}"


def summary(running: Backend) -> Any:
    return running.get("/api/metrics/summary")


def quiet_pool(running: Backend) -> Any:
    """The counts of the pool while nothing uses it: also the metrics of the queries are written."""
    running.get("/api/metrics/flush")
    return summary(running)["pool"]


def test_a_query_gives_rows_and_says_what_it_took(after: Backend) -> None:
    answer = after.select(
        "SELECT number AS n, toString(n) AS t, nan AS x FROM numbers({count:UInt32})", parameters={"count": 3}
    )
    assert answer["columns"] == ["n", "t", "x"]
    assert answer["rows"] == [[0, "0", None], [1, "1", None], [2, "2", None]]
    assert (answer["cache_hit"], answer["truncated"], answer["rows_read"]) == (False, False, 3)


def test_the_cache_answers_the_same_question_and_counts(services: dict[str, str]) -> None:
    with backend(services) as running:
        questions = [{"x": 1}, {"x": 1}, {"x": 2}, {"x": 1}]
        answers = [running.select("SELECT {x:UInt8} AS x", parameters=question) for question in questions]
        assert [answer["cache_hit"] for answer in answers] == [False, True, False, True]
        assert [answer["rows"] for answer in answers] == [[[1]], [[1]], [[2]], [[1]]]
        seen = summary(running)
        assert (seen["total_queries"], seen["cache_hits"], seen["cache_misses"]) == (4, 2, 2)
        assert seen["cache_hit_rate"] == 0.5
        assert seen["average_query_time_ms"] == pytest.approx(sum(a["duration_ms"] for a in answers) / 4)
        assert seen["reliability_status"]["success_rate"] == 1
        assert seen["cache"]["entries"] == 2


def test_the_cache_forgets_the_least_recently_used(services: dict[str, str]) -> None:
    with backend(services, CACHE_SIZE="2") as running:
        hits = [running.select(f"SELECT {x}")["cache_hit"] for x in (1, 2, 1, 3, 1, 2)]
        assert hits == [False, False, True, False, True, False]
        assert summary(running)["cache"]["evictions"] == 2


@pytest.mark.parametrize("setting", [{"CACHE_TTL": "0"}, {"CACHE_SIZE": "0"}])
def test_the_cache_can_be_switched_off(services: dict[str, str], setting: dict[str, str]) -> None:
    with backend(services, setting) as running:
        assert [running.select("SELECT 1")["cache_hit"] for _ in range(3)] == [False] * 3


def run_together(running: Backend, count: int, status: int = 200) -> list[Any]:
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(lambda n: running.select(SLOW, status, parameters={"n": n}), range(count)))


def test_the_pool_never_opens_more_than_its_size_and_counts_the_waits(services: dict[str, str]) -> None:
    with backend(services, NO_OPTIMIZATION, POOL_SIZE="2") as running:
        earlier = summary(running)["pool"]
        answers = run_together(running, 6)
        assert sorted(answer["rows"][0][1] for answer in answers) == list(range(6))
        pool = quiet_pool(running)
        assert (pool["size"], pool["opened"], pool["peak_in_use"]) == (2, 2, 2)
        acquired = pool["acquired"] - earlier["acquired"]
        assert acquired >= 6
        assert 1 <= pool["waits"] <= acquired - 2
        assert pool["wait_seconds"] >= pool["longest_wait_seconds"] > 0
        assert (pool["in_use"], pool["idle"], pool["timeouts"]) == (0, 2, 0)


def test_a_pool_that_is_large_enough_has_no_waits(services: dict[str, str]) -> None:
    with backend(services, NO_OPTIMIZATION, POOL_SIZE="8") as running:
        run_together(running, 4)
        pool = summary(running)["pool"]
        assert pool["waits"] == pool["wait_seconds"] == 0
        assert pool["opened"] <= 5


def test_waiting_too_long_for_a_connection_is_an_error_answer(services: dict[str, str]) -> None:
    with (
        backend(services, NO_OPTIMIZATION, POOL_SIZE="1", POOL_TIMEOUT="0.05") as running,
        ThreadPoolExecutor(3) as threads,
    ):
        answers = threads.map(
            lambda n: running.http.post("/api/query", json={"sql": SLOW, "parameters": {"n": n}}), range(3)
        )
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses[0] == 200
        assert statuses[-1] == 503
        kinds = running.get("/api/errors")["answers"]
        assert kinds == {"no free connection within <n>s (pool size <n>)": statuses.count(503)}
        assert quiet_pool(running)["timeouts"] >= statuses.count(503)
        assert running.select("SELECT 1")["rows"] == [[1]]


def test_a_query_that_fails_gives_its_connection_back(services: dict[str, str]) -> None:
    with backend(services, NO_OPTIMIZATION) as running:
        for _ in range(5):
            running.select("SELECT nonsense", 400)
        pool = quiet_pool(running)
        assert (pool["opened"], pool["discarded"], pool["in_use"]) == (pool["idle"], 0, 0)


def test_every_query_leaves_a_row_of_metrics(services: dict[str, str], store: ClickHouse) -> None:
    with backend(services) as running:
        sent = [
            running.select("SELECT number FROM numbers(7)", run_id="run 1"),
            running.select("SELECT number FROM numbers(7)", run_id="run 1"),
            running.select("SELECT 1", run_id="run 1", kind="mine"),
        ]
        running.select("SELECT nonsense", 400, run_id="run 1", kind="broken")
        assert running.get("/api/metrics/flush")["flushed"] <= 4
        columns = "query_id, query_kind, duration_ms, cache_hit, error, rows_read, result_rows"
        order = "ORDER BY timestamp, error, query_kind DESC, cache_hit FORMAT JSONCompactEachRow"
        text = store.query(f"SELECT {columns} FROM query_metrics WHERE run_id = 'run 1' {order}", running.database)
        rows = [json.loads(line) for line in text.splitlines()]
        by_id = {row[0]: row[1:] for row in rows}
        for answer, (kind, hit, read, results) in zip(
            sent, [("select numbers", 0, 7, 7), ("select numbers", 1, 0, 7), ("mine", 0, 1, 1)], strict=True
        ):
            assert by_id.pop(answer["query_id"]) == [kind, answer["duration_ms"], hit, 0, read, results]
        assert [(row[0], *row[2:]) for row in by_id.values()] == [("broken", 0, 1, 0, 0)]
        assert summary(running)["reliability_status"]["statistics"]["failed_executions"] == 1


def test_metrics_are_written_without_being_asked_for(services: dict[str, str]) -> None:
    """After a full batch, and after a while for fewer rows."""
    with backend(services) as running:
        for n in range(201):
            running.select("SELECT 1", run_id=f"r{n}")

        def written() -> bool:
            writer = summary(running)["writer"]
            return bool(writer["written"] == 201 and writer["collected"] == 0 and writer["batches"] >= 2)

        until(written)


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE query_metrics",
        "/* SELECT */ DROP TABLE query_metrics",
        "INSERT INTO query_metrics SELECT 1",
        "",
        "-- SELECT 1",
    ],
)
def test_only_selects_are_run(after: Backend, sql: str) -> None:
    assert after.select(sql, 400)["error"] == "only SELECT is allowed"


@pytest.mark.parametrize(
    "sql",
    ["WITH 1 AS x INSERT INTO query_metrics (run_id) SELECT toString(x)", "SELECT 1; DROP TABLE query_metrics"],
)
def test_what_only_looks_like_a_select_writes_nothing(after: Backend, sql: str) -> None:
    assert after.select(sql, 400)["error"].startswith("ClickHouse: ")
    assert after.select("EXISTS query_metrics", 400)["error"] == "only SELECT is allowed"
    after.select("SELECT count() FROM query_metrics")


def test_many_rows_are_cut(services: dict[str, str]) -> None:
    with backend(services, QUERY_MAX_ROWS="10") as running:
        sql = "SELECT number FROM numbers({}) SETTINGS max_block_size = 5"
        full, over, many = (running.select(sql.format(count)) for count in (10, 11, 1_000_000))
        assert (len(full["rows"]), full["truncated"]) == (10, False)
        assert (len(over["rows"]), over["truncated"]) == (10, True)
        assert (len(many["rows"]), many["truncated"]) == (10, True)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"sql": 1}, "sql: a text is needed"),
        ({"sql": "SELECT 1", "parameters": [1]}, "parameters: an object is needed"),
        ({"sql": "SELECT 1", "run_id": "a\nb"}, "run_id: allowed are 1 to 128 letters, digits, spaces and _ . : -"),
        ({"sql": "SELECT 1", "kind": "x" * 129}, "kind: allowed are 1 to 128 letters, digits, spaces and _ . : -"),
    ],
)
def test_a_query_that_is_not_understood_is_refused(after: Backend, body: object, error: str) -> None:
    assert after.post("/api/query", body, 400) == {"error": error}


def test_a_text_that_is_no_text_is_refused(after: Backend) -> None:
    answer = after.http.post("/api/query", content=b'{"sql": "SELECT \'\\ud800\'"}')
    assert answer.status_code == 400
    assert after.get("/health/ready")["status"] == "ready"


@pytest.mark.parametrize("sql", ["SELECT {x:UInt8}", "SELECT 1 %", "SELECT {x:Array(UInt8)}"])
@pytest.mark.parametrize("parameters", [{"x": "no number"}, {"y": 1}, {"x": {"a": [None]}}, {"": [[]]}])
def test_a_parameter_that_does_not_fit_is_refused(after: Backend, sql: str, parameters: object) -> None:
    assert after.select(sql, 400, parameters=parameters)["error"].startswith("ClickHouse: ")


def test_error_kinds_leave_out_what_differs(services: dict[str, str]) -> None:
    with backend(services) as running:
        for n in (1, 22, 333):
            running.select(f"SELECT throwIf(1, 'broken {n}')", 400)
        ((kind, count),) = running.get("/api/errors")["answers"].items()
        assert count == 3
        assert not any(character.isdigit() for character in kind)


def test_a_closed_port_is_named(services: dict[str, str]) -> None:
    del services
    with backend(ready=False, CLICKHOUSE_PORT=str(free_port()), TIME_SCALE="0.001") as running:
        assert running.select("SELECT 1", 503)["error"].startswith("ClickHouse: ")
