"""Starts the embedded ClickHouse server as the process it is in use, for the tests of it."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client

BOUND = 60.0
"""Seconds after which waiting for a process is a failure: far more than any needs."""
COMMAND = (sys.executable, "-m", "harness.services.clickhouse")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Server:
    port: int
    process: subprocess.Popen[str]
    marks: tuple[str, ...]

    @contextmanager
    def client(self, **options: Any) -> Iterator[Client]:
        client = clickhouse_connect.get_client(host="127.0.0.1", port=self.port, **options)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def running(data: Path, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server on a free port, ready; it ends with the block, whatever happens."""
    port = free_port()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [*COMMAND, "--port", str(port), "--data", str(data)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
            env=clean_environment() | dict(environment or {}),
        )
        try:
            marks = _marks_until_ready(process)
            errors.seek(0)
            assert marks[-1:] == ("ready",), errors.read()
            yield Server(port, process, marks)
        finally:
            process.terminate()
            try:
                process.wait(BOUND)
            finally:
                process.kill()
                process.wait()
                assert process.stdout is not None
                process.stdout.close()


def run(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, for starts that must fail."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=BOUND,
        check=False,
        env=clean_environment() | dict(environment or {}),
    )


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CLICKHOUSE_")}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _marks_until_ready(process: subprocess.Popen[str]) -> tuple[str, ...]:
    """Marks in the order printed, up to ``ready`` or the end of the process."""
    watchdog = threading.Timer(BOUND, process.kill)
    watchdog.start()
    marks: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            marks.append(json.loads(line)["mark"])
            if marks[-1] == "ready":
                break
    finally:
        watchdog.cancel()
    return tuple(marks)
