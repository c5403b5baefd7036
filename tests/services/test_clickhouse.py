"""What clickhouse_connect does with a server works unchanged with the embedded one."""

import datetime
import decimal
import ipaddress
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.external import ExternalData
from clickhouse_connect.driver.summary import QuerySummary

from tests.services.clickhouse_process import Server, running

METHODS = ("lz4", "zstd", "gzip", "false")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def table(client: Client) -> Iterator[str]:
    name = f"t_{uuid.uuid4().hex}"
    client.command(f"CREATE TABLE {name} (a UInt32, b String) ENGINE = MergeTree ORDER BY a")
    yield name
    client.command(f"DROP TABLE {name}")


def error_of(client: Client, sql: str) -> str:
    with pytest.raises(DatabaseError) as caught:
        client.query(sql)
    return str(caught.value)


def test_version_is_the_engines_own(client: Client) -> None:
    assert client.server_version == client.command("SELECT version()")
    assert int(client.server_version.split(".")[0]) >= 26


def test_query_gives_names_types_rows_and_summary(client: Client, table: str) -> None:
    client.insert(table, [[1, "x"], [2, "y"], [3, "z"]])
    result = client.query(f"SELECT a, b FROM {table} WHERE a >= 2 ORDER BY a")
    assert result.column_names == ("a", "b")
    assert [kind.name for kind in result.column_types] == ["UInt32", "String"]
    assert result.result_rows == [(2, "y"), (3, "z")]
    assert result.summary["read_rows"] == "3"  # what the engine read, not what it answered
    assert result.summary["result_rows"] == "2"


def test_no_rows(client: Client, table: str) -> None:
    assert client.query(f"SELECT * FROM {table}").result_rows == []
    assert client.query(f"SELECT * FROM {table} LIMIT 0").column_names == ("a", "b")


def test_insert_of_100k_rows_is_complete(client: Client, table: str) -> None:
    rows = [[number, f"value {number}"] for number in range(100_000)]
    summary = client.insert(table, rows, column_names=["a", "b"])
    assert summary.written_rows == 100_000
    assert client.query(f"SELECT count(), sum(a), uniqExact(b) FROM {table}").first_row == (
        100_000,
        sum(range(100_000)),
        100_000,
    )


@pytest.mark.parametrize("method", METHODS)
def test_compression_both_ways(server: Server, table: str, method: str) -> None:
    with server.client(compress=method) as client:
        rows = [(number, "some text " * 20) for number in range(3_000)]
        client.insert(table, rows)
        assert client.query(f"SELECT a, b FROM {table} ORDER BY a").result_rows == rows


@pytest.mark.parametrize("method", METHODS)
def test_stream_of_many_blocks(server: Server, method: str) -> None:
    with server.client(compress=method) as client:
        with client.query_row_block_stream("SELECT number FROM numbers(500000)") as stream:
            sizes = [len(block) for block in stream]
        assert len(sizes) > 1
        assert sum(sizes) == 500_000


def test_stream_left_early_leaves_the_session_usable(client: Client) -> None:
    with client.query_rows_stream("SELECT number FROM numbers(2000000)") as stream:
        assert next(iter(stream)) == (0,)
    assert client.command("SELECT 1") == 1


@pytest.mark.parametrize("method", METHODS)
def test_error_in_the_middle_of_a_stream_reaches_the_client(server: Server, method: str) -> None:
    sql = "SELECT throwIf(number = 3000000, 'too far') FROM numbers(4000000) SETTINGS max_threads = 1"
    with server.client(compress=method) as client:
        with pytest.raises(Exception, match="too far"), client.query_row_block_stream(sql) as stream:
            for _ in stream:
                pass
        assert client.command("SELECT 1") == 1


def test_raw_query_and_raw_insert(client: Client, table: str) -> None:
    client.raw_insert(table, insert_block=b"1,one\n2,two\n", fmt="CSV")
    client.raw_insert(table, insert_block=(f'{{"a":{n},"b":"n"}}\n'.encode() for n in (3, 4)), fmt="JSONEachRow")
    assert client.raw_query(f"SELECT a, b FROM {table} ORDER BY a", fmt="CSV") == b'1,"one"\n2,"two"\n3,"n"\n4,"n"\n'
    with client.raw_stream(f"SELECT a FROM {table} ORDER BY a", fmt="TSV") as stream:
        assert stream.read() == b"1\n2\n3\n4\n"


