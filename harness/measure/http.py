"""A small HTTP client for measuring: one connection, no proxy, no redirect, a total deadline, a cap on the answer."""

import contextlib
import http.client
import json
import math
import select
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from harness.errors import HarnessError

MAX_ANSWER = 8 * 2**20
"""Bytes read of one answer at most."""
DEADLINE = 60.0
"""Seconds for one exchange, unless the caller says otherwise."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 are shown as escapes."""
        return self.body.decode("utf-8", "backslashreplace")

    def json(self) -> Any:
        """The body as JSON; a HarnessError that quotes the body when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise HarnessError(f"answer is not JSON (status {self.status}): {self.text[:200]!r}") from None


class _DeadlineSocket(socket.socket):
    """Gives each read only what is left of the exchange: an answer that drips cannot outlast its deadline."""

    end = math.inf

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        """Read within what is left; TimeoutError when nothing is."""
        self.settimeout(_left(self.end))
        return super().recv_into(*arguments, **options)


class Connection(http.client.HTTPConnection):
    """Sends a request in one write and without Nagle's delay, so that it takes one packet where it can."""

    sock: _DeadlineSocket | None
    _held: list[bytes] | None = None

    def connect(self) -> None:
        """Connect, within what is left of the deadline."""
        super().connect()
        assert self.sock is not None
        timeout = self.sock.gettimeout()
        self.sock = _DeadlineSocket(fileno=self.sock.detach())
        self.sock.settimeout(timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send_at_once(self, method: str, path: str, payload: bytes | None, headers: Mapping[str, str]) -> None:
        """Send a request in one write: http.client would send head and body in two."""
        self._held = []
        self.request(method, path, payload, dict(headers))
        request, self._held = b"".join(self._held), None
        self.send(request)

    def send(self, data: Any) -> None:
        """Send ``data``, or hold it while a request is put together."""
        if self._held is None:
            super().send(data)
        else:
            self._held.append(data)

    @property
    def stale(self) -> bool:
        """Whether the service has closed the connection (or spoken unasked) since the last answer."""
        return self.sock is not None and bool(select.select([self.sock], [], [], 0)[0])


class Client:
    """Speaks to one service over one kept-alive connection. Not for several threads at once."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._connection: Connection | None = None
        self._interrupted = False
        self.met: Callable[[Response], None] | None = None
        """Told every answer that is an error (status 400 and above)."""

    def get(self, path: str, *, headers: Mapping[str, str] | None = None, deadline: float = DEADLINE) -> Response:
        """GET ``path``."""
        return self.request("GET", path, headers=headers, deadline=deadline)

    def post(
        self, path: str, json: Any = None, *, headers: Mapping[str, str] | None = None, deadline: float = DEADLINE
    ) -> Response:
        """POST ``json`` to ``path``."""
        return self.request("POST", path, json, headers=headers, deadline=deadline)

    def put(self, path: str, json: Any = None, *, deadline: float = DEADLINE) -> Response:
        """PUT ``json`` to ``path``."""
        return self.request("PUT", path, json, deadline=deadline)

    def delete(self, path: str, *, deadline: float = DEADLINE) -> Response:
        """DELETE ``path``."""
        return self.request("DELETE", path, deadline=deadline)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        deadline: float = DEADLINE,
    ) -> Response:
        """One exchange within ``deadline`` seconds in all; ``bytes`` are sent as they are, anything else as JSON.

        A kept-alive connection that the service has closed meanwhile is opened anew; what was sent is never sent again.
        Raises OSError or http.client.HTTPException when there is no answer, TimeoutError when it came too late.
        """
        payload = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = dict(headers or {})
        if payload is not None and not isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
        if self._connection is not None and self._connection.stale:
            self.close()
        try:
            answer = self._exchange(method, path, payload, sent, time.monotonic() + deadline)
        except BaseException:
            self.close()
            raise
        if self.met is not None and answer.status >= http.client.BAD_REQUEST:
            self.met(answer)
        return answer

    def _exchange(self, method: str, path: str, payload: bytes | None, headers: dict[str, str], end: float) -> Response:
        connection = self._connection
        if connection is None:
            connection = self._connection = Connection(self.host, self.port, timeout=_left(end))
            connection.connect()
        if self._interrupted:  # asked for after the connection is there to be cut: nothing slips in between
            raise ConnectionAbortedError("interrupted")
        assert connection.sock is not None
        connection.sock.end = end
        connection.sock.settimeout(_left(end))
        connection.send_at_once(method, path, payload, headers)
        answer = connection.getresponse()
        chunks, size = [], 0
        while chunk := answer.read1(65536):
            size += len(chunk)
            if size > MAX_ANSWER:
                raise HarnessError(f"{self.host}:{self.port} sent more than {MAX_ANSWER >> 20} MiB for {method} {path}")
            chunks.append(chunk)
        answer.close()  # read1 leaves an answer open that has been read to its end
        if answer.will_close:
            self.close()
        return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, b"".join(chunks))

    def interrupt(self) -> None:
        """Cut an exchange short that another thread is waiting for, and let no other begin: both raise OSError or
        http.client.HTTPException, as if the service had hung up."""
        self._interrupted = True
        connection = self._connection
        sock = connection.sock if connection is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("deadline passed")
    return left
