"""What happens to the containers of a session, told by the engine the moment it happens."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import docker

from harness.containers.engine import ANSWER_SECONDS, EngineLost

Listener = Callable[[], None]
"""Called, from the thread that follows the events, when a container cannot be measured any more."""


@dataclass(slots=True)
class Fate:
    """What has happened to a container so far."""

    since: int = 0
    """Nanoseconds since 1970: what happened before does not count."""
    starts: int = 0
    paused: bool = False
    """Whether it was at some time: what waited meanwhile has waited."""
    died: bool = False
    removed: bool = False
    out_of_memory: bool = False
    exit_code: int | None = None


@dataclass(slots=True)
class Events:
    """Follows the engine's events of everything with one label, in a thread of its own, until ``close``."""

    client: docker.DockerClient
    """One of its own: the stream occupies its connection."""
    label: str
    """``name=value``."""
    engine_gone: bool = False
    """Whether the stream ended although nobody closed it, or the engine did not answer: it is not asked any more."""
    _fates: dict[str, Fate] = field(default_factory=dict)
    _listeners: dict[str, Listener] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stream: Any = None
    _closed: bool = False

    def open(self) -> None:
        """Begin to follow; raises what docker-py raises, or EngineLost: docker-py itself would wait for ever."""
        begun: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(begun.put,), name="events of the engine", daemon=True).start()
        try:
            error = begun.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            raise EngineLost("Docker: its events: the engine does not answer") from None
        if error is not None:
            raise error

    def close(self) -> None:
        """Stop following."""
        self._closed = True
        if self._stream is not None:
            self._stream.close()
        self.client.close()

    @contextlib.contextmanager
    def minded(self) -> Iterator[None]:
        """Calls to the engine; when it is lost in one of them, that is kept for the others."""
        try:
            yield
        except EngineLost:
            self.engine_gone = True
            raise

    def watch(self, container: str, listener: Listener) -> None:
        """Call ``listener`` whenever something bad happens to the container with this id, or to the engine."""
        with self._lock:
            self._listeners[container] = listener

    def forget(self, container: str) -> None:
        """From now on it is ours to stop it, and to start it again."""
        with self._lock:
            self._listeners.pop(container, None)

    def renew(self, container: str, since: int) -> None:
        """It is started again, by our own doing: what happened to it before ``since`` (nanoseconds since 1970), also
        what is told of it later, does not count."""
        with self._lock:
            self._fates[container] = Fate(since=since)

    def fate(self, container: str) -> Fate:
        """What has happened to it."""
        with self._lock:
            return self._fates.setdefault(container, Fate())

    def _listen(self, begun: Callable[[Exception | None], None]) -> None:
        try:
            self._stream = self.client.events(decode=True, filters={"type": "container", "label": self.label})
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            begun(error)
        else:
            begun(None)
            self._follow()

    def _follow(self) -> None:
        with contextlib.suppress(Exception):  # however the connection broke, it is gone; requests raise many kinds
            for event in self._stream:
                self._notice(event)
        if not self._closed:
            self.engine_gone = True
            with self._lock:
                listeners = list(self._listeners.values())
            for listener in listeners:
                listener()

    def _notice(self, event: Any) -> None:
        actor = event.get("Actor", {})
        container, action = actor.get("ID", ""), event.get("Action", "")
        with self._lock:
            fate = self._fates.setdefault(container, Fate())
            counts = event.get("timeNano", fate.since) >= fate.since
            trouble = counts and _change(fate, action, actor.get("Attributes", {}))
            listener = self._listeners.get(container)
        if trouble and listener is not None:
            listener()


def _change(fate: Fate, action: str, attributes: Any) -> bool:
    """Write an event down; whether the container cannot be measured any more."""
    match action:
        case "start":
            fate.starts += 1
            return fate.starts > 1
        case "oom":
            fate.out_of_memory = True
            return True
        case "pause":
            fate.paused = True
            return True
        case "die":
            fate.died = True
            code = str(attributes.get("exitCode", ""))
            fate.exit_code = int(code) if code.isdecimal() else None
            return True
        case "destroy":
            fate.removed = True
            return True
        case _:
            pass
    return False
