"""The measuring client against a real socket server that misbehaves."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from harness.errors import HarnessError
from harness.measure.http import MAX_ANSWER, Client


@contextmanager
def serving(*answers: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that treats its first connection with the first answer, and so on; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in answers:
                with suppress(OSError), server.accept()[0] as connection:
                    connection.settimeout(10)
                    answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)  # wakes an accept that waits for a client who does not come
            thread.join(10)


def replies(*payloads: bytes, hold: bool = False) -> Callable[[socket.socket], None]:
    """Answer one request with ``payloads``; ``hold``: keep the connection open until the client leaves."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        for payload in payloads:
            connection.sendall(payload)
        if hold:
            connection.recv(65536)

    return answer


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_an_answer_with_its_status_headers_and_body() -> None:
    payload = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 12\r\n\r\n" + b'{"busy":true}'[:12]
    with serving(replies(payload)) as port, Client("127.0.0.1", port) as client:
        answer = client.get("/")
    assert (answer.status, answer.headers["retry-after"]) == (503, "7")
    with pytest.raises(HarnessError, match=r"answer is not JSON \(status 503\)"):
        answer.json()


def test_a_kept_connection_that_was_closed_meanwhile_is_opened_again() -> None:
    closed = threading.Event()

    def answers_and_leaves(connection: socket.socket) -> None:
        replies(OK)(connection)
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    with serving(answers_and_leaves, replies(OK)) as port, Client("127.0.0.1", port) as client:
        assert client.get("/").text == "ok"
        assert closed.wait(10)
        assert client.get("/").text == "ok"


def test_what_was_sent_is_never_sent_again() -> None:
    requests: list[bytes] = []

    def reads_and_leaves(connection: socket.socket) -> None:
        requests.append(connection.recv(65536))
        connection.sendall(OK)
        requests.append(connection.recv(65536))

    with serving(reads_and_leaves, replies(OK)) as port, Client("127.0.0.1", port) as client:
        client.post("/pay", {"n": 1})
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            client.post("/pay", {"n": 2})
    assert len(requests) == 2


def test_the_deadline_holds_for_headers_that_drip() -> None:
    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        connection.settimeout(0.02)
        for number in range(10_000):
            connection.sendall(b"X-Header-%d: 1\r\n" % number)
            with suppress(TimeoutError):
                if not connection.recv(1):
                    return

    with serving(drip) as port, Client("127.0.0.1", port) as client, pytest.raises(TimeoutError):
        client.get("/", deadline=0.3)


def test_a_connection_closed_without_an_answer_is_an_error_the_first_time() -> None:
    with serving(replies()) as port, Client("127.0.0.1", port) as client, pytest.raises(ConnectionError):
        client.get("/")


def test_the_deadline_holds_for_an_answer_that_never_comes() -> None:
    with serving(replies(hold=True)) as port, Client("127.0.0.1", port) as client, pytest.raises(TimeoutError):
        client.get("/", deadline=0.2)


def test_the_deadline_holds_for_an_answer_that_drips() -> None:
    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        connection.settimeout(0.02)
        while True:
            connection.sendall(b"x")
            with suppress(TimeoutError):
                if not connection.recv(1):
                    return

    with serving(drip) as port, Client("127.0.0.1", port) as client, pytest.raises(TimeoutError):
        client.get("/", deadline=0.3)


def test_an_endless_answer_is_cut() -> None:
    block = b"x" * 2**20

    def flood(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(block)

    with (
        serving(flood) as port,
        Client("127.0.0.1", port) as client,
        pytest.raises(HarnessError, match=f"more than {MAX_ANSWER >> 20} MiB for GET /"),
    ):
        client.get("/")


def test_json_and_bytes_are_sent_as_they_should_be() -> None:
    got: list[bytes] = []

    def keep(connection: socket.socket) -> None:
        for _ in range(2):
            got.append(connection.recv(65536))  # head and body arrive together
            connection.sendall(OK)

    with serving(keep) as port, Client("127.0.0.1", port) as client:
        client.post("/", {"a": 1})
        client.put("/", b"SELECT 1")
    assert got[0].endswith(b'\r\n\r\n{"a": 1}')
    assert b"Content-Type: application/json" in got[0]
    assert got[1].endswith(b"\r\n\r\nSELECT 1")
    assert b"Content-Type" not in got[1]
