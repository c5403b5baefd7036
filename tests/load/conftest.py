"""A service to put load on, in a process of its own."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.measure.service import RunningService
from tests.reference.backend_process import free_port, until

SERVICE = Path(__file__).parents[1] / "tiny" / "service.py"
Serve = Callable[..., RunningService]


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start the tiny service; ``work`` seconds an answer to /work takes."""
    with ExitStack() as cleanup:

        def start(work: float = 0.0) -> RunningService:
            port = free_port()
            process = subprocess.Popen([sys.executable, SERVICE, str(port)], env={"WORK": str(work)})
            cleanup.callback(process.wait)
            cleanup.callback(process.kill)
            until(lambda: listens(port))
            return RunningService("backend", "127.0.0.1", port, {})

        yield start
