"""What a scenario is given: one variant, running, for one turn."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.errors import HarnessError
from harness.files.records import Predicted, Record, Traced, Value
from harness.measure.recorder import Recorder
from harness.measure.service import RunningService
from harness.measure.slowdown import Slowdown
from harness.measure.stack import Stack
from harness.measure.startup import Startup
from harness.model import Mark, Metric, Prediction, Side, Trace, Variant

Clock = Callable[[], float]
"""Monotonic seconds."""


@dataclass(slots=True)
class Timing:
    """How long a timed block took; known when the block has ended."""

    seconds: float = 0.0
    cpu: float | None = None
    """Processor seconds of the timed service; None when they are not known."""


@dataclass(slots=True)
class Memory:
    """What a scenario did once for a stack, kept over its turns."""

    done: dict[tuple[str, str], object] = field(default_factory=dict)


@dataclass(slots=True)
class Turn:
    """One call of a scenario on one variant.

    What a turn records is written when the scenario returns, so that nothing is written inside a timed block and a
    scenario whose check fails leaves no value behind.
    """

    scenario: str
    stack: Stack
    round: int
    pair: int
    warmup: bool
    """True: nothing is recorded."""
    random: random.Random
    """The same sequence on both variants, another one in each pair."""
    startups: Mapping[str, Startup]
    recorder: Recorder
    memory: Memory
    variants: Mapping[Side, Variant] = field(default_factory=dict)
    """Both variants; secrets are masked in their settings."""
    clock: Clock = time.monotonic
    slowdown: Slowdown | None = None
    """For a self-test: lengthens the timed blocks of `after`."""
    _records: list[Record] = field(default_factory=list)

    @property
    def side(self) -> Side:
        """``before`` or ``after``."""
        return self.stack.variant.name

    @property
    def variant(self) -> Variant:
        """The variant that runs."""
        return self.stack.variant

    def service(self, name: str) -> RunningService:
        """A running service, as an HTTP client: ``turn.service("backend").get("/health")``."""
        return self.stack.service(name)

    def setting(self, service: str, name: str) -> str:
        """What ``service`` was started with. KeyError: it has no such setting; HarnessError: it runs elsewhere, or
        there is no such service."""
        if service not in self.stack.settings:
            running = self.service(service)
            raise HarnessError(f"{service} runs already at {running.url}: nothing is known of its settings")
        return self.stack.settings[service][name]

    def startup(self, service: str) -> Startup:
        """How ``service`` came up in this round. Raises HarnessError when it was not started in it."""
        if service not in self.startups:
            running = self.service(service)
            raise HarnessError(f"{service} runs at {running.url} and is not started in a round: no start-up to measure")
        return self.startups[service]

    def restart(self, service: str) -> Startup:
        """Stop ``service`` in order and start it again with the data it has left behind: a warm start. What comes after
        in this round meets the new process."""
        return self.stack.restart_warm(service)

    def started(
        self, service: str, changes: Mapping[str, object] | None = None, *, settled: bool = True
    ) -> contextlib.AbstractContextManager[tuple[RunningService, Startup]]:
        """Start another, fresh instance of ``service`` with this variant's settings and ``changes`` of them::

            with turn.started("backend", {"POOL_SIZE": 20}) as (backend, startup): ...

        The running one stays. It is stopped in order at the end of the block. ``settled=False``: its background work is
        not waited for. Raises HarnessError when it does not come up, or runs elsewhere.
        """
        return self.stack.another(service, changes or {}, settled=settled)

    @contextlib.contextmanager
    def timed(self, metric: Metric, cpu: Metric | None = None, of: str | None = None) -> Iterator[Timing]:
        """Record the seconds that the block takes as ``metric``, the processor seconds of service ``of`` as ``cpu``."""
        service = self.service(of) if of is not None else None
        timing = Timing()
        used = service.cpu_seconds() if service else None
        start = self.clock()
        yield timing
        if self.slowdown is not None and self.side == "after":
            judged = self.recorder.overridden(self.scenario, metric)
            self.slowdown.apply(self.scenario, judged, self.clock() - start, self.clock)
        timing.seconds = self.clock() - start
        used_after = service.cpu_seconds() if service else None
        self.record(metric, timing.seconds)
        if used is not None and used_after is not None:
            timing.cpu = used_after - used
            if cpu is not None:
                self.record(cpu, timing.cpu)

    def record(self, metric: Metric, value: float) -> None:
        """Record a value of ``metric`` in its base unit; ValueError when the metric cannot have it."""
        if not self.warmup:
            self._records.append(
                self.recorder.value(self.side, self.scenario, metric, round=self.round, pair=self.pair, value=value)
            )

    def predict(self, metric: Metric, low: float, high: float, about: str) -> None:
        """State that ``metric`` of this variant should lie in [low, high]; the report shows both side by side."""
        if not self.warmup:
            self._records.append(
                Predicted(self.side, Prediction(self.scenario, metric.name, float(low), float(high), about))
            )

    def trace(self, name: str, marks: Sequence[Mark]) -> None:
        """Keep what happened when in this turn, for a picture; the first pair of each round is kept."""
        if not self.warmup and self.pair == 0:
            self._records.append(Traced(self.side, Trace(self.scenario, name, self.round, tuple(marks))))

    def once(self, key: str, action: Callable[[], object]) -> None:
        """Do ``action`` the first time that this scenario asks for ``key`` on this variant, such as filling a table."""
        if (self.scenario, key) not in self.memory.done:
            self.memory.done[self.scenario, key] = action()

    def finish(self) -> bool:
        """Write what was recorded; whether a value was. The harness calls it after the scenario has returned."""
        self.recorder.write(*self._records)
        return any(isinstance(record, Value) for record in self._records)
