"""A stack of containers: one private network, each service by its name in it."""

import contextlib
import hashlib
import http.client
import json
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from harness.configuration.load import Project
from harness.configuration.placeholders import fill
from harness.configuration.schema import Build, Container, Service
from harness.containers.container import ServiceContainer, Specification
from harness.containers.images import Image, built, present
from harness.containers.session import EngineSession
from harness.errors import ExitCode, HarnessError
from harness.measure.service import RunningService
from harness.measure.stack import ServiceStack
from harness.measure.variants import Configured
from harness.model import Side

_PUBLISHED = "127.0.0.1"


class DockerStack(ServiceStack):
    """Services in containers."""

    def __init__(
        self,
        project: Project,
        side: Side,
        configured: Configured,
        *,
        folder: Path,
        secret: str,
        session: EngineSession,
        mark: Mapping[str, str],
        label: str = "",
    ) -> None:
        """As every stack; ``session`` is what it may use of the engine, ``mark`` the watchdog's."""
        super().__init__(project, side, configured, folder=folder, secret=secret, label=label)
        self._session, self._mark = session, mark
        self._images: dict[str, Image] = {}
        self._lent: dict[str, str] = {}
        """Other instances of services -> the service whose image they run."""
        self._cleanup = ExitStack()
        for name in self._services:
            if not self._elsewhere(name):
                self._container(name)

    def prepare(self, tell: Callable[[str], None]) -> None:
        """Have every image: here, pulled or built. Before anything is timed."""
        for name in self._services:
            if self._elsewhere(name):
                continue
            container = self._container(name)
            if container.build is None:
                self._images[name] = present(self._session.client, container.image, tell)
            else:
                self._images[name] = self._built(name, container.build, tell)

    def _built(self, name: str, build: Build, tell: Callable[[str], None]) -> Image:
        """Built always, and mostly of the engine's cache, which knows whether the image below has changed. That of a
        commit stays, the other is the session's."""
        taken = self._configured.taken.get(name)
        if taken is None:
            context, tag = self._project.system_folder / build.context, self._session.image_tag(f"{name}-{self._label}")
            known = f"{name} of {self._label} from {build.context}"
        else:
            how = hashlib.sha256(json.dumps([build.dockerfile, build.arguments], sort_keys=True).encode()).hexdigest()
            known = tag = f"before-after.build/{name}:{taken.tree[:20]}-{how[:12]}"
            context = self._configured.folders(self._project, self._exports, self._mark)[name]
        return built(context, build.dockerfile, build.arguments, tag, known, tell)

    @property
    def images(self) -> Mapping[str, str]:
        """Service -> the image that it runs, by digest where it has one."""
        return {name: f"{image.reference} {image.digest}" for name, image in self._images.items()}

    @property
    def runs(self) -> Mapping[str, object]:
        """Service -> all that decides what it does."""
        found: dict[str, object] = {}
        for name, service in self._services.items():
            ours = service.model_dump(exclude={"command": True, "directory": True, "container": {"image", "build"}})
            found[name] = (ours, self._images[name].id if name in self._images else self._elsewhere(name))
        return found

    @property
    def facts(self) -> Mapping[str, str]:
        """What has to agree for another run to be comparable: the engine and the limits."""
        docker = self._session.engine
        told = {"docker": f"{docker.version}, {docker.storage}, control groups {docker.cgroup}"}
        return told | {f"limits of {name}": _limits(self._container(name)) for name in self._images}

    def open(self) -> None:
        """Make the network and start the services that live a session."""
        self._network = self._cleanup.enter_context(self._session.network())
        super().open()

    def close(self) -> None:
        """Stop everything, remove the network."""
        with self._cleanup:
            super().close()

    def _engine(self, name: str, path: str) -> str:
        """What the service answers at ``path``; of one that does not know that path, the image."""
        if name in self._images:
            with contextlib.suppress(OSError, http.client.HTTPException):  # said below
                if self._running[name].get(path).status == http.client.NOT_FOUND:
                    return self._images[name].digest
        return super()._engine(name, path)

    def _container(self, name: str) -> Container:
        container = self._services[name].container
        if container is None:
            message = f"{self._project.file}: services.{name}: has no container, so it cannot run in Docker"
            raise HarnessError(message, ExitCode.USAGE)
        return container

    def _address(self, name: str) -> tuple[str, int]:
        return name, self._container(name).port

    def _own(self, name: str) -> Mapping[str, str]:
        container = self._container(name)
        return {"host": "0.0.0.0", "port": str(container.port), "data": container.data, "python": "python3"}  # noqa: S104

    def _launch(
        self, name: str, service: Service, settings: Mapping[str, str], values: Mapping[str, str]
    ) -> RunningService:
        container = self._container(name)
        image = self._images[self._lent.get(name, name)]
        where = f"{self._project.file}: services.{name}.container.command"
        command = container.command
        what = Specification(
            name=name,
            stack=self._label,
            image=image.id,
            reference=image.reference,
            port=container.port,
            command=None if command is None else tuple(fill(word, values, where) for word in command),
            environment=settings,
            memory=container.memory,
            pids=container.pids,
            cpus=container.cpus,
            cpuset=container.cpuset,
            capabilities=container.capabilities,
            user=container.user,
            init=container.init,
        )
        log = self.logs / f"{self._label}-{name}.log"
        process = self._session.start(what, self._network, log, lambda: self._interrupt(name))
        return self._asked_at(process, container.port, settings)

    def _lend(self, name: str, alias: str) -> None:
        self._lent[alias] = name

    def _again(self, name: str, running: RunningService) -> RunningService:
        running.close()
        process = running.process
        assert isinstance(process, ServiceContainer)
        process.restart(self._services[name].stop_within)
        return self._asked_at(process, self._container(name).port, running.settings)

    def _asked_at(self, process: ServiceContainer, port: int, settings: Mapping[str, str]) -> RunningService:
        host, reached = self._reached(process, port)
        running = RunningService(process.name, host, reached, settings, process)
        running.listens_itself = host != _PUBLISHED
        return running

    def _reached(self, process: ServiceContainer, port: int) -> tuple[str, int]:
        """The container's own address where that can be reached: what is published goes through a proxy of Docker's,
        which accepts connections before the service does and takes time itself.

        The same for every start of a session, and without a connection: the container's process is this kernel's, and
        the other end of its network is an address of this machine. A rootless engine has networks of its own."""
        if process.here and not self._session.engine.rootless and process.address and _is_ours(process.gateway):
            return process.address, port
        if process.published is None:
            process.check_alive()
            raise HarnessError(f"{process.name}: its container has no address and no published port")
        return _PUBLISHED, process.published

    def _interrupt(self, name: str) -> None:
        running = self._running.get(name)
        if running is not None:
            running.interrupt()


def _is_ours(address: str) -> bool:
    """Whether this machine has that address."""
    with socket.socket() as probe:
        try:
            probe.bind((address or "0.0.0.0", 0))  # noqa: S104 - nobody listens
        except OSError:
            return False
    return bool(address)


def _limits(container: Container) -> str:
    limits = {
        "memory": container.memory,
        "processes": container.pids,
        "cpus": container.cpus,
        "cores": container.cpuset,
    }
    return ", ".join(f"{name} {value}" for name, value in limits.items() if value is not None)
