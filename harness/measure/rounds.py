"""Interleaved measuring: in every round both variants start afresh, then each scenario takes turns on both."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException

from harness.files.records import EngineTold, Failed, Looked, Noted, RoundDone, RoundDropped
from harness.masking import redact
from harness.measure import controls
from harness.measure.controls import ControlArms
from harness.measure.disturbance import Snapshot, disturbance, snapshot
from harness.measure.order import generator, side_order
from harness.measure.recorder import Recorder
from harness.measure.scenario import Scenario
from harness.measure.slowdown import Slowdown
from harness.measure.stack import Stack
from harness.measure.startup import Startup
from harness.measure.turn import Clock, Memory, Turn
from harness.model import SIDES, Failure, Side

DYING = 0.5
"""Seconds that a service may take to end after its connections broke."""
MAX_FAILURES = 3
"""A scenario that has failed so often on one variant is not asked again."""
MAX_REPEATS = 5
"""So many disturbed rounds are dropped and measured again. Later ones count: a machine that is always held back must
not keep a session from ending, nor may a variant that provokes its own throttling have that forgotten."""
CONTROL = "control"

Startups = Mapping[Side, Mapping[str, Startup]]
"""How the services of both sides came up in a round."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where measuring stands."""

    round: int
    """Rounds finished that count."""
    rounds: int
    """Rounds at most of the scenarios that are still open."""
    open: int
    scenarios: int
    """How many scenarios go on, of how many."""
    doing: str
    elapsed: float
    """Seconds since measuring began."""
    left: float | None
    """Seconds that the rest takes at most, if each round takes as long as the last; None before the first has ended."""
    failed: bool = False
    """Whether ``doing`` says why measuring ends: to be told at once, whatever was told last."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """When to stop before every scenario has had its most rounds."""

    still_open: Callable[[int], Collection[str]]
    """After so many rounds: the scenarios whose verdict more rounds could still change."""
    time_limit: float = float("inf")
    """Seconds of measuring after which no further stretch between two looks is begun."""


@dataclass(slots=True)
class Rounds:
    """One interleaved measurement of several scenarios on the stacks of both variants."""

    stacks: Mapping[Side, Stack]
    scenarios: Sequence[Scenario]
    recorder: Recorder
    seed: int
    tell: Callable[[Progress], None]
    stopping: Stopping
    arms: ControlArms | None = None
    slowdown: Slowdown | None = None
    """For a self-test: slows `after` down in every scenario."""
    clock: Clock = time.monotonic
    machine: Callable[[], Snapshot] = snapshot
    errors: dict[str, Exception] = field(default_factory=dict)
    """Scenario -> the first exception that it raised."""
    _asked: set[str] = field(default_factory=set)
    _heard: set[str] = field(default_factory=set)
    """Scenarios that took turns, and those that recorded a value in one."""
    _failed: Counter[tuple[str, Side]] = field(default_factory=Counter)
    _memory: dict[Side, Memory] = field(default_factory=lambda: {side: Memory() for side in SIDES})
    _closed: set[str] = field(default_factory=set)
    _dropped: int = 0
    _begun: float = 0.0
    _round_seconds: float | None = None
    """How long the last round took."""

    def run(self, first: int = 0, done: int = 0, looked: Looked | None = None) -> None:
        """Measure until every scenario is decided or has its rounds.

        ``first`` is the number of the first round, ``done`` how many rounds an earlier process has finished, ``looked``
        its last look. A service that dies ends it with a HarnessError.
        """
        self._begun = self.clock()
        if looked is not None:
            self._closed = {s.id for s in self.scenarios if s.may_end(looked.rounds)} - set(looked.going_on)
        if looked is None or looked.rounds < done:
            self._look(done)
        self._warm_up(done)
        while due := self._due(done):
            if self._round(first, done, due):
                done += 1
                self._look(done)
            first += 1
        self._miss_the_silent()

    def _miss_the_silent(self) -> None:
        """A scenario that recorded nothing was not measured: that must not look like a pass."""
        for name in sorted(self._asked - self._heard):
            if name not in self.errors:
                self.errors[name] = RuntimeError("the scenario recorded no value")
                self.recorder.write(Failed(None, Failure(name, -1, "the scenario recorded no value")))

    def _warm_up(self, done: int) -> None:
        """One start of each variant that does not count: the very first one compiles files and fills caches."""
        for side in side_order(self.seed, "warm-up", done):
            self._tell(done, f"first start of {side}, not counted")
            self.stacks[side].restart()
            for service, engine in self.stacks[side].engines().items():
                self.recorder.write(EngineTold(side, service, engine))
            self.stacks[side].end_round()
        if self.arms is not None:
            self._tell(done, "first start of the control arms, not counted")
            self.arms.restart()
            self.arms.stack.end_round()

    def _due(self, done: int) -> list[Scenario]:
        return [s for s in self.scenarios if s.rounds > done and s.id not in self._closed and not self._given_up(s)]

    def _given_up(self, scenario: Scenario) -> bool:
        return any(self._failed[scenario.id, side] >= MAX_FAILURES for side in SIDES)

    def _look(self, done: int) -> None:
        """Go on with what more rounds can still decide, as far as the time allows."""
        looking = {s.id for s in self._due(done) if s.may_end(done)}
        if not looking:
            return
        going_on = looking & set(self.stopping.still_open(done))
        self._closed |= looking - going_on
        if going_on and (note := self._no_time_for_more(done, len(going_on))):
            self._closed |= going_on
            going_on = set()
            self.recorder.write(Noted(note))
        self.recorder.write(Looked(done, tuple(sorted(going_on))))
        self.recorder.sync()

    def _no_time_for_more(self, done: int, undecided: int) -> str:
        """Why the next stretch is not begun; empty when it is."""
        stretch = min(look for s in self._due(done) for look in s.looks if look > done) - done
        needed = stretch * (self._round_seconds or 0.0)
        if self.clock() - self._begun + needed <= self.stopping.time_limit:
            return ""
        scenarios = "1 scenario" if undecided == 1 else f"{undecided} scenarios"
        return (
            f"Stopped after {done} rounds with {scenarios} undecided: {stretch} more rounds would have taken about "
            f"{needed:.0f} s, beyond the time limit of {self.stopping.time_limit:g} s."
        )

    def _round(self, number: int, done: int, due: list[Scenario]) -> bool:
        """Measure a round; whether it counts."""
        begun, before = self.clock(), self.machine()
        errors, failed, heard = dict(self.errors), self._failed.copy(), set(self._heard)
        self._measure(number, done, due)
        self._round_seconds = self.clock() - begun
        why = disturbance(before, self.machine())
        dropped = bool(why) and self._dropped < MAX_REPEATS
        if dropped:
            self._dropped += 1
            # What went wrong in it is the machine's doing, as its values are; the journal keeps both.
            self.errors, self._failed, self._heard = errors, failed, heard
        elif why:
            self.recorder.write(Noted(f"Counted although disturbed, {MAX_REPEATS} rounds having been repeated: {why}."))
        self.recorder.write(RoundDropped(number, why) if dropped else RoundDone(number, self._round_seconds))
        self.recorder.sync()
        return not dropped

    def _measure(self, number: int, done: int, due: list[Scenario]) -> None:
        startups = self._start(number, done)
        generator(self.seed, "scenarios", number).shuffle(due)
        for scenario in due:
            self._tell(done, scenario.id)
            self._turns(number, scenario, startups)
        for side in SIDES:
            self.stacks[side].check_alive()
            self.stacks[side].end_round()

    def _start(self, number: int, done: int) -> Startups:
        """Start everything afresh, in drawn order, and measure the control arms while it is."""
        order: list[Side | None] = [*side_order(self.seed, "start", number)]
        if self.arms is not None:
            order.insert(generator(self.seed, CONTROL, number).randrange(len(SIDES) + 1), None)
        startups: dict[Side, Mapping[str, Startup]] = {}
        control: Mapping[str, Startup] = {}
        for side in order:
            self._tell(done, f"starting {side or CONTROL}")
            if side is not None:
                startups[side] = self.stacks[side].restart()
            elif self.arms is not None:
                control = self.arms.restart()
        if self.arms is not None:
            self._tell(done, "control arms")
            self._control(self.arms, number, {"before": startups["before"], "after": control})
        return startups

    def _control(self, arms: ControlArms, number: int, startups: Startups) -> None:
        stacks: Mapping[Side, Stack] = {"before": self.stacks["before"], "after": arms.stack}
        for scenario in arms.scenarios():
            end = self.clock() + controls.SECONDS
            for pair in range(controls.PAIRS):
                if self._given_up(scenario) or (pair and self.clock() > end):
                    break
                for side in side_order(self.seed, scenario.id, number * controls.PAIRS + pair):
                    self._turn(number, pair, scenario, stacks[side], startups[side])
                arms.ask_too(self.stacks["after"])
        self.recorder.sync()
        arms.stack.check_alive()
        arms.stack.end_round()

    def _turns(self, number: int, scenario: Scenario, startups: Startups) -> None:
        for turn in range(-scenario.warmup, scenario.pairs):
            index = number * (scenario.pairs + scenario.warmup) + turn + scenario.warmup
            for side in side_order(self.seed, scenario.id, index):
                self._turn(number, turn, scenario, self.stacks[side], startups[side], self.slowdown)
                self.recorder.sync()

    def _turn(
        self,
        number: int,
        pair: int,
        scenario: Scenario,
        stack: Stack,
        startups: Mapping[str, Startup],
        slowdown: Slowdown | None = None,
    ) -> None:
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
            variants={name: self.stacks[name].variant for name in SIDES},
            clock=self.clock,
            slowdown=slowdown,
        )
        self._asked.add(scenario.id)
        try:
            scenario.function(turn=turn, **scenario.arguments)
            if turn.finish():
                self._heard.add(scenario.id)
        except Exception as error:  # noqa: BLE001 - whatever a scenario raises is its result, kept and reported
            self._note(scenario, side, number, error, stack)

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
        due = self._due(done)
        rounds = max((s.rounds for s in due or self.scenarios), default=0)
        left = None if self._round_seconds is None else self._round_seconds * (rounds - done)
        elapsed = self.clock() - self._begun
        self.tell(Progress(done, rounds, len(due), len(self.scenarios), doing, elapsed, left))
