"""Measures what a retry policy does: calls to the service while the provider plays what was drawn from the mix."""

import http.client
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
from harness.tune.estimates import DRAWN, Series
from harness.tune.faults import Fate
from harness.tune.retry_model import ANSWERED, ATTEMPTS, OBJECTIVES, WAITING, jitter_of, replay
from harness.tune.subject import fields_of

_WARM = 5
"""Calls before each trial that do not count."""
_REPLAYS = 50
"""Of each call, with other jitter."""
_PATIENCE = 60.0
"""Seconds that a call may take beyond what its policy takes at most."""


@dataclass(frozen=True)
class RetryTrial:
    """The same calls to each candidate: all of them meet the same faults."""

    subject: TuneRetry
    policies: Sequence[RetryPolicy]
    fates: Sequence[Sequence[Fate]]
    """In each round, of each call."""
    scale: float
    """Of all waits and time limits."""
    seed: int

    def __call__(self, stack: ServiceStack, running: RunningService, index: int, number: int) -> Series:
        """Series in seconds that are not shortened."""
        provider = stack.service(self.subject.provider)
        policy = self.policies[index]
        found: dict[str, list[float]] = {prefix + o.name: [] for o in OBJECTIVES for prefix in ("", DRAWN)}
        for _ in range(_WARM):
            self._plain(running, provider, policy)
        for call, fate in enumerate(self.fates[number]):
            own = self._plain(running, provider, policy)
            provider.delete("/calls")
            with self._playing(provider, fate):
                seconds, answered = self._ask(running, policy)
            attempts = provider.get("/calls").json()["count"]
            found[WAITING.name].append(seconds / self.scale)
            found[ANSWERED.name].append(float(answered))
            found[ATTEMPTS.name].append(attempts)
            for name, value in self._drawn(policy, fate, own, number, call).items():
                found[DRAWN + name].append(value)
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

    def _plain(self, running: RunningService, provider: RunningService, policy: RetryPolicy) -> float:
        """Seconds of a call that meets nothing: what an attempt itself takes on this machine, just now."""
        _script(provider, [])
        return self._ask(running, policy)[0]

    def _ask(self, running: RunningService, policy: RetryPolicy) -> tuple[float, bool]:
        """Seconds of one call, and whether the provider answered it."""
        most = policy.max_attempts * policy.timeout + policy.waiting(None)[1]
        began = time.monotonic()
        answer = running.post(self.subject.path, self.subject.body, deadline=_PATIENCE + most * self.scale)
        seconds = time.monotonic() - began
        if answer.status not in (200, 500, 502, 503, 504):
            raise HarnessError(f"{running.name}: {self.subject.path} answers {answer.status}: {answer.text[:200]}")
        if answer.status != http.client.OK:
            return seconds, False
        return seconds, fields_of(answer, self.subject.path).get(self.subject.outcome) == self.subject.answered

    @contextmanager
    def _playing(self, provider: RunningService, fate: Fate) -> Iterator[None]:
        """Have the provider play ``fate`` from now on; an outage that lasts a time ends by itself within the block."""
        steps = [fault.step(self.scale) for fault in fate.faults]
        if fate.outage.seconds == 0:
            _script(provider, ["500"] * fate.outage.attempts + steps)
            yield
            return
        _script(provider, [], then="500")
        wrong: list[Exception] = []

        def end(other: Client) -> None:
            try:
                _script(other, steps)
            except (OSError, http.client.HTTPException, HarnessError) as error:
                wrong.append(error)

        with Client(provider.host, provider.port) as other:
            over = threading.Timer(fate.outage.seconds * self.scale, end, (other,))
            over.start()
            try:
                yield
            finally:
                over.cancel()
                over.join()
        if wrong:
            raise wrong[0]


def _script(provider: Client, steps: Sequence[object], then: str = "ok") -> None:
    answer = provider.put("/script", {"steps": list(steps), "then": then})
    if answer.status != 200:
        raise HarnessError(f"the provider refuses its script: {answer.text[:200]}")
