"""A stack on which time is a number: nothing runs and nothing sleeps, so the pipeline's own tests take no time."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.configuration.schema import MetricOverride
from harness.files.assemble import runs_from
from harness.files.journal import Journal, read_journal
from harness.files.records import End, Record, SessionStart, Value
from harness.measure.controls import ControlArms
from harness.measure.disturbance import Snapshot
from harness.measure.http import Response
from harness.measure.recorder import Recorder
from harness.measure.rounds import Progress, Rounds, Stopping
from harness.measure.scenario import Scenario
from harness.measure.slowdown import Slowdown
from harness.measure.startup import Startup
from harness.measure.turn import Turn
from harness.model import SIDES, Environment, Metric, Run, Side, Variant

LATENCY = Metric("latency", "s")
CPU = Metric("cpu", "s", gated=False)
CALLS = Metric("calls", "1", kind="count")


def works(turn: Turn) -> None:
    """A scenario."""
    with turn.timed(LATENCY, cpu=CPU, of="backend"):
        turn.service("backend").work()  # type: ignore[attr-defined]
    turn.record(CALLS, 1)


@dataclass
class Clock:
    """Seconds that pass only when a simulated service works, and ``tick`` of them whenever somebody looks."""

    now: float = 0.0
    tick: float = 0.0

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


@dataclass
class SimulatedService:
    """Takes as long for each call as ``seconds`` says."""

    clock: Clock
    seconds: Callable[[], float]
    calls: int = 0
    cpu: float = 0.0
    status: int = 200
    asked: list[str] = field(default_factory=list)

    def work(self) -> None:
        self.calls += 1
        took = self.seconds()
        self.clock.now += took
        self.cpu += took / 2

    def get(self, path: str, *, deadline: float) -> Response:
        self.asked.append(path)
        self.work()
        return Response(self.status, {}, b"")

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
    services: list[SimulatedService] = field(default_factory=list)

    @property
    def variant(self) -> Variant:
        return Variant(self.side, self.side, {"backend": {"SPEED": self.side}})

    @property
    def settings(self) -> Mapping[str, Mapping[str, str]]:
        return self.variant.settings

    def restart(self) -> Mapping[str, Startup]:
        self.end_round()
        self.log.append(f"start {self.side}")
        self.starts += 1
        self.running = SimulatedService(self.clock, self.seconds)
        self.services.append(self.running)
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


class Session:
    """Rounds over two simulated stacks, with a journal in a folder."""

    def __init__(self, folder: Path, *, before: float = 0.1, after: float = 0.1, noise: float = 0.01) -> None:
        self.clock = Clock()
        self.draw, self.noise = random.Random(7), noise
        self.stacks = {side: self.stack(side, speed) for side, speed in zip(SIDES, (before, after), strict=True)}
        self.path = folder / "journal.jsonl"
        self.told: list[Progress] = []
        self.stopping = Stopping(lambda done: {"load/works"})
        self.arms: ControlArms | None = None
        self.slowdown: Slowdown | None = None
        self.asleep = 0.0
        self.overrides: Mapping[str, MetricOverride] = {}

    def stack(self, side: Side, speed: float) -> SimulatedStack:
        """A stack whose service takes about ``speed`` seconds a call."""
        return SimulatedStack(side, self.clock, lambda: speed * (1 + self.draw.gauss(0, self.noise)))

    def run(self, *scenarios: Scenario, **options: Any) -> Rounds:
        journal = Journal.create(self.path)
        variants = tuple(self.stacks[side].variant for side in SIDES)
        journal.write(
            SessionStart(
                session="s1",
                started="2026-01-01T00:00:00+00:00",
                seed=1,
                variants=variants,
                environment=Environment(),
                notes=(),
                plan={},
                identity="x",
            )
        )
        rounds = Rounds(
            self.stacks,
            scenarios,
            Recorder(journal, self.overrides),
            1,
            self.told.append,
            self.stopping,
            arms=self.arms,
            slowdown=self.slowdown,
            clock=self.clock,
            machine=self.machine,
        )
        with journal:
            rounds.run(**options)
            journal.write(End("complete"))
        return rounds

    def machine(self) -> Snapshot:
        """Never disturbed, unless a test says otherwise."""
        return Snapshot(self.clock.now, self.clock.now + self.asleep, cores=2, allowed=2.0, steal=0.0, throttled=0.0)

    def records(self, *kinds: type[Record]) -> list[Any]:
        """What of these kinds is in the journal."""
        return [record for record in read_journal(self.path).records if isinstance(record, kinds)]

    @property
    def values(self) -> list[Value]:
        return self.records(Value)

    @property
    def runs(self) -> tuple[Run, Run]:
        return runs_from(read_journal(self.path))