def test_values_insert_and_its_summary(client: Client, table: str) -> None:
    summary = client.command(f"INSERT INTO {table} VALUES (1, 'a;b'), (2, 'FORMAT x')")
    assert isinstance(summary, QuerySummary)
    assert summary.written_rows == 2
    assert client.query(f"SELECT b FROM {table} ORDER BY a").result_rows == [("a;b",), ("FORMAT x",)]


def test_insert_of_broken_data_is_an_error_and_writes_nothing(client: Client, table: str) -> None:
    with pytest.raises(DatabaseError, match="code: 27"):
        client.raw_insert(table, insert_block=b"1\tone\nnot a number\ttwo\n", fmt="TSV")
    assert client.command(f"SELECT count() FROM {table}") == 0


UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("UInt64", 2**64 - 1),
        ("Int64", -(2**63)),
        ("Float64", 0.1),
        ("Bool", True),
        ("String", ""),
        ("String", 'tab\tquote\' "double" back\\slash new\nline {a:b} `é日本` ; -- /* FORMAT CSV'),
        ("Nullable(String)", None),
        ("Date", datetime.date(2024, 2, 29)),
        ("DateTime", datetime.datetime.fromisoformat("2024-02-29T12:34:56")),
        ("DateTime64(6)", datetime.datetime.fromisoformat("2024-02-29T12:34:56.123456")),
        ("Decimal(18, 4)", decimal.Decimal("-12345.6789")),
        ("UUID", UUID),
        ("IPv4", ipaddress.IPv4Address("127.0.0.1")),
        ("Array(String)", ["it's", "tab\t", ""]),
        ("Array(Array(Int32))", [[1, -2], []]),
        ("Tuple(UInt8, String)", (1, "x'y")),
    ],
)
def test_parameters_of_every_common_type(client: Client, kind: str, value: object) -> None:
    parameters = {"v_64" if kind == "DateTime64(6)" else "v": value}
    (name,) = parameters
    result = client.query(f"SELECT {{{name}:{kind}}} AS v", parameters=parameters)
    assert result.first_row == (value,)


def test_parameters_name_tables_too(client: Client, table: str) -> None:
    client.insert(table, [[7, "x"]])
    assert client.query("SELECT a FROM {t:Identifier}", parameters={"t": table}).first_row == (7,)


def test_settings_live_as_long_as_the_request(client: Client) -> None:
    sql = "SELECT toUInt32(getSetting('max_threads')), getSetting('log_comment')"
    before = client.query(sql).first_row
    assert client.query(sql, settings={"max_threads": 1, "log_comment": "it's"}).first_row == (1, "it's")
    assert client.query(sql, settings={"max_threads": 3}).first_row == (3, "")
    assert client.query(sql).first_row == before


def test_unknown_setting_is_named_and_spoils_nothing(server: Server) -> None:
    with server.client(settings={"max_threads": 1}) as client:
        answer = error_of(client, "SELECT 1 SETTINGS no_such_setting = 1")
        assert "code: 115" in answer
        assert "no_such_setting" in answer
        assert client.command("SELECT toUInt32(getSetting('max_threads'))") == 1


def test_session_keeps_settings_and_temporary_tables(server: Server) -> None:
    with server.client(session_id=uuid.uuid4().hex) as client, server.client() as other:
        client.command("SET max_threads = 1")
        client.command("CREATE TEMPORARY TABLE mine (a UInt8)")
        client.insert("mine", [[1], [2]])
        assert client.query("SELECT sum(a) FROM mine").first_row == (3,)
        assert client.command("SELECT toUInt32(getSetting('max_threads'))") == 1
        assert "code: 60" in error_of(other, "SELECT * FROM mine")


def test_clients_without_session_share_no_state(server: Server) -> None:
    with server.client(autogenerate_session_id=False) as client:
        before = client.command("SELECT toUInt32(getSetting('max_block_size'))")
        client.command("SET max_block_size = 17")
        client.command("CREATE TEMPORARY TABLE gone (a UInt8)")
        assert client.command("SELECT toUInt32(getSetting('max_block_size'))") == before
        assert "code: 60" in error_of(client, "SELECT * FROM gone")


