"""How a service comes up: its own marks where it prints them, our requests everywhere."""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass

from harness.configuration.schema import Service
from harness.errors import HarnessError
from harness.measure.http import Client, Response
from harness.measure.process import ServiceProcess
from harness.model import Mark

POLL = 0.01
"""Seconds between two requests while waiting: the resolution of what requests alone can time. One poller at 10 ms does
not change the start-up that it watches (docs/method.md)."""

RESOLUTION = (
    f"Start-up: live, ready_seen and first_answer are seen by a request every {POLL * 1000:g} ms; exec, imported, "
    "listening, ready and settled are times that the process itself printed."
)
"""What every report says about start-up times."""


@dataclass(frozen=True, slots=True)
class Startup:
    """One start of one service. Times in seconds since just before the process was created."""

    marks: Mapping[str, float]
    """``created`` (0), ``started``, the process's own (``exec``, ``imported``, ``listening``, ``ready``, ``settled``)
    and ours (``live``, ``ready_seen``, ``first_answer``), in the order in which they happened."""
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


def watch(process: ServiceProcess, service: Service, client: Client) -> Startup:
    """Wait until ``process`` has given its first good answer (and has settled, if that is asked for)."""
    end = process.created + service.ready_within
    seen = {"started": process.started}
    if service.live is not None:
        _until_ok(process, client, service.live, end, "live")
        seen["live"] = time.monotonic()
    _until_ok(process, client, service.ready, end, "ready")
    seen["ready_seen"] = time.monotonic()
    if service.first_answer is not None:
        _until_ok(process, client, service.first_answer, end, "first answer")
        seen["first_answer"] = time.monotonic()
    cpu, memory = process.cpu_seconds(), process.peak_memory()
    if service.settles_within:
        process.wait_for_mark("settled", service.settles_within)
        process.check_alive()
    times = {name: at - process.created for name, at in {**process.marks(), **seen}.items()}
    return Startup({"created": 0.0, **dict(sorted(times.items(), key=lambda item: item[1]))}, cpu, memory)


def _until_ok(process: ServiceProcess, client: Client, path: str, end: float, phase: str) -> None:
    last = "no answer"
    while (left := end - time.monotonic()) > 0:
        process.check_alive()
        try:
            answer = client.get(path, deadline=min(left, 5.0))
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() < end:  # the end itself cuts the last request: no news
                last = str(error) or type(error).__name__
        else:
            if answer.status == http.client.OK:
                return
            last = _shown(answer)
        time.sleep(POLL)
    raise HarnessError(f"{process.name} was not {phase} in time: GET {path} got {last}")


def _shown(answer: Response) -> str:
    return f"status {answer.status}: {answer.text[:200]!r}"
