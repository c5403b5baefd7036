"""Statements on a variant's ClickHouse: a real engine, asked as a scenario asks it."""

from collections.abc import Iterator

import pytest

from harness.errors import HarnessError
from harness.measure.clickhouse import run
from harness.measure.service import RunningService
from tests.reference.backend_process import PASSWORD, USER, ClickHouse, clickhouse, free_port

SETTINGS = {"CLICKHOUSE_USER": USER, "CLICKHOUSE_PASSWORD": PASSWORD}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with clickhouse(free_port(), tmp_path_factory.mktemp("clickhouse")) as running:
        running.query("CREATE DATABASE mine")
        yield running


def service(store: ClickHouse, **changes: str) -> RunningService:
    return RunningService("clickhouse", "127.0.0.1", store.port, SETTINGS | changes)


def test_it_runs_in_the_database_of_the_settings(store: ClickHouse) -> None:
    with service(store, CLICKHOUSE_DB="mine") as mine, service(store) as default:
        assert run(mine, "SELECT currentDatabase(), 1") == "mine\t1\n"
        assert run(default, "SELECT currentDatabase()") == "default\n"


def test_rows_follow_an_insert(store: ClickHouse) -> None:
    with service(store, CLICKHOUSE_DB="mine") as mine:
        run(mine, "CREATE TABLE t (name String) ENGINE = MergeTree ORDER BY name")
        run(mine, 'INSERT INTO t FORMAT JSONEachRow\n{"name": "ä"}\n{"name": "b"}')
        assert run(mine, "SELECT name FROM t ORDER BY name DESC") == "ä\nb\n"


@pytest.mark.parametrize(
    ("changes", "sql", "words"),
    [({}, "SELECT nonsense", "nonsense"), ({"CLICKHOUSE_PASSWORD": "wrong"}, "SELECT 1", "Authentication failed")],
)
def test_what_clickhouse_refuses_is_said_in_its_words(
    store: ClickHouse, changes: dict[str, str], sql: str, words: str
) -> None:
    with service(store, **changes) as refused, pytest.raises(HarnessError, match=f"clickhouse refused .*{words}"):
        run(refused, sql)
