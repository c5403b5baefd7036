"""A small HTTP client for measuring: one connection, no proxy, no redirect, a total deadline, a cap on the answer."""

import http.client
import json
import socket
import time
from collections.abc import Mapping
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


class Connection(http.client.HTTPConnection):
    """Sends at once (no Nagle delay), so that a request takes one packet where it can."""

    def connect(self) -> None:
        """Connect, within what is left of the deadline."""
        super().connect()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Client:
    """Speaks to one service over one kept-alive connection. Not for several threads at once."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._connection: Connection | None = None

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

        A kept-alive connection that the service has closed meanwhile is opened again once. Raises OSError or
        http.client.HTTPException when there is no answer, TimeoutError when it came too late.
        """
        payload = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = dict(headers or {})
        if payload is not None and not isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
        end = time.monotonic() + deadline
        fresh = self._connection is None
        try:
            return self._exchange(method, path, payload, sent, end)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()
            if fresh:
                raise
            return self._exchange(method, path, payload, sent, end)
        except BaseException:
            self.close()
            raise

    def _exchange(self, method: str, path: str, payload: bytes | None, headers: dict[str, str], end: float) -> Response:
        connection = self._connection
        if connection is None:
            connection = self._connection = Connection(self.host, self.port, timeout=_left(end))
        elif connection.sock is not None:
            connection.sock.settimeout(_left(end))
        connection.request(method, path, payload, headers)
        answer = connection.getresponse()
        chunks, size = [], 0
        while chunk := answer.read1(65536):
            size += len(chunk)
            if size > MAX_ANSWER:
                raise HarnessError(f"{self.host}:{self.port} sent more than {MAX_ANSWER >> 20} MiB for {method} {path}")
            chunks.append(chunk)
            left = _left(end)
            if connection.sock is not None:
                connection.sock.settimeout(left)
        answer.close()  # read1 leaves an answer open that has been read to its end
        if answer.will_close:
            self.close()
        return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, b"".join(chunks))

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
