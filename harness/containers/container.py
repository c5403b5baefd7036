"""One service in a container: start it, read its marks, ask kernel and engine about it, name what ended it."""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors
import docker.types
from docker.models.containers import Container
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.labels import create_labels
from testcontainers.core.network import Network

from harness.containers.cgroup import ControlGroup, control_group, is_of
from harness.containers.engine import asked
from harness.containers.events import Events, Fate, Listener
from harness.containers.times import monotonic, nanoseconds, process_start
from harness.errors import HarnessError
from harness.output import Output

testcontainers_config.ryuk_disabled = True  # the watchdog and the labels do its work, without an image to pull
# Whatever a user has set for other projects: the engine is the session's, images are known by id, nobody logs in.
testcontainers_config.tc_properties = {}
testcontainers_config.hub_image_name_prefix = ""
testcontainers_config._docker_auth_config = None  # noqa: SLF001 - what is public warns of itself
SERVICE = "before-after.service"
"""Label: stack and service, for people who look at the engine."""
_LOCAL = "127.0.0.1"
_LOG = {"Type": "json-file", "Config": {"max-size": "16m", "max-file": "2"}}
"""What the engine keeps of a container's output: bounded."""
_SIGKILL = 137
_DEATH_SECONDS = 1.0
"""How long after a process that ran out of memory the end of its container may be told."""


@dataclass(frozen=True, slots=True)
class Specification:
    """What is started."""

    name: str
    """The service; other services reach it by this name."""
    stack: str
    """Whose service it is, for people who look at the engine: ``before``, ``after``, ``control``."""
    image: str
    """By its id, which no tag can move."""
    reference: str
    """The same image as people know it."""
    port: int
    """What it listens on inside."""
    command: tuple[str, ...] | None
    """None: what the image says."""
    environment: Mapping[str, str]
    memory: str
    """Such as ``512m``."""
    pids: int
    cpus: float | None
    cpuset: str | None
    capabilities: tuple[str, ...]
    user: str
    init: bool


class _Creating(DockerClient):
    """What testcontainers' containers ask, but for the pull of a missing image: that would fall into a measurement."""

    def __init__(self, client: docker.DockerClient) -> None:
        self.client = client

    def create(self, image: str, *arguments: Any, labels: dict[str, str] | None = None, **options: Any) -> Container:
        marked = create_labels(image, labels)
        return self.client.containers.create(image, *arguments, labels=marked, use_config_proxy=False, **options)


