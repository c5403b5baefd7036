"""Measures what a retry policy does: calls to the service while the provider plays what was drawn from the mix."""

import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from harness.configuration.schema import TuneRetry
from harness.errors import HarnessError
from harness.measure.http import Client
from harness.measure.order import generator
from harness.measure.service import RunningService
from harness.measure.stack import ServiceStack
from harness.retry import RetryPolicy
from harness.tune.candidates import Candidate, Confirmed
from harness.tune.faults import Fate, FaultMix
from harness.tune.measuring import Series, estimate, over_rounds
from harness.tune.retry_model import ANSWERED, ATTEMPTS, OBJECTIVES, WAITING, jitter_of, replay

_WARM = 5
"""Calls before each trial that do not count."""
_REPLAYS = 50
"""Of each call, with other jitter."""
_DRAWN = "drawn "
"""Before the name of an objective: what the model says of the calls that were drawn."""
_PATIENCE = 120.0


@dataclass(frozen=True)
class RetryTrial:
    """``calls`` calls to each candidate in each round: all candidates meet the same faults."""

    subject: TuneRetry
    policies: Sequence[RetryPolicy]
    mix: FaultMix
    calls: int
    scale: float
    """Of all waits and time limits."""
    seed: int

    def __call__(self, stack: ServiceStack, running: RunningService, index: int, number: int) -> Series:
        """Series in seconds that are not shortened."""
        provider = stack.service(self.subject.provider)
        policy = self.policies[index]
        found: dict[str, list[float]] = {prefix + o.name: [] for o in OBJECTIVES for prefix in ("", _DRAWN)}
        for _ in range(_WARM):
            self._plain(running, provider)
        for call in range(self.calls):
            fate = self.mix.draw(generator(self.seed, "fate", number, call))
            own = self._plain(running, provider)
            provider.delete("/calls")
            with self._playing(provider, fate):
                seconds, answered = self._ask(running)
            attempts = provider.get("/calls").json()["count"]
            found[WAITING.name].append(seconds / self.scale)
            found[ANSWERED.name].append(float(answered))
            found[ATTEMPTS.name].append(attempts)
            for name, value in self._drawn(policy, fate, own, number, call).items():
                found[_DRAWN + name].append(value)
        return found

    def _drawn(self, policy: RetryPolicy, fate: Fate, own: float, number: int, call: int) -> Mapping[str, float]:
        jitter = jitter_of(policy, generator(self.seed, "jitter", number, call))
        outcomes = [replay(policy, fate, jitter) for _ in range(_REPLAYS)]
        attempts = statistics.fmean(outcome.attempts for outcome in outcomes)
        return {
            WAITING.name: statistics.fmean(outcome.seconds for outcome in outcomes) + attempts * own / self.scale,
            ANSWERED.name: statistics.fmean(outcome.answered for outcome in outcomes),
            ATTEMPTS.name: attempts,
        }

    def _plain(self, running: RunningService, provider: RunningService) -> float:
        """Seconds of a call that meets nothing: what an attempt itself takes on this machine, just now."""
        _script(provider, [])
        return self._ask(running)[0]

    def _ask(self, running: RunningService) -> tuple[float, bool]:
        """Seconds of one call, and whether the provider answered it."""
        began = time.monotonic()
        answer = running.post(self.subject.path, self.subject.body, deadline=_PATIENCE)
        seconds = time.monotonic() - began
        if answer.status not in (200, 500, 502, 503, 504):
            raise HarnessError(f"{running.name}: {self.subject.path} answers {answer.status}: {answer.text[:200]}")
        good = answer.status == 200
        return seconds, good and answer.json().get(self.subject.outcome) == self.subject.answered

    @contextmanager
    def _playing(self, provider: RunningService, fate: Fate) -> Iterator[None]:
        """Have the provider play ``fate`` from now on; an outage that lasts a time ends by itself within the block."""
        steps = [fault.step(self.scale) for fault in fate.faults]
        if fate.outage.seconds == 0:
            _script(provider, ["500"] * fate.outage.attempts + steps)
            yield
            return
        _script(provider, [], then="500")
        with Client(provider.host, provider.port) as other:
            over = threading.Timer(fate.outage.seconds * self.scale, _script, (other, steps))
            over.start()
            try:
                yield
            finally:
                over.cancel()
                over.join()


def _script(provider: Client, steps: Sequence[object], then: str = "ok") -> None:
    answer = provider.put("/script", {"steps": list(steps), "then": then})
    if answer.status != 200:
        raise HarnessError(f"the provider refuses its script: {answer.text[:200]}")


def confirmed(candidate: Candidate, rounds: Sequence[Series]) -> Confirmed:
    """What was measured of a candidate, beside what the model says of the same draws. Pure."""
    measured, drawn, gap = {}, {}, {}
    for objective in OBJECTIVES:
        seen, said = ([series[prefix + objective.name] for series in rounds] for prefix in ("", _DRAWN))
        measured[objective.name] = estimate(objective, seen)
        drawn[objective.name] = statistics.fmean(value for series in said for value in series)
        gaps = [statistics.fmean(a) - statistics.fmean(b) for a, b in zip(seen, said, strict=True)]
        gap[objective.name] = over_rounds(gaps, sum(map(len, seen)))
    return Confirmed(candidate, measured, drawn, gap)
