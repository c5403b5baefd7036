"""The embedded ClickHouse server as a program: start, stop, crash, and starts that must fail."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from harness.errors import ExitCode
from harness.services.clickhouse.server import InFlight
from tests.services.clickhouse_process import BOUND, free_port, run, running


def test_marks_in_order(tmp_path: Path) -> None:
    with running(tmp_path / "made" / "by it") as server:
        assert server.marks == ("exec", "imported", "listening", "ready")
    assert server.process.returncode == ExitCode.OK
    assert (tmp_path / "made" / "by it").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["a&b=c;d", "per%20cent+plus", "späce dir", "quote'\"<x>"])
def test_folders_with_odd_names(tmp_path: Path, name: str) -> None:
    for count in (0, 1):
        with running(tmp_path / name) as server, server.client() as client:
            client.command("CREATE TABLE IF NOT EXISTS t (a UInt8) ENGINE = MergeTree ORDER BY a")
            assert client.command("SELECT count() FROM t") == count
            client.insert("t", [[1]])
            client.command("SYSTEM FLUSH LOGS")  # shows that the configuration in the folder was found
            assert client.command("SELECT count() > 0 FROM system.query_log") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_with_an_idle_client(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as server, server.client() as client:
        client.command("SELECT 1")
        server.process.send_signal(number)
        assert server.process.wait(BOUND) == ExitCode.OK


def test_stop_cancels_what_does_not_end(tmp_path: Path) -> None:
    answers: list[str] = []
    with running(tmp_path) as server:

        def ask_forever() -> None:
            with server.client() as client, pytest.raises(ClickHouseError) as caught:
                client.query("SELECT count() FROM numbers(1000000000000000) WHERE NOT ignore(number)")
            answers.append(str(caught.value))

        asking = threading.Thread(target=ask_forever)
        asking.start()
        with server.client() as client:
            wait_until_running(client)
        server.process.terminate()
        assert server.process.wait(BOUND) == ExitCode.OK
        asking.join(BOUND)
    assert "code: 394" in answers[0]


def wait_until_running(client: Client) -> None:
    sql = "SELECT count() FROM system.processes WHERE query LIKE '%NOT ignore(number)%' AND query_id != queryID()"
    gave_up = threading.Event()
    timer = threading.Timer(BOUND, gave_up.set)
    timer.start()
    try:
        while client.command(sql) == 0:
            assert not gave_up.is_set()
    finally:
        timer.cancel()


def test_stop_does_not_wait_for_a_client_that_reads_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as server, socket.create_connection(("127.0.0.1", server.port), timeout=BOUND) as raw:
        raw.sendall(b"GET /?query=SELECT+number+FROM+numbers(1000000000)+FORMAT+TSV HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.recv(15) == b"HTTP/1.1 200 OK"
        server.process.terminate()
        assert server.process.wait(BOUND) == ExitCode.OK


def test_requests_in_flight_are_waited_for_and_later_ones_refused() -> None:
    in_flight, inside, leave = InFlight(), threading.Event(), threading.Event()

    def work() -> None:
        with in_flight:
            inside.set()
            leave.wait(BOUND)

    worker = threading.Thread(target=work)
    worker.start()
    assert inside.wait(BOUND)
    assert not in_flight.drain(0)
    with pytest.raises(ConnectionError), in_flight:
        pass
    leave.set()
    assert in_flight.drain(BOUND)
    worker.join()


def test_every_acknowledged_insert_survives_kill_9(tmp_path: Path) -> None:
    rows, enough = 500, threading.Event()
    acknowledged: list[int] = []
    with running(tmp_path) as server:
        with server.client() as client:
            client.command("CREATE TABLE t (batch UInt32, a UInt32) ENGINE = MergeTree ORDER BY (batch, a)")

        def insert_until_killed() -> None:
            with server.client(query_retries=0) as client:
                for batch in range(1_000_000):
                    try:
                        client.insert("t", [[batch, row] for row in range(rows)])
                    except Exception:  # noqa: BLE001 - whatever way the client finds its server dead
                        return
                    acknowledged.append(batch)
                    if len(acknowledged) == 25:
                        enough.set()

        inserting = threading.Thread(target=insert_until_killed)
        inserting.start()
        assert enough.wait(BOUND)
        server.process.kill()
        inserting.join(BOUND)
        assert not inserting.is_alive()
    with running(tmp_path) as server, server.client() as client:
        counts = client.query("SELECT batch, count() FROM t GROUP BY batch").result_rows
    found = {row[0]: row[1] for row in counts}
    assert {batch: found.get(batch) for batch in acknowledged} == dict.fromkeys(acknowledged, rows)


def fails(arguments: list[str], code: ExitCode, *words: str, environment: dict[str, str] | None = None) -> None:
    done = run(*arguments, environment=environment)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def test_a_second_server_on_the_folder_is_told_who_has_it(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        arguments = ["--port", str(free_port()), "--data", str(tmp_path)]
        fails(arguments, ExitCode.ENVIRONMENT, str(tmp_path), f"process {server.process.pid} since ")
        (tmp_path / "lock.json").write_bytes(b'{"pid": "\x1b[2J')
        fails(arguments, ExitCode.ENVIRONMENT, "in use by another process")
        with server.client() as client:  # unharmed
            assert client.command("SELECT 1") == 1
    with running(tmp_path):  # free again
        pass


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with listening() as port:
        arguments = ["--port", str(port), "--data", str(tmp_path)]
        fails(arguments, ExitCode.ENVIRONMENT, f"port {port}", "in use", "use another")


@contextmanager
def listening() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_host_that_is_none_is_named(tmp_path: Path) -> None:
    fails(["--host", "999.0.0.1", "--data", str(tmp_path)], ExitCode.ENVIRONMENT, "'999.0.0.1'")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file\nname").touch()
    data = tmp_path / "file\nname" / "data"
    fails(["--port", str(free_port()), "--data", str(data)], ExitCode.ENVIRONMENT, "file\\nname", "can be written")


@pytest.mark.parametrize("name", ["a?b", "a*b", "{a}"])
def test_a_folder_that_the_engine_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    fails(["--data", str(tmp_path / name)], ExitCode.USAGE, name, "for a pattern")
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    data = tmp_path / "data"
    data.mkdir()
    (data / "lock.json").symlink_to(victim)
    fails(["--port", str(free_port()), "--data", str(data)], ExitCode.ENVIRONMENT, str(data))
    assert victim.read_text() == "precious"


def test_a_folder_that_the_engine_cannot_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("no folder")
    fails(["--port", str(free_port()), "--data", str(tmp_path)], ExitCode.ENVIRONMENT, str(tmp_path), "cannot open")


def test_a_missing_engine_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "chdb.py").write_text('raise ImportError("No module named chdb")')
    fails(
        ["--data", str(tmp_path / "data")],
        ExitCode.ENVIRONMENT,
        "pip install 'pytest-before-after[embedded]'",
        environment={"PYTHONPATH": os.fspath(tmp_path)},
    )


@pytest.mark.parametrize("arguments", [[], ["--data", "x", "--port", "0"], ["--data", "x", "--port", "x"], ["--wat"]])
def test_wrong_options_are_a_usage_error(arguments: list[str]) -> None:
    fails(arguments, ExitCode.USAGE, "--help")
