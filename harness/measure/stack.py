"""The running services of one variant: in which order they start, what they are told, how long each lives."""

import http.client
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from harness.configuration.load import Project, start_order
from harness.configuration.placeholders import fill
from harness.configuration.schema import Override, Service
from harness.errors import HarnessError
from harness.masking import mask
from harness.measure.engine import engine
from harness.measure.service import RunningService
from harness.measure.startup import Startup, watch
from harness.measure.variants import Configured
from harness.model import Side, Variant

_PATIENCE = 5.0
"""Seconds within which a service that runs already has to answer when a session opens."""
_NO_ANSWER = (OSError, http.client.HTTPException)


class Stack(Protocol):
    """What rounds need of a stack; the pipeline's own tests run on a simulated one."""

    @property
    def variant(self) -> Variant:
        """Which variant runs here."""
        ...

    @property
    def settings(self) -> Mapping[str, Mapping[str, str]]:
        """Service -> environment variable -> value, secrets included; placeholders are not filled in. Nothing is known
        of a service that runs already: it is left out."""
        ...

    def restart(self) -> Mapping[str, Startup]:
        """Start the services that live a round, in fresh processes; how each came up."""
        ...

    def end_round(self) -> None:
        """Stop the services that live a round."""
        ...

    def restart_warm(self, name: str) -> Startup:
        """Stop a service that lives a round and start it again, with what it has left behind; how it came up."""
        ...

    def another(
        self, name: str, changes: Mapping[str, object], *, settled: bool
    ) -> AbstractContextManager[tuple[RunningService, Startup]]:
        """Start another instance of a service with settings changed, stop it at the end of the block."""
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


