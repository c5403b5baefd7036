"""What a retry policy does to calls under a stated mix of faults, and which policies are worth having. Pure.

``predict`` is exact; ``replay`` is one call, step by step, from which quantiles are simulated and what is measured is
held against. Times are seconds, not shortened. What an attempt itself takes (``ok`` and errors) counts as nothing.
"""

import random
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

from harness.model import Metric
from harness.retry import Distribution, RetryPolicy
from harness.tune.faults import Fate, FaultMix, Jitter, Outage

WAITING = Metric("waiting", "s", about="Time that a call takes: waits between attempts, time-outs, slow answers.")
ANSWERED = Metric("answered", "1", better="higher", kind="rate", about="Calls that got a good answer.")
ATTEMPTS = Metric("attempts", "1", about="Attempts of a call: what reaches the provider for each (amplification).")
OBJECTIVES = (WAITING, ANSWERED, ATTEMPTS)

SIMULATED = 20_000
"""Calls from which a quantile is taken."""
_ATTEMPTS = (1, 2, 3, 4, 5, 6)
_BASES = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
_FACTORS = (1.0, 1.5, 2.0, 3.0)
_CAPS = (5.0, 15.0, 30.0)
_TIMEOUTS = (5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 90.0)
_JITTERS = ((0.0, 0.0), (0.1, 0.3), (0.0, 1.0))
_ABOVE = 1.1
"""A time limit worth trying lies so much above each slow but good answer of the mix."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call."""

    answered: bool
    attempts: int
    seconds: float


def predict(policy: RetryPolicy, mix: FaultMix) -> dict[str, float]:
    """The mean of each objective: exact.

    Attempt k is reached by the calls whose attempts before it all failed. In an outage of T seconds attempt k fails
    with the probability that the waits before it add up to less than T, which ``Distribution`` knows exactly.
    """
    failed = sum(share for share, fault in mix.faults if not fault.succeeds(policy.timeout))
    lasting = sum(share * fault.lasts(policy.timeout) for share, fault in mix.faults)
    waits = [wait * (1 + (policy.jitter_low + policy.jitter_high) / 2) for wait in policy.nominal(policy.max_attempts)]
    seconds = attempts = lost = 0.0
    for likely, outage in mix.outages:
        reached = likely
        for k in range(policy.max_attempts):
            down = min(reached, likely * _down(policy, outage, k))
            attempts += reached
            seconds += (reached - down) * lasting
            reached = down + (reached - down) * failed
            if k + 1 < policy.max_attempts:
                seconds += reached * waits[k]
        lost += reached
    return {WAITING.name: seconds, ANSWERED.name: 1 - lost, ATTEMPTS.name: attempts}


def _down(policy: RetryPolicy, outage: Outage, k: int) -> float:
    """The probability that attempt ``k`` (from 0) of a call that meets ``outage`` fails by it, like all before it."""
    if k < outage.attempts:
        return 1.0
    return _below(replace(policy, timeout=1.0, max_attempts=k + 1), outage.seconds) if outage.seconds > 0 else 0.0


@lru_cache(maxsize=20_000)
def _below(policy: RetryPolicy, seconds: float) -> float:
    waiting: Distribution = policy.total_waiting(None)
    least, most = waiting.support
    if least == most:
        return float(least < seconds)
    return waiting.cdf(seconds)


def replay(policy: RetryPolicy, fate: Fate, jitter: Jitter) -> Outcome:
    """One call that meets ``fate``; ``jitter`` draws the factor of each wait."""
    seconds, used = 0.0, 0
    for attempt, wait in enumerate(policy.nominal(policy.max_attempts)):
        if not fate.outage.hits(attempt, seconds):
            fault = fate.faults[used]
            used += 1
            seconds += fault.lasts(policy.timeout)
            if fault.succeeds(policy.timeout):
                return Outcome(answered=True, attempts=attempt + 1, seconds=seconds)
        if attempt + 1 < policy.max_attempts:
            seconds += wait * jitter()
    return Outcome(answered=False, attempts=policy.max_attempts, seconds=seconds)


def jitter_of(policy: RetryPolicy, generator: random.Random) -> Jitter:
    """Draws from what the policy says."""
    return lambda: 1 + generator.uniform(policy.jitter_low, policy.jitter_high)


def simulated(policy: RetryPolicy, mix: FaultMix, seed: int, calls: int = SIMULATED) -> list[Outcome]:
    """So many independent calls."""
    generator = random.Random(seed)  # noqa: S311 - a simulation
    jitter = jitter_of(policy, generator)
    return [replay(policy, mix.draw(generator), jitter) for _ in range(calls)]


def slow_tail(policy: RetryPolicy, mix: FaultMix, seed: int) -> float:
    """The time below which 95 % of the calls stay, from a simulation of SIMULATED calls."""
    return statistics.quantiles((call.seconds for call in simulated(policy, mix, seed)), n=20)[-1]


def grid(mix: FaultMix, jitters: Sequence[tuple[float, float]], timeouts: Iterable[float] = ()) -> list[RetryPolicy]:
    """Every policy worth trying under ``mix``; those that wait alike only once.

    ``timeouts`` are tried besides those of the grid, as are some just above each slow answer of the mix.
    """
    above = [round(f.seconds * _ABOVE, 1) for _, f in mix.faults if f.good and f.seconds > 0]
    limits = sorted({*_TIMEOUTS, *above, *timeouts})
    alike: dict[object, RetryPolicy] = {}
    for attempts, base, factor, cap, timeout, (low, high) in product(
        _ATTEMPTS, _BASES, _FACTORS, _CAPS, limits, jitters
    ):
        policy = RetryPolicy(attempts, base, factor, cap, timeout, low, high)
        alike.setdefault((attempts, timeout, low, high, policy.nominal(attempts - 1)), policy)
    return list(alike.values())


def jitters(*, settable: bool, fixed: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """The jitters to try: those of the grid where the service has settings for them, else what it does."""
    return _JITTERS if settable else (fixed,)
