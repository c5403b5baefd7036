"""A stack on which time is a number: nothing runs and nothing sleeps, so the pipeline's own tests take no time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.measure.startup import Startup
from harness.model import Side, Variant


@dataclass
class Clock:
    """Seconds that pass only when a simulated service works."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class SimulatedService:
    """Takes as long for each call as ``seconds`` says."""

    clock: Clock
    seconds: Callable[[], float]
    calls: int = 0
    cpu: float = 0.0

    def work(self) -> None:
        self.calls += 1
        took = self.seconds()
        self.clock.now += took
        self.cpu += took / 2

    def cpu_seconds(self) -> float:
        return self.cpu


@dataclass
class SimulatedStack:
    """One service, called ``backend``."""

    side: Side
    clock: Clock
    seconds: Callable[[], float]
    starts: int = 0
    running: SimulatedService | None = None
    dead: Exception | None = None
    log: list[str] = field(default_factory=list)

    @property
    def variant(self) -> Variant:
        return Variant(self.side, self.side, {"backend": {"SPEED": self.side}})

    def restart(self) -> Mapping[str, Startup]:
        self.end_round()
        self.log.append(f"start {self.side}")
        self.starts += 1
        self.running = SimulatedService(self.clock, self.seconds)
        ready = self.seconds()
        self.clock.now += ready
        return {"backend": Startup({"created": 0.0, "ready_seen": ready}, cpu=ready / 2, peak_memory=None)}

    def end_round(self) -> None:
        self.running = None

    def service(self, name: str) -> SimulatedService:
        assert name == "backend"
        assert self.running is not None, "used while it does not run"
        return self.running

    def engines(self) -> Mapping[str, str]:
        return {}

    def check_alive(self) -> None:
        if self.dead is not None:
            raise self.dead
