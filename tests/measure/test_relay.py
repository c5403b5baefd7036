"""The relay, between a real client and a real server."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from harness.measure.relay import Relay, _Link

BOUND = 20.0
"""Seconds after which something that should have happened is given up."""


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        try:
            while data := self.request.recv(65536):
                self.request.sendall(data)
        except OSError:
            return


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says what it is told."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield server.server_address[1]
        server.shutdown()
        serving.join()


@pytest.fixture
def relay(echo: int) -> Iterator[Relay]:
    with Relay("127.0.0.1", echo) as running:
        yield running


def connected(relay: Relay) -> socket.socket:
    client = socket.create_connection((relay.host, relay.port), BOUND)
    assert said(client, b"hello") == b"hello"
    return client


def said(client: socket.socket, words: bytes) -> bytes:
    """What comes back; as much as was said, or what came until the end."""
    client.sendall(words)
    heard = b""
    while len(heard) < len(words) and (data := client.recv(65536)):
        heard += data
    return heard


def test_it_passes_everything_on_in_both_directions(relay: Relay) -> None:
    words = bytes(range(256)) * 2000
    with connected(relay) as client, connected(relay):
        sender = threading.Thread(target=client.sendall, args=(words,))
        sender.start()
        heard = b""
        while len(heard) < len(words):
            heard += client.recv(65536)
        sender.join()
        assert heard == words
        assert (relay.accepted, relay.open) == (2, 2)


def test_a_connection_that_is_cut_ends_and_a_new_one_works(relay: Relay) -> None:
    with connected(relay) as first, connected(relay) as second:
        assert relay.cut() == 2
        assert first.recv(1) == second.recv(1) == b""
    with connected(relay):
        assert relay.accepted == 3


def test_who_has_had_an_answer_is_known(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    start = _Link.start

    def and_dawdle(link: _Link) -> None:
        start(link)
        time.sleep(0.1)

    monkeypatch.setattr(_Link, "start", and_dawdle)
    with connected(relay):
        assert (relay.accepted, relay.cut()) == (1, 1)


def test_a_client_that_hangs_up_is_forgotten(relay: Relay) -> None:
    connected(relay).close()
    end = time.monotonic() + BOUND
    while relay.open:
        assert time.monotonic() < end
    assert relay.cut() == 0


def test_a_silenced_connection_stays_open_and_says_nothing(relay: Relay) -> None:
    with connected(relay) as dead:
        assert relay.silence() == 1
        dead.sendall(b"anybody there?")
        with connected(relay) as alive:  # has had its answer after the dead one was asked
            dead.settimeout(0)
            with pytest.raises(BlockingIOError):
                dead.recv(1)
            assert said(alive, b"and here?") == b"and here?"
        assert relay.open >= 1


def test_what_is_delayed_comes_later(relay: Relay) -> None:
    with connected(relay) as client:
        relay.delay(0.05)
        began = time.monotonic()
        assert said(client, b"slowly") == b"slowly"
        assert time.monotonic() - began >= 0.1, "held once on the way there and once on the way back"


def test_nobody_behind_it_is_a_connection_that_ends_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Relay("127.0.0.1", port) as relay, socket.create_connection((relay.host, relay.port), BOUND) as client:
        assert client.recv(1) == b""
        assert relay.accepted == 0


def test_closed_it_leaves_no_thread_and_no_listener(echo: int) -> None:
    before = set(threading.enumerate())
    relay = Relay("127.0.0.1", echo)
    with connected(relay) as client:
        ours = [thread for thread in set(threading.enumerate()) - before if thread.name == "relay"]
        relay.close()
        assert client.recv(1) == b""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((relay.host, relay.port), BOUND)
    assert len(ours) == 3, "it accepts, and passes on in two directions"
    assert not [thread for thread in ours if thread.is_alive()]


def test_it_listens_where_whoever_connects_can_reach_it(echo: int) -> None:
    with Relay("127.0.0.1", echo, seen_from="127.0.0.2") as relay:
        assert relay.host.startswith("127.0.0.")
