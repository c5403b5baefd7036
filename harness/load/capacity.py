"""The highest rate at which a service keeps a latency limit: doubling, then bisection, over measured probes.

The decisions are pure: from what was probed so far follows what to probe next, and what is known at the end. Bisection
is in the logarithm, as rates matter by their ratio.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Probed = Literal["kept", "broken", "generator"]
"""``generator``: the generator was the limit, so nothing is known of the service at that rate."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What one load at one rate showed."""

    rate: float
    result: Probed


@dataclass(frozen=True, slots=True)
class Search:
    """Where to look."""

    begin: float
    """The first rate."""
    most: float
    """No rate above it is tried."""
    precision: float = 0.1
    """How far apart the highest kept and the lowest broken rate may be at the end; relative."""
    least: float = 1.0
    """No rate below it is tried."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What was found."""

    rate: float
    """The highest rate that kept the limit; 0 when none did."""
    at_least: bool
    """True: no higher rate was seen to break it."""
    why: str
    """Why the search ended, for a reader."""


def next_rate(search: Search, probes: Sequence[Probe]) -> float | None:
    """The rate to try next; None when enough is known."""
    if not probes:
        return min(search.begin, search.most)
    kept, broken = _bracket(probes)
    limited = min((probe.rate for probe in probes if probe.result == "generator"), default=math.inf)
    if kept == 0.0:
        lower = min(broken, limited) / 2
        return lower if lower >= search.least else None
    if limited < math.inf and broken == math.inf:
        return None
    if broken == math.inf:
        return None if kept >= search.most else min(2 * kept, search.most)
    return math.sqrt(kept * broken) if broken > kept * (1 + search.precision) and limited > broken else None


def found(search: Search, probes: Sequence[Probe]) -> Capacity:
    """What the probes say."""
    kept, broken = _bracket(probes)
    if any(probe.result == "generator" and probe.rate < broken for probe in probes):
        return Capacity(kept, at_least=True, why="the load generator is the limit: the service may do more")
    if broken < math.inf:
        low = f"{kept:.4g}/s kept the limit" if kept else "no rate kept the limit"
        return Capacity(kept, at_least=False, why=f"{low}, {broken:.4g}/s did not")
    return Capacity(kept, at_least=True, why=f"the limit was kept up to {kept:.4g}/s, and no more was asked for")


def find(search: Search, probe: Callable[[float], Probed]) -> Capacity:
    """Search with ``probe``, which puts a rate on the service and says what came of it."""
    probes: list[Probe] = []
    while (rate := next_rate(search, probes)) is not None:
        probes.append(Probe(rate, probe(rate)))
    return found(search, probes)


def _bracket(probes: Sequence[Probe]) -> tuple[float, float]:
    """The highest kept rate below the lowest broken one (0: none), and the lowest broken one (infinity: none)."""
    broken = min((probe.rate for probe in probes if probe.result == "broken"), default=math.inf)
    return max((p.rate for p in probes if p.result == "kept" and p.rate < broken), default=0.0), broken
