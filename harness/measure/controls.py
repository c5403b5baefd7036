"""Control arms: comparisons whose answer is known, measured in every round beside the others.

A third stack, a second `before`, starts together with the two variants, in drawn order. Its front service and that of
`before` are then asked the same cheap request by turns: as it is (placebo, there is no difference), and with a known
slowdown on one of them (spike-in, there is one). Both come before the scenarios, while all processes are equally young.
"""

import http.client
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from harness.configuration.load import start_order
from harness.configuration.schema import System
from harness.errors import HarnessError
from harness.measure.http import Client
from harness.measure.scenario import Scenario
from harness.measure.slowdown import busy_wait
from harness.measure.stack import Stack
from harness.measure.startup import Startup
from harness.measure.turn import Turn
from harness.model import PLACEBO, SPIKE_IN, SPIKE_SIZE, Metric

PAIRS = 40
"""Pairs of requests in each arm and round, unless they take longer than ``SECONDS``."""
SECONDS = 1.0
"""After so long an arm begins no other pair in this round. One pair is always measured."""
DEADLINE = 10.0
"""Seconds for one request."""
LATENCY = Metric("latency", "s", gated=False, about="A cheap request, asked of `before` and of a second `before`.")


@dataclass(frozen=True, slots=True)
class Workload:
    """The request that the arms ask."""

    service: str
    path: str


def workload(system: System, file: Path) -> Workload | None:
    """The path ``ready`` of the front of the system, the round's service that starts last; None when there is none.

    ``ready`` is what the harness asks anyway until a service has come up, dozens of times. Asking it some more changes
    nothing that a scenario could see; a real request might, when it fills a cache.
    """
    fresh = [name for name in start_order(system, file) if system.services[name].lifetime == "round"]
    return Workload(fresh[-1], system.services[fresh[-1]].ready) if fresh else None


@dataclass(slots=True)
class ControlArms:
    """Both arms; a second `before` stands in the place of `after`."""

    stack: Stack
    workload: Workload
    _seen: list[float] = field(default_factory=list)
    """Seconds of this round's placebo requests."""

    def restart(self) -> Mapping[str, Startup]:
        """Start the second `before` afresh."""
        self._seen.clear()
        try:
            return self.stack.restart()
        except HarnessError as error:
            hint = "the second `before` of the control arms did not start (--no-controls measures without it)"
            raise HarnessError(f"{hint}: {error}", error.code) from None

    def scenarios(self) -> tuple[Scenario, Scenario]:
        """The placebo and the spike-in, which needs the placebo's values of the same round."""
        return Scenario(PLACEBO, self._placebo), Scenario(SPIKE_IN, self._spike_in)

    def ask_too(self, other: Stack) -> None:
        """Ask the variant that is in no arm the same, so that both variants have done the same work."""
        with suppress(OSError, http.client.HTTPException, HarnessError):
            other.service(self.workload.service).get(self.workload.path, deadline=DEADLINE)

    def _placebo(self, turn: Turn) -> None:
        client = turn.service(self.workload.service)
        with turn.timed(LATENCY) as timing:
            self._ask(client)
        self._seen.append(timing.seconds)

    def _spike_in(self, turn: Turn) -> None:
        client = turn.service(self.workload.service)
        extra = SPIKE_SIZE * median(self._seen) if turn.side == "after" else 0.0
        with turn.timed(LATENCY):
            self._ask(client)
            busy_wait(extra, turn.clock)

    def _ask(self, client: Client) -> None:
        answer = client.get(self.workload.path, deadline=DEADLINE)
        if answer.status != http.client.OK:
            raise HarnessError(f"GET {self.workload.path} got status {answer.status}: {answer.text[:200]!r}")
