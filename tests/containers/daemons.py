"""Sockets that a Docker client can be pointed at, and that are no good engine."""

import contextlib
import json
import socket
import socketserver
import tempfile
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def socket_path() -> Iterator[Path]:
    """A short path: those of sockets may not be longer than 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        yield Path(folder) / "docker.sock"


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """A socket that nobody listens at any more, as a daemon leaves it that was killed."""
    with socket_path() as path:
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(path))
        yield f"unix://{path}"


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """A daemon that hangs: the kernel accepts for it, nobody answers."""
    with socket_path() as path, socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(path))
        hanging.listen(64)
        yield f"unix://{path}"


@contextlib.contextmanager
def full() -> Iterator[str]:
    """A daemon that hangs so long that the kernel accepts no more for it."""
    with socket_path() as path, socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(path))
        hanging.listen(0)
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))
            yield f"unix://{path}"


@contextlib.contextmanager
def answering(answers: Mapping[str, Any], status: int = 200) -> Iterator[str]:
    """An engine that answers what is told: the end of a path -> an object (as JSON) or text; ``""`` for all others."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            answer = next((answers[end] for end in sorted(answers, reverse=True) if path.endswith(end)), {})
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "client"

        def log_message(self, *_: object) -> None:
            pass

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    with socket_path() as path, Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def forwarding_tcp(target: str) -> Iterator[str]:
    """The engine at the socket ``target`` as a remote one would be reached: over TCP."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as engine:
                engine.connect(target)
                back = threading.Thread(target=pump, args=(engine, self.request), daemon=True)
                back.start()
                pump(self.request, engine)
                back.join(5)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