class ServiceStack:
    """Services from a configuration. Kinds of stacks differ in how one is started, and where the others find it."""

    def __init__(
        self, project: Project, side: Side, configured: Configured, *, folder: Path, secret: str, label: str = ""
    ) -> None:
        """``folder`` holds the services' output unless ``logs`` is set before they start; ``secret`` fills
        ``{secret}``; ``label`` tells this stack's files from those of others, in place of ``side``."""
        self._project = project
        self._label = label or side
        self.logs = folder
        self._exports = folder / "sources" / self._label
        self._configured, self._services = configured, dict(configured.services)
        self._order = start_order(project.system, project.file)
        self._running: dict[str, RunningService] = {}
        self._values = {"secret": secret}
        ours = {name: service for name, service in self._services.items() if name not in configured.urls}
        self.settings = {name: service.settings for name, service in ours.items()}
        masked = {name: mask(settings) for name, settings in self.settings.items()}
        self.variant = Variant(side, configured.origin, masked, configured.sources)

    @abstractmethod
    def _address(self, name: str) -> tuple[str, int]:
        """Host and port at which the other services of this stack reach the service called ``name``."""

    @abstractmethod
    def _own(self, name: str) -> Mapping[str, str]:
        """What ``host``, ``port``, ``data`` and ``python`` stand for in the service's own command and settings."""

    @abstractmethod
    def _launch(
        self, name: str, service: Service, settings: Mapping[str, str], values: Mapping[str, str]
    ) -> RunningService:
        """Start a service; ``values`` fill the placeholders of its command."""

    @abstractmethod
    def _lend(self, name: str, alias: str) -> None:
        """Let ``alias`` run as the service called ``name`` does, at an address of its own."""

    @abstractmethod
    def _again(self, name: str, running: RunningService) -> RunningService:
        """Stop a running service and start it again where it was."""

    def open(self) -> None:
        """Start the services that live a session. Raises HarnessError when one that runs already does not answer."""
        for name in self._services:
            host, port = self._elsewhere(name) or self._address(name)
            self._values |= {f"{name}.host": host, f"{name}.port": str(port), f"{name}.url": f"http://{host}:{port}"}
            self._ask_elsewhere(name)
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

    def restart_warm(self, name: str) -> Startup:
        """Stop a service that lives a round in order, and start it again with the data that it has left behind."""
        running = self.service(name)
        if self._services[name].lifetime != "round":
            raise HarnessError(f"{name} lives a session: a scenario cannot restart it")
        if self._elsewhere(name) is not None:
            raise HarnessError(f"{name} runs already at {running.url}: a scenario cannot restart it")
        self._running[name] = again = self._again(name, running)
        return watch(again, self._services[name])

    @contextmanager
    def another(
        self, name: str, changes: Mapping[str, object], *, settled: bool
    ) -> Iterator[tuple[RunningService, Startup]]:
        """Start another instance of a service beside the running one, with ``changes`` of its settings; with it comes
        how it came up. It is stopped at the end of the block."""
        running = self.service(name)
        if self._elsewhere(name) is not None:
            raise HarnessError(f"{name} runs already at {running.url}: no other instance of it can be started")
        service = self._services[name]
        alias = next(free for n in count(2) if (free := f"{name}-{n}") not in self._services)
        settings = {**service.settings, **Override(settings=changes).settings}  # type: ignore[arg-type] # it converts
        patience = service.settles_within if settled else 0.0
        self._services[alias] = service.model_copy(update={"settings": settings, "settles_within": patience})
        try:
            self._lend(name, alias)
            self._running[alias] = other = self._launched(alias, self._services[alias])
            yield other, watch(other, self._services[alias])
        finally:
            self._stop(alias)
            del self._services[alias]

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
        return {name: self._engine(name, path) for name, path in paths.items() if path is not None}

    def _engine(self, name: str, path: str) -> str:
        try:
            return engine(self._running[name], path)
        except _NO_ANSWER as error:
            self._running[name].check_alive()
            where = f"{self._running[name].url}{path}"
            raise HarnessError(f"{name}: {where} does not answer: {_reason(error)}") from None

    def check_alive(self) -> None:
        """Raise a HarnessError naming the cause if a service has ended."""
        for service in self._running.values():
            service.check_alive()

    def _elsewhere(self, name: str) -> tuple[str, int] | None:
        """Where a service runs already, if it does."""
        url = self._configured.urls.get(name)
        if url is None:
            return None
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def _ask_elsewhere(self, name: str) -> None:
        """Raise HarnessError when a service that runs already is not ready."""
        elsewhere = self._elsewhere(name)
        if elsewhere is None:
            return
        path = self._services[name].ready
        with RunningService(name, *elsewhere, {}) as running:
            try:
                status = running.get(path, deadline=_PATIENCE).status
            except _NO_ANSWER as error:
                said = f"does not answer: {_reason(error)}"
            else:
                said = "" if status == http.client.OK else f"answers {status}, not 200"
            if said:
                side, origin = self.variant.name, self.variant.origin
                raise HarnessError(f"{side} ({origin}): {name} should run already, but {running.url}{path} {said}")

    def _start(self, lifetime: str) -> dict[str, Startup]:
        startups = {}
        for name in self._order:
            service = self._services[name]
            if service.lifetime == lifetime and (startup := self._start_one(name, service)) is not None:
                startups[name] = startup
        return startups

    def _start_one(self, name: str, service: Service) -> Startup | None:
        """How it came up; None when it runs already."""
        if (elsewhere := self._elsewhere(name)) is not None:
            self._running[name] = RunningService(name, *elsewhere, {})
            return None
        running = self._running[name] = self._launched(name, service)
        return watch(running, service)

    def _launched(self, name: str, service: Service) -> RunningService:
        values = {**self._values, **self._own(name)}
        where = f"{self._project.file}: services.{name}.settings"
        settings = {key: fill(text, values, f"{where}.{key}") for key, text in service.settings.items()}
        return self._launch(name, service, settings, values)

    def _stop(self, name: str) -> None:
        running = self._running.pop(name, None)
        if running is not None:
            running.stop(self._services[name].stop_within)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
