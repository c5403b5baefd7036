"""A running service, whatever runs it."""

from collections.abc import Mapping
from typing import Protocol

from harness.errors import HarnessError
from harness.measure.http import Client
from harness.output import Output


class Process(Protocol):
    """What runs a service: a process of this machine, or a container."""

    name: str
    created: float
    """Monotonic seconds, just before it was asked for."""
    output: Output

    @property
    def moments(self) -> Mapping[str, float]:
        """What is known of its creation: name -> monotonic seconds; ``started`` among them."""
        ...

    def check_alive(self) -> None:
        """Raise a HarnessError that names the cause and the last log lines if it cannot be measured any more."""
        ...

    def cpu_seconds(self) -> float | None:
        """Processor seconds used so far; None when they are not known."""
        ...

    def peak_memory(self) -> float | None:
        """Bytes of memory used at most so far; None when they are not known."""
        ...

    def stop(self, within: float) -> None:
        """Ask for an orderly stop, end it after ``within`` seconds."""
        ...


class RunningService(Client):
    """One service of a running stack: an HTTP client to it, and what the harness knows of what runs it."""

    def __init__(
        self, name: str, host: str, port: int, settings: Mapping[str, str], process: Process | None = None
    ) -> None:
        """``process`` is None when it runs already, by somebody else."""
        super().__init__(host, port)
        self.name = name
        self.settings = settings
        """The environment variables it was started with, secrets included."""
        self._process = process
        self.listens_itself = True
        """Whether whoever accepts connections at this address is the service, and no proxy before it."""

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    @property
    def process(self) -> Process:
        """What runs it. Raises HarnessError when that is somebody else's."""
        if self._process is None:
            raise HarnessError(f"{self.name} runs already at {self.url}: nothing is known of its process")
        return self._process

    def check_alive(self) -> None:
        """Raise a HarnessError that names the cause if it has ended."""
        if self._process is not None:
            self._process.check_alive()

    def cpu_seconds(self) -> float | None:
        """Processor seconds that it has used since it started; None when that is not known."""
        return self._process.cpu_seconds() if self._process is not None else None

    def stop(self, within: float) -> None:
        """Close the connection and stop what the harness has started."""
        self.close()
        if self._process is not None:
            self._process.stop(within)