def test_session_used_twice_at_once_is_refused(server: Server) -> None:
    session = uuid.uuid4().hex
    with server.client(session_id=session) as client, server.client() as other:
        with client.query_row_block_stream("SELECT number FROM numbers(100000000)") as stream:
            iter(stream)
            with pytest.raises(DatabaseError, match="code: 373"):
                other.query("SELECT 1", settings={"session_id": session})
        assert client.command("SELECT 1") == 1


def test_external_data(client: Client) -> None:
    data = b"1,one\r\n2,two\r\n"
    external = ExternalData(file_name="pairs.csv", data=data, fmt="CSV", structure=["id UInt8", "name String"])
    assert client.query("SELECT sum(id), max(name) FROM pairs", external_data=external).first_row == (3, "two")
    assert "code: 60" in error_of(client, "SELECT * FROM pairs")  # gone with its query, in a session too


def test_long_queries_and_parameters_as_a_form(server: Server) -> None:
    with server.client(form_encode_query_params=True) as client:
        long = "x" * 200_000
        assert client.query("SELECT length({v:String})", parameters={"v": long}).first_row == (200_000,)


def test_database_of_the_client(client: Client, server: Server) -> None:
    client.command("CREATE DATABASE IF NOT EXISTS `odd ``name`")
    try:
        with server.client(database="odd `name") as other:
            other.command("CREATE TABLE here (a UInt8) ENGINE = Memory")
            other.insert("here", [[5]])
            assert other.command("SELECT currentDatabase()") == "odd `name"
            assert other.query("SELECT a FROM here").first_row == (5,)
    finally:
        client.command("DROP DATABASE `odd ``name`")


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM no_such_table", 60),
        ("SELEKT 1", 62),
        ("1 + 1", 62),
        ("SELECT 1; SELECT 2", 62),
        ("SELECT no_such_column", 47),
        ("SELECT no_such_function(1)", 46),
        ("SELECT 1 INTO OUTFILE '/tmp/never'", 358),
        ("SELECT throwIf(1)", 395),
    ],
)
def test_error_codes_reach_the_client(client: Client, sql: str, code: int) -> None:
    assert f"code: {code}" in error_of(client, sql)


def test_log_comment_finds_a_query_in_the_query_log(client: Client, table: str) -> None:
    client.insert(table, [[number, "x"] for number in range(1_000)])
    comment = uuid.uuid4().hex
    client.query(f"SELECT sum(a) FROM {table}", settings={"log_comment": comment})
    client.command("SYSTEM FLUSH LOGS")
    logged = client.query(
        """SELECT read_rows, result_rows, query_duration_ms >= 0 FROM system.query_log
           WHERE log_comment = {comment:String} AND type = 'QueryFinish' AND query_kind = 'Select'""",
        parameters={"comment": comment},
    )
    assert logged.result_rows == [(1_000, 1, 1)]


def test_eight_threads_mixed(server: Server, table: str) -> None:
    threads, turns, rows = 8, 15, 40
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            with server.client() as client:
                for turn in range(turns):
                    first = (worker * turns + turn) * rows
                    client.insert(table, [[first + row, f"w{worker}"] for row in range(rows)])
                    mine = client.query(f"SELECT count() FROM {table} WHERE b = {{w:String}}", {"w": f"w{worker}"})
                    assert mine.first_row == ((turn + 1) * rows,)
                    assert "code: 60" in error_of(client, "SELECT * FROM no_such_table")
                    with client.query_rows_stream("SELECT number FROM numbers(1000)") as stream:
                        assert sum(1 for _ in stream) == 1_000
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    with server.client() as client:
        expected = threads * turns * rows
        assert client.query(f"SELECT count(), uniqExact(a) FROM {table}").first_row == (expected, expected)


def test_user_password_and_database_of_the_environment(tmp_path: Path) -> None:
    environment = {"CLICKHOUSE_USER": "app", "CLICKHOUSE_PASSWORD": "pass:wörd", "CLICKHOUSE_DB": "metrics"}
    with running(tmp_path, environment) as server:
        with server.client(username="app", password="pass:wörd", database="metrics") as client:
            assert client.command("SELECT currentDatabase()") == "metrics"
        for username, password in (("app", "wrong"), ("app", ""), ("default", ""), ("default", "pass:wörd")):
            with pytest.raises(DatabaseError, match="code: 516"), server.client(username=username, password=password):
                pass
