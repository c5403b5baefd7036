"""The provider as the tests use it: a real process, talked to over real sockets."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Timer
from time import monotonic
from typing import Any

import httpx

BOUND = 20.0
"""Seconds after which something that should have happened is given up; generous, the machine may be busy."""
MESSAGES = [{"role": "user", "content": "two words"}]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "harness.services.llm", *arguments]


@dataclass(frozen=True)
class RunningProvider:
    process: subprocess.Popen[str]
    port: int
    http: httpx.Client

    def script(self, *steps: object, **more: object) -> None:
        self.http.put("/script", json={"steps": steps, **more}).raise_for_status()

    def chat(self, step: str | None = None, key: str | None = None, *, stream: bool = False) -> httpx.Response:
        headers = {"X-LLM-Step": step, "X-Request-Id": key}
        return self.http.post(
            "/v1/chat/completions",
            json={"messages": MESSAGES, "stream": stream},
            headers={name: value for name, value in headers.items() if value is not None},
        )

    def calls(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.http.get("/calls").json()["calls"]
        return listed

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=BOUND)


def raw_chat(step: str, *, stream: bool = False, more: str = "") -> bytes:
    """A chat request as bytes, for the tests that look below HTTP."""
    body = json.dumps({"messages": MESSAGES, "stream": stream})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-LLM-Step: {step}\r\n{more}Content-Length: {len(body)}"
    return f"{head}\r\n\r\n{body}".encode()


def read_all(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


@contextmanager
def started(*arguments: str) -> Iterator[RunningProvider]:
    process = subprocess.Popen(
        command("--port", "0", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    watchdog = Timer(BOUND, process.kill)
    watchdog.start()
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        watchdog.cancel()
        address = re.fullmatch(r"llm: listening on (http://127\.0\.0\.1:(\d+))\n", line)
        assert address, line
        # No proxies from the environment: these tests talk to this machine only.
        with httpx.Client(base_url=address[1], timeout=BOUND, trust_env=False) as client:
            yield RunningProvider(process, int(address[2]), client)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def until(condition: Callable[[], bool]) -> None:
    """Ask again, over the wire, until it holds."""
    end = monotonic() + BOUND
    while not condition():
        assert monotonic() < end, "did not happen"
