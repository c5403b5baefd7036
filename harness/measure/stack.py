"""The running services of one variant, as local processes on 127.0.0.1."""

import random
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from harness.configuration.load import Project, start_order
from harness.configuration.placeholders import fill
from harness.configuration.schema import Service
from harness.errors import HarnessError
from harness.masking import mask
from harness.measure.engine import engine
from harness.measure.http import Client
from harness.measure.process import ServiceProcess
from harness.measure.startup import Startup, watch
from harness.measure.variants import Configured
from harness.measure.watchdog import Watchdog
from harness.model import Side, Variant

HOST = "127.0.0.1"
_PORTS = range(20000, 32000)
"""Below the range from which the kernel takes ports for outgoing connections: nobody takes ours between two rounds."""
_given: set[int] = set()


class RunningService(Client):
    """One service of a running stack: an HTTP client to it, and what the harness knows of its process."""

    def __init__(self, name: str, process: ServiceProcess, port: int, settings: Mapping[str, str]) -> None:
        super().__init__(HOST, port)
        self.name = name
        self.process = process
        self.settings = settings
        """The environment variables it was started with, secrets included."""

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def cpu_seconds(self) -> float | None:
        """Processor seconds that the service has used since it started; None when that is not known."""
        return self.process.cpu_seconds()


class Stack(Protocol):
    """What rounds need of a stack; the pipeline's own tests run on a simulated one."""

    @property
    def variant(self) -> Variant:
        """Which variant runs here."""
        ...

    @property
    def settings(self) -> Mapping[str, Mapping[str, str]]:
        """Service -> environment variable -> value, secrets included; placeholders are not filled in."""
        ...

    def restart(self) -> Mapping[str, Startup]:
        """Start the services that live a round, in fresh processes; how each came up."""
        ...

    def end_round(self) -> None:
        """Stop the services that live a round."""
        ...

    def service(self, name: str) -> RunningService:
        """A running service; a HarnessError when there is none of that name."""
        ...

    def engines(self) -> Mapping[str, str]:
        """Running service -> what it says that it runs on, for those that say so."""
        ...

    def check_alive(self) -> None:
        """Raise a HarnessError naming the cause if a service has ended."""
        ...


class LocalStack:
    """Services as processes of this machine."""

    def __init__(
        self,
        project: Project,
        side: Side,
        configured: Configured,
        *,
        folder: Path,
        secret: str,
        watchdog: Watchdog,
        label: str = "",
    ) -> None:
        """``folder`` holds the services' data and, unless ``logs`` is set before they start, their output; ``secret``
        fills ``{secret}``; ``label`` tells this stack's files from those of others, in place of ``side``."""
        self._project, self._watchdog = project, watchdog
        self._label = label or side
        self._folder = folder / self._label
        self.logs = folder
        self._configured, self._services = configured, configured.services
        self._folders: Mapping[str, Path] = {}
        self._order = start_order(project.system, project.file)
        self._running: dict[str, RunningService] = {}
        self._values = {"secret": secret, "python": sys.executable}
        for name in self._services:
            port = str(_free_port())
            self._values |= {f"{name}.host": HOST, f"{name}.port": port, f"{name}.url": f"http://{HOST}:{port}"}
        self.settings = {name: service.settings for name, service in self._services.items()}
        masked = {name: mask(settings) for name, settings in self.settings.items()}
        self.variant = Variant(side, configured.origin, masked, configured.sources)

    def open(self) -> None:
        """Export the commits that services run from, and start the services that live a session."""
        exports = self._folder.parent / "sources" / self._label
        self._folders = self._configured.folders(self._project, exports, self._watchdog.mark)
        self._start("session")

    def restart(self) -> Mapping[str, Startup]:
        """Start the services that live a round, in fresh processes."""
        self.end_round()
        return self._start("round")

    def end_round(self) -> None:
        """Stop the services that live a round, last started first."""
        for name in reversed(self._order):
            if self._services[name].lifetime == "round":
                self._stop(name)

    def close(self) -> None:
        """Stop everything."""
        for name in reversed(self._order):
            self._stop(name)

    def service(self, name: str) -> RunningService:
        """A running service by name."""
        if name not in self._running:
            raise HarnessError(f"no running service {name!r}; there are {', '.join(sorted(self._running)) or 'none'}")
        return self._running[name]

    def engines(self) -> Mapping[str, str]:
        """What each running service with a path ``engine`` answers there; a HarnessError when it answers no 200."""
        paths = {name: self._services[name].engine for name in self._running}
        return {name: engine(self._running[name], path) for name, path in paths.items() if path is not None}

    def check_alive(self) -> None:
        """Raise a HarnessError naming the cause if a service has ended."""
        for service in self._running.values():
            service.process.check_alive()

    def _start(self, lifetime: str) -> dict[str, Startup]:
        startups = {}
        for name in self._order:
            service = self._services[name]
            if service.lifetime == lifetime:
                startups[name] = self._start_one(name, service)
        return startups

    def _start_one(self, name: str, service: Service) -> Startup:
        data = self._folder / name
        data.mkdir(parents=True, exist_ok=True)
        values = self._values | {"port": self._values[f"{name}.port"], "host": HOST, "data": str(data)}
        where = f"{self._project.file}: services.{name}"
        settings = {key: fill(text, values, f"{where}.settings.{key}") for key, text in service.settings.items()}
        process = ServiceProcess(
            name,
            [fill(word, values, f"{where}.command") for word in service.command],
            folder=self._folders[name],
            settings=settings,
            log=self.logs / f"{self._label}-{name}.log",
            watchdog=self._watchdog,
        )
        running = self._running[name] = RunningService(name, process, int(values["port"]), settings)
        return watch(process, service, running)

    def _stop(self, name: str) -> None:
        running = self._running.pop(name, None)
        if running is not None:
            running.close()
            running.process.stop(self._services[name].stop_within)


def _free_port() -> int:
    """A port that nobody listens on, and that no other service of this process was given."""
    for port in random.sample(_PORTS, 200):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            if port not in _given:
                _given.add(port)
                return port
    raise HarnessError(f"no free port among 200 tried between {_PORTS.start} and {_PORTS.stop}")
