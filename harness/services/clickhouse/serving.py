"""From a folder and a port to a running server, and back."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from harness import marks
from harness.errors import ExitCode, HarnessError
from harness.services.clickhouse import folder
from harness.services.clickhouse.engine import Engine
from harness.services.clickhouse.failure import ClickHouseError
from harness.services.clickhouse.protocol import Front
from harness.services.clickhouse.server import Server

_FINISH_SECONDS, _CANCEL_SECONDS = 1.0, 0.5
"""How long a stop waits for running requests, then for them to notice that they were cancelled."""


def serve(host: str, port: int, data: Path, stop_signals: frozenset[signal.Signals]) -> None:
    """Serve until one of ``stop_signals``, which have to be blocked. Raises ``HarnessError`` when it cannot start."""
    server = _bind(host, port)
    with folder.claimed(data):
        os.chdir(data)
        engine = _open(data, os.environ)
        _listen(server, host, port)
        marks.emit("listening")
        front = Front(engine, users(os.environ))
        server.start(front)
        marks.emit("ready")
        signal.sigwait(stop_signals)
        _stop(server, front, engine)


def users(environment: Mapping[str, str]) -> dict[str, str]:
    """User -> password, from the variables that the official image knows; without them ``default`` with none."""
    return {environment.get("CLICKHOUSE_USER") or "default": environment.get("CLICKHOUSE_PASSWORD", "")}


def _bind(host: str, port: int) -> Server:
    try:
        return Server(host, port)
    except OSError as error:
        raise _unusable(host, port, error) from error


def _listen(server: Server, host: str, port: int) -> None:
    try:
        server.server_activate()
    except OSError as error:  # another process may bind the port with us and listen first
        raise _unusable(host, port, error) from error


def _unusable(host: str, port: int, error: OSError) -> HarnessError:
    return HarnessError(f"cannot listen on {host!r} port {port}: {error.strerror}: use another --host or --port")


def _open(data: Path, environment: Mapping[str, str]) -> Engine:
    try:
        engine = Engine(folder.SOURCE)
        if database := environment.get("CLICKHOUSE_DB"):
            engine.create_database(database)
    except ClickHouseError as error:
        reason = " ".join(str(error).split())
        raise HarnessError(
            f"--data {str(data)!r}: the engine cannot open it ({reason}): use another folder, or empty this one"
        ) from error
    return engine


def _stop(server: Server, front: Front, engine: Engine) -> None:
    """Finish the requests that run, close the engine; never longer than the harness is willing to wait."""
    server.shutdown()
    server.server_close()
    if not server.in_flight.drain(_FINISH_SECONDS):
        engine.cancel_queries()
        if not server.in_flight.drain(_CANCEL_SECONDS):
            # A client neither reads nor hangs up. What was acknowledged is on disk; closing under a running request
            # is what could still go wrong.
            sys.stdout.flush()
            os._exit(ExitCode.OK)
    front.close()
    engine.close()
