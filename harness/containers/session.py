"""What one measuring session holds of a Docker engine: its labels, its networks, the stream of events."""

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import docker
import docker.errors
from testcontainers.core.network import Network

from harness.containers.container import ServiceContainer, Specification
from harness.containers.engine import ANSWER_SECONDS, Engine, asked, connect, engine_of, is_local
from harness.containers.events import Events, Listener
from harness.containers.labels import SESSION, labels
from harness.containers.sweep import sweep_dead


@dataclass(frozen=True, slots=True)
class EngineSession:
    """Everything that it starts carries the labels of one session."""

    client: docker.DockerClient
    engine: Engine
    local: bool
    """Whether the engine runs on this machine, so that kernel and addresses of containers can be asked."""
    token: str
    labels: Mapping[str, str]
    swept: tuple[str, ...]
    """What harnesses that are dead had left, and was removed; a line each."""
    _events: Events

    @classmethod
    @contextlib.contextmanager
    def opened(cls) -> Iterator[Self]:
        """Connect, remove what dead harnesses left, follow the events. Raises HarnessError when there is no engine."""
        with contextlib.closing(connect()) as client:
            token = secrets.token_hex(16)
            swept = tuple(sweep_dead(client))
            events = Events(connect(), f"{SESSION}={token}")
            with asked("its events"):
                events.open()
            with contextlib.closing(events):
                yield cls(client, engine_of(client), is_local(client), token, labels(token), swept, events)

    @contextlib.contextmanager
    def network(self) -> Iterator[Network]:
        """A private network, removed at the end unless the engine is gone.

        When the engine refuses, because a stop was cut short and a container still runs in it, the sweep at the end of
        the session removes both: that must not hide what cut it short.
        """
        with self._events.minded(), asked("make a network"):
            network = Network(
                docker_client_kw={"timeout": ANSWER_SECONDS}, docker_network_kw={"labels": dict(self.labels)}
            ).create()
        try:
            yield network
        finally:
            if not self._events.engine_gone:
                with self._events.minded(), asked("remove a network"), contextlib.suppress(docker.errors.APIError):
                    network.remove()

    def start(self, what: Specification, network: Network, log: Path, on_trouble: Listener) -> ServiceContainer:
        """Start a service in ``network``; its output goes to ``log``."""
        return ServiceContainer(what, self.labels, network, self._events, log, on_trouble)
