"""Faults of containers and engines, each provoked in a whole run of the harness; tests and the bench share them."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from harness.containers.sweep import sweep_dead
from tests.containers.engine_proxy import EngineProxy
from tests.containers.project import left, write_project

BOUND = 120.0
"""Seconds after which a run that has not ended is a failure."""
SCENARIO = """
import os, time
from pathlib import Path
import pytest
from harness.model import Metric
LATENCY = Metric("latency", "s")

@pytest.mark.scenario(rounds=2)
def test_work(turn):
    backend = turn.service("backend")
    with turn.timed(LATENCY):
        assert backend.get("/work", deadline=5).status == 200
    if turn.round == 1 and turn.side == "before":
        Path(os.environ["FAULT_NOW"]).touch()
        end = time.monotonic() + 60
        while (asked := os.environ["FAULT_ASKS"]) and time.monotonic() < end:
            backend.get(asked, deadline=5)
            time.sleep(0.01)
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    name: str
    message: str
    """A regular expression for what the user is told."""
    container: Mapping[str, object] = field(default_factory=dict)
    """What stands otherwise in the service's table ``container``."""
    settings: Mapping[str, str] = field(default_factory=dict)
    act: Callable[["Run"], None] | None = None
    """What is done to the backend of `before` in the second round; None: it goes wrong by itself."""
    asks: str = "/work"
    """What the scenario asks in the second round, again and again; nothing, if it is empty."""
    engine: Callable[["Run"], None] | None = None
    """What is done to the engine in the second round."""
    from_start: Callable[[EngineProxy], None] | None = None
    """What is done to the engine before anything starts."""
    code: int = 12

    @property
    def midway(self) -> bool:
        """Whether it goes wrong when something has been measured already."""
        return self.act is not None or self.engine is not None or self.asks != "/work"


