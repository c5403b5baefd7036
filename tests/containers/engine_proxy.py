"""A Unix socket before the engine's own, which can die, freeze or answer nonsense without hurting the engine."""

import contextlib
import os
import re
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

ENGINE = "/var/run/docker.sock"
_BROKEN = b'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 20\r\nConnection: close\r\n\r\n{"message": "broken"}'

_REQUEST = re.compile(rb"(GET|POST|DELETE|HEAD) (?:/v[0-9.]+)?(\S+) HTTP/1\.1\r\n")


class EngineProxy:
    """Passes everything on until told otherwise."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="engine-")
        self._path = Path(self._folder.name) / "docker.sock"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen(64)
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._broken = False
        self.asked: list[str] = []
        """Every request so far: ``POST /networks/create``."""
        self.pending: dict[int, str] = {}
        """Those that have no answer yet, by connection."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    def die(self) -> None:
        """Close every connection, remove the socket."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Accept everything, pass nothing on."""
        self._flowing.clear()

    def break_down(self) -> None:
        """Answer every request with an error."""
        self._broken = True

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._broken:
                    threading.Thread(target=_refuse, args=(near,), daemon=True).start()
                    continue
                far = socket.socket(socket.AF_UNIX)
                far.connect(os.environ.get("HARNESS_TEST_ENGINE", ENGINE))
                self._connections += [near, far]
                number = len(self._connections)
                for source, sink, note in ((near, far, self._request), (far, near, self._answer)):
                    thread = threading.Thread(target=self._pass_on, args=(source, sink, note, number), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, note: Callable[[int, bytes], None], n: int) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                self._flowing.wait()
                note(n, chunk)
                sink.sendall(chunk)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _request(self, connection: int, chunk: bytes) -> None:
        if found := _REQUEST.match(chunk):
            self.pending[connection] = f"{found[1].decode()} {found[2].decode().partition('?')[0]}"
            self.asked.append(self.pending[connection])

    def _answer(self, connection: int, _chunk: bytes) -> None:
        self.pending.pop(connection, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.die()
        self._flowing.set()
        for thread in self._threads:
            thread.join(10)
        for connection in self._connections:
            connection.close()
        self._folder.cleanup()


def _refuse(near: socket.socket) -> None:
    with near, contextlib.suppress(OSError):
        while near.recv(65536):
            near.sendall(_BROKEN)
