"""The history on a server: one that is there, one that dies at the worst moment, and things that are no ClickHouse."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.errors import ExitCode, HarnessError
from harness.history.keep import Kept, all_files, check, keep
from harness.history.location import location_of
from tests.history.build import run, save_run, save_session
from tests.history.conftest import BOUND, Harness, opener
from tests.services.clickhouse_process import Server, free_port

Answer = Callable[[socket.socket], None]
CLOSING = b"\r\nConnection: close\r\n"
"""One request a connection, whatever the two sides would like."""


@contextmanager
def listening(answer: Answer) -> Iterator[int]:
    """A port on which ``answer`` gets each connection, one after the other; all of it ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(BOUND)
                    try:
                        answer(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(BOUND)


def request_of(connection: socket.socket) -> bytes:
    """A whole HTTP request: head, and the body that its length or its chunks announce."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if b"content-length" in lines:
        while len(body) < int(lines[b"content-length"]):
            body += received(connection)
    elif b"transfer-encoding" in lines:
        while not body.endswith(b"0\r\n\r\n"):
            body += received(connection)
    return head.replace(b"\r\n", CLOSING, 1) + b"\r\n\r\n" + body


def received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("the other side closed")
    return data


@contextmanager
def losing_the_answer(port: int, statement: bytes) -> Iterator[int]:
    """Passes requests on to ``port``, but closes instead of giving back the answer to those with ``statement``."""
    lost: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        request = request_of(connection)
        with socket.create_connection(("127.0.0.1", port), BOUND) as server:
            server.sendall(request)
            parts = []
            while part := server.recv(65536):
                parts.append(part)
        if statement in request:
            lost.append(request)
            return
        connection.sendall(b"".join(parts).replace(b"\r\n", CLOSING, 1))

    with listening(answer) as proxy:
        yield proxy
        assert lost, "the statement never came"


@pytest.mark.parametrize("table", [b"harness_samples", b"harness_runs"])
def test_what_was_inserted_but_never_acknowledged_is_there_once(
    table: bytes, clickhouse: Server, url: str, reports: Path
) -> None:
    save_run(reports, run(1))
    with losing_the_answer(clickhouse.port, b"INSERT INTO `" + table) as proxy:
        through = opener(location_of(reports, url.replace(str(clickhouse.port), str(proxy))))
        with through() as database, pytest.raises(HarnessError) as died:
            list(keep(database, all_files(reports)))
    assert died.value.code == ExitCode.ENVIRONMENT
    with opener(location_of(reports, url))() as database:
        (before,) = database.rows("SELECT count() FROM harness_samples")
        assert before[0] in (9, 18), "it was inserted, twice if the client tried again and nothing was merged yet"
        (result,) = keep(database, all_files(reports))
        assert isinstance(result, Kept)
        (after,) = database.rows("SELECT count() FROM harness_samples FINAL")
        assert after[0] == 9
        assert list(check(database, all_files(reports))) == [None]


def test_the_commands_on_a_server(harness: Harness, url: str, reports: Path, project: Path) -> None:
    save_session(reports, 1)
    with (project / "harness.toml").open("a") as file:
        file.write(f'[history]\nurl = "{url}"\n')
    assert harness("add").stdout == "history: 2 runs added\n"
    assert harness("check").stdout == "2 of 2 run files are in the history as they are\n"
    assert harness("show", "*:latency").stdout.startswith("speed/lookup:latency")
    assert not (reports / "history").exists()


def test_the_environment_stands_above_the_configuration(harness: Harness, url: str, reports: Path) -> None:
    save_session(reports, 1)
    assert harness("add", environment={"HARNESS_HISTORY_URL": url}).stdout == "history: 2 runs added\n"
    with opener(location_of(reports, url))() as database:
        assert list(check(database, all_files(reports))) == [None, None]


def test_a_table_of_somebody_else_is_refused_and_left_alone(clickhouse: Server, url: str, harness: Harness) -> None:
    name = url.rpartition("/")[2]
    with clickhouse.client() as client:
        client.command(f"CREATE TABLE `{name}`.harness_runs (theirs String) ENGINE = MergeTree ORDER BY theirs")
        client.command(f"INSERT INTO `{name}`.harness_runs VALUES ('kept')")
        done = harness("rebuild", environment={"HARNESS_HISTORY_URL": url})
        assert done.returncode == ExitCode.INTEGRITY
        assert "harness_runs is of another version or not ours: found theirs String" in done.stderr
        assert client.query(f"SELECT * FROM `{name}`.harness_runs").result_rows == [("kept",)]


def test_a_database_that_is_not_there_is_named(clickhouse: Server, harness: Harness) -> None:
    url = f"clickhouse://u:hunter2@127.0.0.1:{clickhouse.port}/nowhere"
    done = harness("add", environment={"HARNESS_HISTORY_URL": url})
    assert done.returncode == ExitCode.ENVIRONMENT
    assert done.stderr.startswith(f"harness: history at 127.0.0.1:{clickhouse.port}/nowhere: ")
    assert done.stderr.count("\n") == 1
    assert "hunter2" not in done.stderr


def test_nobody_there_is_one_line(harness: Harness) -> None:
    done = harness("add", environment={"HARNESS_HISTORY_URL": f"http://127.0.0.1:{free_port()}"})
    assert done.returncode == ExitCode.ENVIRONMENT
    assert done.stderr.startswith("harness: history at 127.0.0.1:")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<h1>portal</h1>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\ncut",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 401 No\r\nContent-Length: 9\r\n\r\n\x1b[2J::who?",
        b"HTTP/1.1 500 No\r\nContent-Length: 16\r\n\r\n::error::\x1b]0;x\x07\n\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ],
    ids=["page", "cut", "redirect", "denied", "error", "ssh", "closed"],
)
def test_what_is_no_clickhouse_is_one_harmless_line(answer: bytes, harness: Harness) -> None:
    def give(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(answer)

    with listening(give) as port:
        done = harness("show", environment={"HARNESS_HISTORY_URL": f"http://127.0.0.1:{port}"})
    assert done.returncode == ExitCode.ENVIRONMENT, done.stderr
    assert done.stderr.startswith(f"harness: history at 127.0.0.1:{port}/default: ")
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr
