"""The sockets: HTTP/1.1 with one thread a connection, on the standard library alone."""

import re
import socketserver
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, cast
from urllib.parse import parse_qsl

from harness.services.clickhouse.protocol import Front, Request, Response

_CHUNK = 256 * 1024
_STALLED_SECONDS = 300.0
_UNSAFE = re.compile(r"[^\x20-\x7e]")


class BrokenBody(ConnectionError):
    """The body of a request is not what its head announced; nothing behind it can be understood."""


class InFlight:
    """Counts the requests being answered, so that a stop can wait for them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self._closed = False

    def __enter__(self) -> None:
        with self._changed:
            if self._closed:
                raise ConnectionAbortedError("the server is stopping")
            self._count += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """Let no further request in and wait at most ``seconds`` for those inside; whether all have left."""
        with self._changed:
            self._closed = True
            return self._changed.wait_for(lambda: self._count == 0, seconds)


class Server(socketserver.ThreadingTCPServer):
    """Listens for clients. Not ``ThreadingHTTPServer``: binding that looks its own name up, which may take seconds."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, host: str, port: int) -> None:
        """Bind, without listening yet; raises OSError."""
        super().__init__((host, port), _Connection, bind_and_activate=False)
        self.in_flight = InFlight()
        self.front: Front
        self.server_bind()

    def start(self, front: Front) -> None:
        """Answer requests in the background, until ``shutdown``."""
        self.front = front
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is one line, the connection is closed."""
        error = sys.exception()
        if not isinstance(error, OSError):
            sys.stderr.write(f"clickhouse: a request failed: {error!r}\n")


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _STALLED_SECONDS  # of one read or write
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # head and a small body leave in one segment

    def do_POST(self) -> None:
        server = cast("Server", self.server)
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = _read_body(self.rfile, headers)
        request = Request(
            method=self.command,
            path=path,
            parameters=dict(parse_qsl(query, keep_blank_values=True)),
            headers=headers,
            body=body,
        )
        with server.in_flight:
            response = server.front.answer(request)
            try:
                for _ in body:  # left over after an error; the client reads the answer only when all was sent
                    pass
                self._send(response)
            finally:
                response.close()

    do_GET = do_HEAD = do_POST

    def _send(self, response: Response) -> None:
        body = response.body
        if not isinstance(body, bytes) and self.request_version == "HTTP/1.0":
            body = b"".join(body)  # that version knows no chunks
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, _UNSAFE.sub("?", value))
        if isinstance(body, bytes):
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            if self.command != "HEAD":
                self._send_chunks(body)
        self.wfile.flush()

    def _send_chunks(self, chunks: Iterator[bytes]) -> None:
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *arguments: Any) -> None:
        """No line a request: they are in the query log."""


def _read_body(stream: Any, headers: Mapping[str, str]) -> Iterator[bytes]:
    """The pieces of a request's body, by Transfer-Encoding or Content-Length; raises ``BrokenBody``."""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _read_chunks(stream)
    length = headers.get("content-length", "0")
    if not re.fullmatch(r"[0-9]{1,18}", length):
        raise BrokenBody(f"Content-Length {length!r} is no number of bytes")
    return _read_exactly(stream, int(length))


def _read_chunks(stream: Any) -> Iterator[bytes]:
    while True:
        size = stream.readline(1024).partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", size):
            raise BrokenBody("a chunk without a size")
        yield from _read_exactly(stream, int(size, 16))
        if int(size, 16) == 0:
            break
        if stream.readline(1024) != b"\r\n":
            raise BrokenBody("a chunk longer than its size")
    while stream.readline(1024) not in (b"\r\n", b"\n", b""):  # trailers
        pass


def _read_exactly(stream: Any, size: int) -> Iterator[bytes]:
    while size > 0:
        piece = stream.read(min(size, _CHUNK))
        if not piece:
            raise BrokenBody("the body ends before its announced end")
        size -= len(piece)
        yield piece
