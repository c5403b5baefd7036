"""A TCP relay between a service and one that it needs: cuts connections, lets them go dead, or delays what passes.

Start another instance of the service with the relay's address in place of the real one. Plain threads, two for each
connection: for tens of them, not thousands.
"""

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self

_CHUNK = 64 * 1024
_CONNECT_SECONDS = 5.0


class Relay:
    """Listens on a free port and passes every connection on to ``host:port``, until it is closed.

    ``seen_from``: the address of whoever will connect, such as that of a container; the relay then listens on the
    address of this machine that it reaches. Raises OSError when it cannot listen.
    """

    def __init__(self, host: str, port: int, *, seen_from: str = "127.0.0.1") -> None:
        self._upstream = (host, port)
        self._lock = threading.Lock()
        self._links: list[_Link] = []
        self._accepted = 0
        self._delay = 0.0
        self._closed = False
        self._listener = socket.create_server((_facing(seen_from), 0), backlog=128)
        self.host, self.port = self._listener.getsockname()[:2]
        self._acceptor = threading.Thread(target=self._accept, name="relay", daemon=True)
        self._acceptor.start()

    @property
    def accepted(self) -> int:
        """Connections taken since the start."""
        return self._accepted

    @property
    def open(self) -> int:
        """Connections that are open, dead ones included."""
        return len(self._living())

    def delay(self, seconds: float) -> None:
        """From now on, hold whatever is read from either end for ``seconds`` before it is passed on."""
        self._delay = seconds

    def cut(self) -> int:
        """Close all connections, as a server that restarts does; how many there were. New ones are taken."""
        links = self._living()
        for link in links:
            link.close()
        return len(links)

    def silence(self) -> int:
        """Let all connections go dead without a word, as a firewall does that forgot them; how many there were.

        What is sent on them is swallowed and they stay open. New ones work.
        """
        links = self._living()
        for link in links:
            link.silent = True
        return len(links)

    def close(self) -> None:
        """Take no more connections, close all, and wait for every thread."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
        self._acceptor.join()
        self._listener.close()
        for link in self._links:
            link.close()
            link.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _living(self) -> "list[_Link]":
        with self._lock:
            ended = [link for link in self._links if link.ended]
            self._links = [link for link in self._links if link not in ended]
            living = list(self._links)
        for link in ended:
            link.release()
        return living

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                upstream = socket.create_connection(self._upstream, _CONNECT_SECONDS)
            except OSError:
                client.close()  # whoever connected sees what it would have seen: nobody is there
                continue
            link = _Link(self, client, upstream)
            with self._lock:  # before anything passes: who has had an answer is counted, and can be cut
                self._accepted += 1
                self._links.append(link)
                link.start()

    def hold(self) -> None:
        """Wait for as long as data is to be held."""
        if self._delay:
            time.sleep(self._delay)


class _Link:
    """One connection: two sockets, and a thread for each direction."""

    def __init__(self, relay: Relay, client: socket.socket, upstream: socket.socket) -> None:
        self._relay = relay
        self.silent = False
        self._sockets = (client, upstream)
        for end in self._sockets:
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        directions = ((client, upstream), (upstream, client))
        self._threads = [
            threading.Thread(target=self._pass, args=ends, name="relay", daemon=True) for ends in directions
        ]

    @property
    def ended(self) -> bool:
        """Whether nothing can pass any more."""
        return not any(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def release(self) -> None:
        """Wait for its threads and give the sockets back; not before: a number given back could be another's."""
        for thread in self._threads:
            thread.join()
        for end in self._sockets:
            end.close()

    def close(self) -> None:
        """Hang up on both ends; the threads see it and end."""
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                self._relay.hold()
                if not self.silent:
                    target.sendall(data)
        self.close()


def _facing(host: str) -> str:
    """The address of this machine from which it reaches ``host``."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))  # of a datagram socket: sends nothing
        address: str = probe.getsockname()[0]
        return address
