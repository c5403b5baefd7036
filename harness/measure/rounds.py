"""Interleaved measuring: in every round both variants start afresh, then each scenario takes turns on both."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from harness.files.records import Failed, RoundDone
from harness.masking import redact
from harness.measure.order import generator, side_order
from harness.measure.recorder import Recorder
from harness.measure.stack import Stack
from harness.measure.startup import Startup
from harness.measure.turn import Clock, Memory, Turn
from harness.model import SIDES, Failure, Side

DYING = 0.5
"""Seconds that a service may take to end after its connections broke."""
MAX_FAILURES = 3
"""A scenario that has failed so often on one variant is not asked again."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario as collected: what to call and how often."""

    id: str
    """``suite/name``, with parameters in brackets."""
    function: Callable[..., object]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    rounds: int = 14
    pairs: int = 1
    """Turns of each variant in a round, interleaved."""
    warmup: int = 0
    """Turns of each variant in a round before those, not recorded."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where measuring stands."""

    round: int
    """Rounds finished."""
    rounds: int
    doing: str
    elapsed: float
    """Seconds since measuring began."""
    left: float | None
    """Seconds that the rest will take if it goes on like this; None before the first round has ended."""


@dataclass(slots=True)
class Rounds:
    """One interleaved measurement of several scenarios on the stacks of both variants."""

    stacks: Mapping[Side, Stack]
    scenarios: Sequence[Scenario]
    recorder: Recorder
    seed: int
    tell: Callable[[Progress], None]
    clock: Clock = time.monotonic
    errors: dict[str, Exception] = field(default_factory=dict)
    """Scenario -> the first exception that it raised."""
    _asked: set[str] = field(default_factory=set)
    _heard: set[str] = field(default_factory=set)
    """Scenarios that took turns, and those that recorded a value in one."""
    _failed: Counter[tuple[str, Side]] = field(default_factory=Counter)
    _memory: dict[Side, Memory] = field(default_factory=lambda: {side: Memory() for side in SIDES})
    _begun: float = 0.0
    _already: int = 0

    def run(self, first: int = 0, done: int = 0) -> None:
        """Measure until every scenario has its rounds; ``first`` is the number of the first round, ``done`` how many
        rounds an earlier session has finished. A service that dies ends it with a HarnessError."""
        self._begun, self._already = self.clock(), done
        self._warm_up()
        while due := self._due(done):
            self._round(first, done, due)
            self.recorder.write(RoundDone(first))
            self.recorder.sync()
            first, done = first + 1, done + 1
        self._miss_the_silent()

    def _miss_the_silent(self) -> None:
        """A scenario that recorded nothing was not measured: that must not look like a pass."""
        for name in sorted(self._asked - self._heard):
            if name not in self.errors:
                self.errors[name] = RuntimeError("the scenario recorded no value")
                self.recorder.write(Failed(None, Failure(name, -1, "the scenario recorded no value")))

    def _warm_up(self) -> None:
        """One start of each variant that does not count: the very first one compiles files and fills caches."""
        for side in side_order(self.seed, "warm-up", self._already):
            self._tell(self._already, f"first start of {side}, not counted")
            self.stacks[side].restart()
            self.stacks[side].end_round()

    def _due(self, done: int) -> list[Scenario]:
        return [s for s in self.scenarios if s.rounds > done and not self._given_up(s)]

    def _given_up(self, scenario: Scenario) -> bool:
        return any(self._failed[scenario.id, side] >= MAX_FAILURES for side in SIDES)

    def _round(self, number: int, done: int, due: list[Scenario]) -> None:
        startups: dict[Side, Mapping[str, Startup]] = {}
        for side in side_order(self.seed, "start", number):
            self._tell(done, f"starting {side}")
            startups[side] = self.stacks[side].restart()
        generator(self.seed, "scenarios", number).shuffle(due)
        for scenario in due:
            self._tell(done, scenario.id)
            self._turns(number, scenario, startups)
        for side in SIDES:
            self.stacks[side].check_alive()
            self.stacks[side].end_round()

    def _turns(self, number: int, scenario: Scenario, startups: Mapping[Side, Mapping[str, Startup]]) -> None:
        for turn in range(-scenario.warmup, scenario.pairs):
            index = number * (scenario.pairs + scenario.warmup) + turn + scenario.warmup
            for side in side_order(self.seed, scenario.id, index):
                self._turn(number, turn, scenario, self.stacks[side], startups[side])

    def _turn(self, number: int, pair: int, scenario: Scenario, stack: Stack, startups: Mapping[str, Startup]) -> None:
        side = stack.variant.name
        turn = Turn(
            scenario=scenario.id,
            stack=stack,
            round=number,
            pair=pair,
            warmup=pair < 0,
            random=generator(self.seed, scenario.id, number, pair),
            startups=startups,
            recorder=self.recorder,
            memory=self._memory[side],
            clock=self.clock,
        )
        self._asked.add(scenario.id)
        try:
            scenario.function(turn=turn, **scenario.arguments)
            if turn.finish():
                self._heard.add(scenario.id)
        except Exception as error:  # noqa: BLE001 - whatever a scenario raises is its result, kept and reported
            self._note(scenario, side, number, error, stack)
        self.recorder.sync()

    def _note(self, scenario: Scenario, side: Side, number: int, error: Exception, stack: Stack) -> None:
        """A scenario failed: because a service died (that ends the session), or by itself (that is written down)."""
        stack.check_alive()
        if isinstance(error, OSError | HTTPException):
            time.sleep(DYING)  # a connection breaks before the process that held it is seen to have ended
            stack.check_alive()
        self._failed[scenario.id, side] += 1
        self.errors.setdefault(scenario.id, error)
        message = redact(f"{side}: {type(error).__name__}: {error}")[:2000]
        self.recorder.write(Failed(side, Failure(scenario.id, number, message)))

    def _tell(self, done: int, doing: str) -> None:
        elapsed = self.clock() - self._begun
        rounds = max((s.rounds for s in self.scenarios), default=0)
        here = done - self._already
        left = elapsed / here * (rounds - done) if here else None
        self.tell(Progress(done, rounds, doing, elapsed, left))