@dataclass(slots=True)
class Run:
    """A run in which something goes wrong."""

    process: "subprocess.Popen[str]"
    proxy: EngineProxy
    client: docker.DockerClient

    def backend(self) -> Any:
        """The container of `before`."""
        (found,) = self.client.containers.list(filters={"label": "before-after.service=before/backend"})
        return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it."""

    seconds: float
    """From the fault (of one at the start: from the start of the harness) to the message."""
    message: str
    code: int
    values: int
    """Finished samples in the run files."""
    left: tuple[str, ...]
    """Containers, networks and volumes of the session after the end."""
    swept: tuple[str, ...] = ()
    """What the next start of a session found and removed, when there was no engine to do it before."""


def _kill(number: str) -> Callable[[Run], None]:
    return lambda run: run.backend().kill(number)


FAULTS = (
    Fault("no such image", r"image no/such:image is not here and cannot be pulled .*--stack local",
          {"image": "no/such:image"}),
    Fault("bad digest", r"image .*@sha256:0000.* is not here and cannot be pulled",
          {"image": "before-after/base@sha256:" + "0" * 64}),
    Fault("no such program", r"backend: .*no-such-program.*not found", {"command": ["no-such-program"], "init": False}),
    Fault("no such user", r"backend: .*nobody-like-this", {"user": "nobody-like-this"}),
    Fault("no such core", r"backend: .*[Cc][Pp][Uu]", {"cpuset": "4000"}),
    Fault("too little memory for anything", r"backend: .*[Mm]emory", {"memory": "1k"}),
    Fault("exits at start", r"backend exited with code 3 .*cannot go on: no configuration", settings={"FAULT": "exit"}),
    Fault("exits later", r"backend exited with code 1 .*gave up waiting for its database",
          settings={"FAULT": "late exit"}),
    Fault("too much memory at start", r"backend was killed: out of memory \(limit 64m\)", settings={"FAULT": "memory"}),
    Fault("crashes at start", r"backend exited with code 139", settings={"FAULT": "crash"}),
    Fault("never ready", r"backend was not ready in time: GET /ready got status 503: 'not yet'",
          settings={"FAULT": "never"}),
    Fault("somebody else answers", r"was not ready in time: GET /ready got status 404: '<html>",
          settings={"FAULT": "page"}),
    Fault("never listens", r"backend did not listen on port 8000 in time", settings={"FAULT": "deaf"}),
    Fault("too slow", r"backend did not listen on port 8000 in time", settings={"FAULT": "slow"}),
    Fault("port in use", r"backend exited with code 1 .*Address already in use", settings={"FAULT": "port"}),
    Fault("no more processes", r"backend .* in time.*can't start new thread", {"pids": 2}),
    Fault("killed", r"backend was killed \(SIGKILL\)", act=_kill("SIGKILL")),
    Fault("ended by SIGTERM", r"backend exited with code 143", act=_kill("SIGTERM")),
    Fault("crashes", r"backend exited with code 139", asks="/crash"),
    Fault("exits", r"backend exited with code 7 .*about to die", asks="/die"),
    Fault("too much memory", r"backend was killed: out of memory \(limit 64m\)", asks="/eat"),
    Fault("removed by somebody", r"backend has vanished: somebody removed its container",
          act=lambda run: run.backend().remove(force=True)),
    Fault("stopped by somebody", r"backend exited with code 143", act=lambda run: run.backend().stop(timeout=1)),
    Fault("restarted by somebody", r"backend (was restarted by somebody|was killed|exited with code)",
          act=lambda run: run.backend().restart(timeout=0)),
    Fault("paused by somebody", r"backend was paused by somebody", act=lambda run: run.backend().pause()),
    Fault("hangs", r"before: TimeoutError", asks="/hang"),
    Fault("cut off the network", r"before: (TimeoutError|OSError|ConnectionRefusedError)",
          act=lambda run: _cut_off(run)),
    Fault("no engine", r"no Docker engine: .* does not exist", from_start=lambda proxy: proxy.die()),
    Fault("engine frozen at start", r"Docker engine .* does not answer within 10 s",
          from_start=lambda proxy: proxy.freeze()),
    Fault("engine answers errors", r"Docker engine .* answers 500", from_start=lambda proxy: proxy.break_down()),
    Fault("engine dies", r"the Docker engine has gone away", engine=lambda run: run.proxy.die()),
    Fault("engine freezes", r"Docker: .*: the engine does not answer", asks="", engine=lambda run: run.proxy.freeze()),
)  # fmt: skip


def _cut_off(run: Run) -> None:
    backend = run.backend()
    for name in backend.attrs["NetworkSettings"]["Networks"]:
        run.client.networks.get(name).disconnect(backend, force=True)


def provoke(fault: Fault, image: str) -> Outcome:
    """Run the harness in a project of its own, let it go wrong, and see what it says and leaves."""
    with tempfile.TemporaryDirectory(prefix="fault-") as name, _engine() as (client, proxy):
        folder = Path(name)
        _write_project(folder, fault, image)
        if fault.from_start is not None:
            fault.from_start(proxy)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV", "CI", "HARNESS"))}
        environment |= {"DOCKER_HOST": proxy.url, "FAULT_NOW": str(folder / "now"), "FAULT_ASKS": fault.asks}
        begun = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", "run", "--stack", "docker"],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip
        with process:
            try:
                lines = _Lines(process)
                moment = _act(fault, Run(process, proxy, client), folder / "now") or begun
                code = process.wait(BOUND)
                lines.join()
            finally:
                process.kill()
        seconds, message = lines.said(fault.message, moment)
        at_once, later = left(client, process.pid), ()
        if fault.engine is not None:  # nobody could clean up without an engine: the next start does
            sweep_dead(client)
            at_once, later = left(client, process.pid), at_once
        return Outcome(seconds, message, code, _values(folder), at_once, later)


def _act(fault: Fault, run: Run, now: Path) -> float | None:
    """Wait for the second round and do it; when that was. None for what goes wrong by itself at the start."""
    while not now.exists():
        if run.process.poll() is not None:
            return None
        time.sleep(0.01)
    moment = time.monotonic()
    for act in (fault.act, fault.engine):
        if act is not None:
            act(run)
    return moment


@contextmanager
def _engine() -> Iterator[tuple[docker.DockerClient, EngineProxy]]:
    client = docker.from_env()
    try:
        with EngineProxy() as proxy:
            yield client, proxy
    finally:
        client.close()


def _write_project(folder: Path, fault: Fault, image: str) -> None:
    write_project(folder, {"image": image} | dict(fault.container), fault.settings, SCENARIO)


def _values(folder: Path) -> int:
    """How many values the run files hold."""
    count = 0
    for path in (folder / "reports" / "out").glob("*/*.json"):
        document = json.loads(path.read_text())
        count += sum(len(sample["values"]) for sample in document["harness"]["samples"])
    return count


class _Lines:
    """What a process prints, each line with its moment."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._lines: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append((time.monotonic(), line.rstrip()))

    def join(self) -> None:
        self._thread.join(30)

    def said(self, pattern: str, since: float) -> tuple[float, str]:
        """Seconds from ``since`` to the end of the first lines that match ``pattern`` together, and what they say."""
        for start in range(len(self._lines)):
            together = " ".join(line.strip() for _, line in self._lines[start : start + 20])
            if (found := re.search(pattern, together)) and found.start() <= len(self._lines[start][1]):
                return self._lines[start][0] - since, together[found.start() :][:200]
        return float("nan"), "\n".join(line for _, line in self._lines)
