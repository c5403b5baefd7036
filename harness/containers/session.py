"""What one measuring session holds of a Docker engine: its labels, its networks, the stream of events."""

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import docker
import docker.errors
from testcontainers.core.network import Network

from harness.containers.container import ServiceContainer, Specification
from harness.containers.engine import ANSWER_SECONDS, Engine, asked, connect, engine_of, is_local, socket_of
from harness.containers.events import Events, Listener
from harness.containers.labels import SESSION, image_tag, labels
from harness.containers.sweep import ours, sweep_dead
from harness.errors import HarnessError


@dataclass(frozen=True, slots=True)
class EngineSession:
    """Everything that it starts carries the labels of one session."""

    client: docker.DockerClient
    engine: Engine
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
            if not is_local(client):
                raise HarnessError(
                    "the Docker engine is reached over the network: services in containers can only be measured "
                    "through the socket of an engine on this machine"
                )
            token = secrets.token_hex(16)
            swept = tuple(sweep_dead(client))
            with contextlib.closing(Events(connect(), f"{SESSION}={token}")) as events:
                with asked("its events"):
                    events.open()
                session = cls(client, engine_of(client), token, labels(token), swept, events)
                try:
                    yield session
                finally:
                    session._remove_images()

    @property
    def _reach(self) -> dict[str, Any]:
        """For testcontainers' clients: the engine of this session, whatever the environment names by now."""
        return {"timeout": ANSWER_SECONDS, "environment": {"DOCKER_HOST": socket_of(self.client)}}

    def image_tag(self, name: str) -> str:
        """A tag for an image that is built for this session alone and removed at its end."""
        return image_tag(name, self.token)

    def _remove_images(self) -> None:
        """What fails here, because a container still uses it, is left to the sweep at the end of the session: it must
        not hide what went wrong before."""
        if not self._events.engine_gone:
            with contextlib.suppress(HarnessError), asked("remove its images"):
                for thing in ours(self.client, self.token):
                    if thing.kind == "image":
                        self.client.api.remove_image(thing.id)

    @contextlib.contextmanager
    def network(self) -> Iterator[Network]:
        """A private network, removed at the end unless the engine is gone.

        When the engine refuses, because a stop was cut short and a container still runs in it, the sweep at the end of
        the session removes both: that must not hide what cut it short.
        """
        with self._events.minded(), asked("make a network"):
            network = Network(docker_client_kw=self._reach, docker_network_kw={"labels": dict(self.labels)}).create()
        try:
            yield network
        finally:
            if not self._events.engine_gone:
                with self._events.minded(), asked("remove a network"), contextlib.suppress(docker.errors.APIError):
                    network.remove()

    def start(
        self,
        what: Specification,
        network: Network,
        log: Path,
        on_trouble: Listener,
        heard: Callable[[str, bool], None] = lambda _line, _stopping: None,
    ) -> ServiceContainer:
        """Start a service in ``network``; its output goes to ``log``, and line by line to ``heard``."""
        return ServiceContainer(what, self.labels, network, self._reach, self._events, log, on_trouble, heard)
