"""When requests start: a plan is segments of arrival rate, and from it follows every intended start. Pure.

The schedule is open-loop: it does not know of answers. A slow service meets the same starts as a fast one.
"""

import itertools
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from harness.errors import ExitCode, HarnessError

Arrivals = Literal["uniform", "poisson"]
T = TypeVar("T")

_ROUNDING = 1e-9
"""Starts; what sums of rate times seconds may be off."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time over which the rate is constant or changes linearly."""

    name: str
    seconds: float
    begin: float
    """Starts per second at its beginning."""
    end: float
    """Starts per second at its end."""

    def __post_init__(self) -> None:
        if not (0 < self.seconds < math.inf and 0 <= self.begin < math.inf and 0 <= self.end < math.inf):
            message = f"load segment {self.name!r}: seconds have to be above 0, rates 0 or more, all of them finite"
            raise HarnessError(message, ExitCode.USAGE)

    @property
    def starts(self) -> float:
        """How many starts are expected in it."""
        return (self.begin + self.end) / 2 * self.seconds

    def at(self, starts: float) -> float:
        """After how many seconds so many starts are expected: the root of begin·t + (end − begin)·t²/(2·seconds)."""
        slope = (self.end - self.begin) / self.seconds
        root = math.sqrt(max(self.begin**2 + 2 * slope * starts, 0.0))
        return min(2 * starts / (self.begin + root), self.seconds) if self.begin + root > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What load to put on a service."""

    segments: tuple[Segment, ...]
    arrivals: Arrivals = "uniform"
    """``uniform``: evenly spaced at each rate. ``poisson``: at random, independent of each other, as many users are."""
    seed: int = 0
    """Of random arrivals, and of which request comes when."""

    def __post_init__(self) -> None:
        names = [segment.name for segment in self.segments]
        if len(set(names)) < len(names):
            raise HarnessError(f"load plan: two segments have one name: {', '.join(names)}", ExitCode.USAGE)

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return sum(segment.seconds for segment in self.segments)

    def span(self, name: str) -> tuple[float, float]:
        """When a segment begins and ends, in seconds from the start. KeyError when there is none of that name."""
        begin = 0.0
        for segment in self.segments:
            if segment.name == name:
                return begin, begin + segment.seconds
            begin += segment.seconds
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Start:
    """One intended start."""

    number: int
    """From 0, over all workers."""
    at: float
    """Seconds from the start of the plan."""
    segment: str


def constant(rate: float, seconds: float, name: str = "constant") -> tuple[Segment, ...]:
    """The same rate all the time."""
    return (Segment(name, seconds, rate, rate),)


def soak(rate: float, seconds: float) -> tuple[Segment, ...]:
    """The same rate for long, in ten parts of equal length: ``soak 1`` … ``soak 10``, so that a drift can be seen."""
    return tuple(Segment(f"soak {part}", seconds / 10, rate, rate) for part in range(1, 11))


def steps(rates: Sequence[float], seconds: float) -> tuple[Segment, ...]:
    """One rate after the other, each for ``seconds``: ``step 1``, ``step 2``, …"""
    return tuple(Segment(f"step {number}", seconds, rate, rate) for number, rate in enumerate(rates, 1))


def ramp(begin: float, end: float, seconds: float) -> tuple[Segment, ...]:
    """From one rate to another, linearly."""
    return (Segment("ramp", seconds, begin, end),)


def spike(base: float, peak: float, *, before: float, seconds: float, after: float) -> tuple[Segment, ...]:
    """``base`` for ``before`` seconds, ``peak`` for ``seconds``, ``base`` again: ``before``, ``spike``, ``after``."""
    return (
        Segment("before", before, base, base),
        Segment("spike", seconds, peak, peak),
        Segment("after", after, base, base),
    )


def starts(plan: Plan) -> Iterator[Start]:
    """All intended starts, in order.

    Both kinds of arrivals are a unit-rate process on the axis "starts expected so far", brought to seconds by the
    inverse of the integrated rate (Lewis & Shedler 1979, for the random ones).
    """
    positions = _positions(plan)
    position = next(positions)
    number, passed, begin = 0, 0.0, 0.0
    for segment in plan.segments:
        while position < passed + segment.starts - _ROUNDING:
            yield Start(number, begin + segment.at(position - passed), segment.name)
            number, position = number + 1, next(positions)
        passed, begin = passed + segment.starts, begin + segment.seconds


def _positions(plan: Plan) -> Iterator[float]:
    if plan.arrivals == "uniform":
        return itertools.count(0.0, 1.0)
    draw = random.Random(plan.seed)  # noqa: S311 - a schedule, no secret
    return itertools.accumulate(draw.expovariate(1.0) for _ in itertools.count())


def share(items: Iterable[T], worker: int, workers: int) -> Iterator[T]:
    """What falls to one of several workers: every ``workers``-th, so that all together do exactly the whole."""
    return itertools.islice(items, worker, None, workers)


def planned(plan: Plan, segment: str | None = None) -> int:
    """How many starts the plan has, or one segment of it."""
    return sum(segment is None or start.segment == segment for start in starts(plan))
