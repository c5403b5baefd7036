"""How a service comes up: its own marks where it prints them, our requests everywhere."""

import http.client
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from harness.configuration.schema import Service
from harness.errors import HarnessError
from harness.measure.http import Response
from harness.measure.service import RunningService
from harness.model import Mark

POLL = 0.01
"""Seconds between two requests while waiting: the resolution of what requests alone can time. One poller at 10 ms does
not change the start-up that it watches (docs/architecture.md)."""

_LATE_MARK = 0.1
"""Seconds to wait for the mark ``ready`` of a process that prints marks: it may reach us after the answer did."""

RESOLUTION = (
    f"Start-up: port, live, ready_seen and first_answer are seen by a connection or request every {POLL * 1000:g} ms; "
    "exec, imported, listening, ready and settled are times that the process itself printed, if it prints marks."
)
"""What every report says about start-up times."""
IN_DOCKER = (
    "Containers: container and started are the engine's own times; process is the kernel's, to 10 ms, and is that of "
    "Docker's runtime, which becomes the service later. Processor time and memory are those of the container's control "
    "group; memory counts pages of files that it has read, too. Pulling or building an image is no part of a start."
)
"""What a report of services in containers says besides."""


@dataclass(frozen=True, slots=True)
class Startup:
    """One start of one service. Times in seconds since just before the process was created."""

    marks: Mapping[str, float]
    """``created`` (0), ``started`` and what else is known of its creation, the process's own (``exec``, ``imported``,
    ``listening``, ``ready``, ``settled``) and ours (``port``, ``live``, ``ready_seen``, ``first_answer``), in the order
    in which they happened."""
    cpu: float | None
    """Processor seconds used until the first answer."""
    peak_memory: float | None
    """Bytes of resident memory at most until the first answer."""

    @property
    def ready(self) -> float:
        """Seconds to ready: by the process's own mark, else as first seen by a request."""
        return self.marks.get("ready", self.marks["ready_seen"])

    def trace(self) -> tuple[Mark, ...]:
        """The marks in order, for a picture."""
        return tuple(Mark(name, at) for name, at in self.marks.items())


def watch(running: RunningService, service: Service) -> Startup:
    """Wait until ``running`` has given its first good answer (and has settled, if that is asked for)."""
    process = running.process
    end = process.created + service.ready_within
    seen = dict(process.moments)
    if running.listens_itself:
        _until_open(running, end)
        seen["port"] = time.monotonic()
    if service.live is not None:
        _until_ok(running, service.live, end, "live")
        seen["live"] = time.monotonic()
    _until_ok(running, service.ready, end, "ready")
    seen["ready_seen"] = time.monotonic()
    if process.output.marks:
        process.output.wait_for_mark("ready", _LATE_MARK)
    if service.first_answer is not None:
        _until_ok(running, service.first_answer, end, "first answer")
        seen["first_answer"] = time.monotonic()
    cpu, memory = process.cpu_seconds(), process.peak_memory()
    if service.settles_within:
        process.output.wait_for_mark("settled", service.settles_within)
        process.check_alive()
    times = {name: at - process.created for name, at in {**process.output.marks, **seen}.items()}
    return Startup({"created": 0.0, **dict(sorted(times.items(), key=lambda item: item[1]))}, cpu, memory)


def _until_open(running: RunningService, end: float) -> None:
    """Until somebody accepts connections; the connection is closed again at once."""
    while (left := end - (begun := time.monotonic())) > 0:
        running.check_alive()
        try:
            socket.create_connection((running.host, running.port), min(left, 5.0)).close()
        except OSError:
            _pause(begun)
        else:
            return
    raise HarnessError(f"{running.name} did not listen on port {running.port} in time{_said(running)}")


def _until_ok(running: RunningService, path: str, end: float, phase: str) -> None:
    last = "no answer"
    while (left := end - (begun := time.monotonic())) > 0:
        running.check_alive()
        try:
            answer = running.get(path, deadline=min(left, 5.0))
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() < end:  # the end itself cuts the last request: no news
                last = str(error) or type(error).__name__
        else:
            if answer.status == http.client.OK:
                return
            last = _shown(answer)
        _pause(begun)
    raise HarnessError(f"{running.name} was not {phase} in time: GET {path} got {last}{_said(running)}")


def _pause(begun: float) -> None:
    """What is left of the time between two requests, the last of which began at ``begun``; a service that takes long to
    say no is left in peace for a while all the same."""
    time.sleep(max(begun + POLL - time.monotonic(), POLL / 2))


def _said(running: RunningService) -> str:
    return f"; its last lines:{running.process.output.last_lines}"


def _shown(answer: Response) -> str:
    return f"status {answer.status}: {answer.text[:200]!r}"
