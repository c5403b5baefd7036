"""A stack of local processes on 127.0.0.1."""

import random
import shutil
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from harness.configuration.load import Project
from harness.configuration.placeholders import fill
from harness.configuration.schema import Service
from harness.errors import ExitCode, HarnessError
from harness.measure.process import ServiceProcess
from harness.measure.service import RunningService
from harness.measure.stack import ServiceStack
from harness.measure.variants import Configured
from harness.measure.watchdog import Watchdog
from harness.model import Side

HOST = "127.0.0.1"
_PORTS = range(20000, 32000)
"""Below the range from which the kernel takes ports for outgoing connections: nobody takes ours between two rounds."""
_given: set[int] = set()


class LocalStack(ServiceStack):
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
        """As every stack; in ``folder`` are the services' data, too."""
        super().__init__(project, side, configured, folder=folder, secret=secret, label=label)
        self._watchdog = watchdog
        self._data = folder / self._label
        self._folders: dict[str, Path] = {}
        self._ports = {name: _free_port() for name in self._services}

    def open(self) -> None:
        """Export the commits that services run from, and start the services that live a session."""
        self._folders = dict(self._configured.folders(self._project, self._exports, self._watchdog.mark))
        super().open()

    def _address(self, name: str) -> tuple[str, int]:
        return HOST, self._ports[name]

    def _own(self, name: str) -> Mapping[str, str]:
        data = self._data / name
        data.mkdir(parents=True, exist_ok=True)
        return {"host": HOST, "port": str(self._ports[name]), "data": str(data), "python": sys.executable}

    def _launch(
        self, name: str, service: Service, settings: Mapping[str, str], values: Mapping[str, str]
    ) -> RunningService:
        where = f"{self._project.file}: services.{name}"
        if not service.command:
            raise HarnessError(f"{where}: has no command, so it cannot run as a local process", ExitCode.USAGE)
        process = ServiceProcess(
            name,
            [fill(word, values, f"{where}.command") for word in service.command],
            folder=self._folders[name],
            settings=settings,
            log=self.logs / f"{self._label}-{name}.log",
            watchdog=self._watchdog,
            heard=self.errors[name].listener(),
        )
        return RunningService(name, HOST, self._ports[name], settings, process)

    def _lend(self, name: str, alias: str) -> None:
        if alias not in self._ports:
            self._ports[alias] = _free_port()
        self._folders[alias] = self._folders[name]
        shutil.rmtree(self._data / alias, ignore_errors=True)  # of an earlier instance that was called so

    def _again(self, name: str, running: RunningService) -> RunningService:
        running.stop(self._services[name].stop_within)
        return self._launched(name, self._services[name])


def _free_port() -> int:
    """A port that nobody listens on, and that no other service of this process was given."""
    for port in random.sample(_PORTS, 200):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            if port not in _given:
                _given.add(port)
                return port
    raise HarnessError(f"no free port among 200 tried between {_PORTS.start} and {_PORTS.stop}")