class _Container(DockerContainer):
    def __init__(self, image: str, engine: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        super().__init__(image, docker_client_kw=dict(engine), env=dict(environment))
        self._docker = _Creating(self._docker.client)


class ServiceContainer:
    """A running container."""

    def __init__(
        self,
        what: Specification,
        labels: Mapping[str, str],
        network: Network,
        engine: Mapping[str, Any],
        events: Events,
        log: Path,
        on_trouble: Listener,
        heard: Callable[[str, bool], None] = lambda _line, _stopping: None,
    ) -> None:
        """Create and start it; a HarnessError says why that fails.

        ``created`` is the monotonic time in seconds just before it was asked for. ``engine`` is what testcontainers
        needs to reach it. ``on_trouble`` is called, from another thread, when it dies, is paused or runs out of memory.
        """
        self.name, self._what, self._events = what.name, what, events
        self._log, self._on_trouble, self._heard = log, on_trouble, heard
        self._container = _configured(what, labels, network, engine)
        self.created = time.monotonic()
        try:
            with events.minded(), asked(f"{what.name}: start a container of {what.reference}"):
                self._container.start()
        except BaseException:
            if not events.engine_gone:
                with contextlib.suppress(docker.errors.DockerException, OSError):
                    self._container.stop()  # it may have been created
            raise
        self._wrapped = self._container.get_wrapped_container()
        self.id = str(self._wrapped.id)
        self._follow(since=None)

    def _follow(self, since: float | None) -> None:
        """Mind the running container; read what it prints from ``since`` on, in seconds since 1970, or all of it."""
        self.output = Output(self._log, self._heard)
        self._events.watch(self.id, self._on_trouble)
        self._reader = threading.Thread(target=self._read, args=(since,), name=f"log of {self.name}", daemon=True)
        self._reader.start()
        self._look()

    def restart(self, within: float) -> None:
        """Stop it in order, after ``within`` seconds by force, and start the same container again. ``created`` is then
        just before that start, and what it printed before is not read again."""
        self._events.forget(self.id)
        with self._events.minded(), asked(f"{self.name}: restart its container"):
            self.output.stopping = True
            self._wrapped.stop(timeout=math.ceil(within))
            self._reader.join(2.0)
            since = time.time_ns()
            self._events.renew(self.id, since)
            self.created = time.monotonic()
            self._wrapped.start()
        self._follow(since / 1e9)

    def _look(self) -> None:
        """What the engine says of the running container."""
        with self._events.minded(), asked(f"{self.name}: inspect its container"):
            self._wrapped.reload()
        attributes = self._wrapped.attrs
        state: Mapping[str, Any] = attributes["State"]
        pid = int(state["Pid"])
        self.here = bool(pid) and is_of(pid, self.id)
        self._group: ControlGroup = control_group(pid) if self.here else ControlGroup(None, None)
        told = {"container": nanoseconds(attributes["Created"]), "started": nanoseconds(state["StartedAt"])}
        moments = {name: monotonic(at) for name, at in told.items() if at is not None}
        self.moments = {name: at for name, at in moments.items() if at >= self.created}  # a restart creates nothing
        if self.here and (process := process_start(pid)) is not None:
            self.moments["process"] = process
        settings = attributes["NetworkSettings"]
        network: Mapping[str, Any] = next(iter(settings["Networks"].values()), {})
        self.address, self.gateway = str(network.get("IPAddress") or ""), str(network.get("Gateway") or "")
        bindings = settings["Ports"].get(f"{self._what.port}/tcp") or []
        self.published = next((int(found["HostPort"]) for found in bindings), None)

    def _read(self, since: float | None) -> None:
        with contextlib.suppress(Exception):  # however the stream broke, no more will come; requests raise many kinds
            for chunk in self._wrapped.logs(stream=True, follow=True, since=since):
                self.output.feed(chunk)
        self.output.end()

    def check_alive(self) -> None:
        """Raise a HarnessError that names the cause and the last log lines if it cannot be measured any more."""
        if self._events.engine_gone:
            raise HarnessError(f"{self.name}: the Docker engine has gone away")
        fate = self._events.fate(self.id)
        if fate.out_of_memory:  # mostly of its main process, whose end is told next
            until = time.monotonic() + _DEATH_SECONDS
            while not fate.died and time.monotonic() < until:
                time.sleep(0.02)
        cause = self._cause(fate)
        if cause:
            self._reader.join(1.0)
            after = time.monotonic() - self.created
            lines = self.output.last_lines
            raise HarnessError(f"{self.name} {cause} after {after:.1f} s; its last lines:{lines}")

    def _cause(self, fate: Fate) -> str:
        if fate.died:
            return self._end(fate)
        if fate.removed:
            return "has vanished: somebody removed its container"
        if fate.paused:
            return "was paused by somebody"
        if fate.out_of_memory:
            return f"ran out of memory in one of its processes (limit {self._what.memory})"
        return "was restarted by somebody" if fate.starts > 1 else ""

    def _end(self, fate: Fate) -> str:
        state: Mapping[str, Any] = {}
        with contextlib.suppress(docker.errors.DockerException, OSError):
            self._wrapped.reload()
            state = self._wrapped.attrs["State"]
        code = state.get("ExitCode", fate.exit_code)
        if state.get("OOMKilled") or fate.out_of_memory:
            return f"was killed: out of memory (limit {self._what.memory})"
        if fate.removed and code == _SIGKILL:
            return "has vanished: somebody removed its container"
        if code == _SIGKILL:
            return "was killed (SIGKILL)"
        return f"exited with code {code}"

    def cpu_seconds(self) -> float | None:
        """Processor seconds that its control group has used; None when the engine runs elsewhere."""
        return self._group.cpu_seconds()

    def peak_memory(self) -> float | None:
        """Bytes that its control group has used at most; None when the engine runs elsewhere."""
        return self._group.peak_memory()

    def stop(self, within: float) -> None:
        """Ask for an orderly stop, remove it after ``within`` seconds at most; nothing when the engine is gone."""
        self._events.forget(self.id)
        if self._events.engine_gone:
            return
        with (
            self._events.minded(),
            asked(f"{self.name}: stop its container"),
            contextlib.suppress(docker.errors.NotFound),
        ):
            self.output.stopping = True
            self._wrapped.stop(timeout=math.ceil(within))
            self._container.stop()
        self._reader.join(2.0)


def _configured(
    what: Specification, labels: Mapping[str, str], network: Network, engine: Mapping[str, Any]
) -> DockerContainer:
    """Limits, no privileges, a port on 127.0.0.1 only."""
    with asked(f"{what.name}: reach the Docker engine"):
        container = _Container(what.image, engine, what.environment)
    container.with_network(network).with_network_aliases(what.name)
    if what.command is not None:
        container.with_command(list(what.command))
    container.ports = {f"{what.port}/tcp": (_LOCAL, None)}  # type: ignore[dict-item] # passed on to docker-py as it is
    limits = {} if what.cpus is None else {"nano_cpus": round(what.cpus * 1e9)}
    return container.with_kwargs(
        labels={**labels, SERVICE: f"{what.stack}/{what.name}"},
        mem_limit=what.memory,
        memswap_limit=what.memory,  # memory and swap together: otherwise the engine allows as much swap again
        pids_limit=what.pids,
        cpuset_cpus=what.cpuset,
        cap_drop=["ALL"],
        cap_add=list(what.capabilities),
        security_opt=["no-new-privileges"],
        user=what.user or None,
        init=what.init or None,
        log_config=docker.types.LogConfig(type=_LOG["Type"], config=_LOG["Config"]),
        **limits,
    )
