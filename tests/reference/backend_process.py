"""The reference backend and its ClickHouse as the tests use them: real processes, talked to over real sockets."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread
from typing import IO, Any

import httpx

from harness import marks

FOLDER = Path(__file__).parents[2] / "fixtures" / "reference"
BOUND = 30.0
"""Seconds after which something that should have happened is given up; generous, the machine may be busy."""
SCALE = 0.05
USER, PASSWORD = "tester", "not a secret"
BEFORE = {"ANALYZE_PERFORMANCE_METRICS": "false"}
AFTER = {
    "LLM_MAX_RETRIES": "2",
    "LLM_BASE_DELAY": "0.5",
    "LLM_MAX_DELAY": "15",
    "LLM_EXPONENTIAL_BASE": "1.5",
    "LLM_TIMEOUT": "30",
    "OPTIMIZATION_DELAY": "60",
    "OPTIMIZATION_TIMEOUT": "90",
    "OPTIMIZATION_RETRIES": "1",
    "ANALYZE_PERFORMANCE_METRICS": "true",
}


def until(condition: Callable[[], bool]) -> None:
    """Ask again, over the wire, until it holds."""
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end, "did not happen"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Lines:
    """The lines of a pipe as they come."""

    def __init__(self, pipe: IO[str]) -> None:
        self.all: list[str] = []
        self._pipe = pipe
        self._ended = False
        self._news = Condition()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self, wanted: Callable[[str], bool]) -> str:
        """The first line that is wanted; fails when the pipe ends without it."""
        with self._news:
            self._news.wait_for(lambda: self._ended or any(map(wanted, self.all)), BOUND)
            found = next(filter(wanted, self.all), None)
            assert found is not None, "".join(self.all)
            return found

    def join(self) -> None:
        """Wait for the end of the pipe."""
        self._reader.join(BOUND)

    def _read(self) -> None:
        with self._pipe:
            for line in self._pipe:
                with self._news:
                    self.all.append(line)
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


@contextmanager
def process(*command: str, **more: Any) -> Iterator[tuple[subprocess.Popen[str], Lines, Lines]]:
    """A running process with its standard output and standard error; it ends with the block."""
    running = subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )
    assert running.stdout is not None
    assert running.stderr is not None
    stdout, stderr = Lines(running.stdout), Lines(running.stderr)
    try:
        yield running, stdout, stderr
    finally:
        running.kill()
        running.wait()
        stdout.join()
        stderr.join()


@dataclass
class ClickHouse:
    """A ClickHouse server, as the client of this test sees it."""

    port: int
    http: httpx.Client

    def query(self, sql: str, database: str = "default", body: bytes | None = None) -> str:
        """Run a statement; with ``body`` it is an INSERT and these are its rows."""
        answer = self.http.post("/", params={"query": sql, "database": database}, content=body or b"")
        assert answer.status_code == 200, answer.text
        return answer.text


@contextmanager
def clickhouse(port: int, data: Path) -> Iterator[ClickHouse]:
    environment = {**os.environ, "CLICKHOUSE_USER": USER, "CLICKHOUSE_PASSWORD": PASSWORD}
    command = ("harness.services.clickhouse", "--port", str(port), "--data", str(data))
    auth = {"X-ClickHouse-User": USER, "X-ClickHouse-Key": PASSWORD}
    with process(*command, env=environment) as (_, stdout, _):
        stdout.wait(lambda line: '"ready"' in line)
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, headers=auth, timeout=BOUND, trust_env=False) as http:
            yield ClickHouse(port, http)


@dataclass
class Backend:
    """A running backend."""

    process: subprocess.Popen[str]
    stdout: Lines
    log: Lines
    http: httpx.Client
    database: str

    def mark(self, name: str) -> int:
        """When the mark was made, nanoseconds of the monotonic clock; waits for it."""
        parsed = marks.parse(self.stdout.wait(lambda line: (marks.parse(line) or ("", 0))[0] == name))
        assert parsed is not None
        return parsed[1]

    def marks(self) -> list[str]:
        """The names of the marks so far, in order."""
        return [parsed[0] for line in self.stdout.all if (parsed := marks.parse(line))]

    def get(self, path: str, status: int = 200, **parameters: str) -> Any:
        answer = self.http.get(path, params=parameters)
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(self, path: str, body: object, status: int = 200, headers: dict[str, str] | None = None) -> Any:
        answer = self.http.post(path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def ask(self, status: int = 200, headers: dict[str, str] | None = None, **more: str) -> Any:
        return self.post("/api/llm", {"prompt": "How fast?", **more}, status, headers)

    def select(self, sql: str, status: int = 200, **more: object) -> Any:
        return self.post("/api/query", {"sql": sql, **more}, status)

    def stop(self) -> int:
        """Send SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(BOUND)

    def logged(self, text: str) -> int:
        """How many log lines contain the text."""
        return sum(text in line for line in self.log.all)


@contextmanager
def backend(*settings: dict[str, str], ready: bool = True, **more: str) -> Iterator[Backend]:
    """Run a backend in a database of its own until the block ends; ``ready``: wait until it is."""
    database = f"t{uuid.uuid4().hex[:12]}"
    chosen = {"TIME_SCALE": str(SCALE), "CLICKHOUSE_DB": database}
    for layer in (*settings, more):
        chosen |= layer
    environment = {"PATH": os.environ["PATH"], **chosen}
    with process("backend", "--port", "0", cwd=FOLDER, env=environment) as (running, stdout, log):
        address = log.wait(lambda line: "Uvicorn running on" in line).split("running on ")[1].split()[0]
        with httpx.Client(base_url=address, timeout=BOUND, trust_env=False) as http:
            started = Backend(running, stdout, log, http, chosen["CLICKHOUSE_DB"])
            started.mark("ready" if ready else "listening")
            yield started
