"""What a load showed, from the records of its requests. Pure.

Latency counts from the intended start, so that a service that makes the generator wait cannot hide it (coordinated
omission). Failures stand apart: a refused connection is fast and no answer. What was in flight at the end counts in
the quantiles with its age, which is the least that it takes.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.load.plan import Plan, planned
from harness.load.records import Record

LATE = 0.010
"""Seconds by which a start may be late and still counts as made: about what a busy machine takes to wake a process."""
SHORTFALL = 0.01
"""The share of starts that may be late or missing before a result says nothing of the service."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of the latency, in seconds."""

    seconds: float
    at_least: bool
    """True: some that were unanswered at the end may have taken longer than this, and so may the quantile be."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole load, or one segment of it."""

    planned: int
    """Starts that the plan has."""
    seconds: float
    """Its length by the plan."""
    answered: tuple[float, ...]
    """Latencies of good answers in seconds, sorted."""
    unanswered: tuple[float, ...]
    """Ages in seconds of those in flight at the end, sorted."""
    failures: Mapping[str, int]
    """Message -> how many."""
    late: int
    """Starts that came too late, or never."""
    worst_lag: float
    """Seconds by which the latest start was late; 0 without any."""
    last_end: float
    """Seconds from the first planned moment to the last good answer; 0 without any."""

    @property
    def failed(self) -> int:
        """How many failed."""
        return sum(self.failures.values())

    @property
    def shortfall(self) -> float:
        """Starts that came late or never, as a share of those planned."""
        return self.late / self.planned if self.planned else 0.0

    @property
    def throughput(self) -> float:
        """Good answers per second, over the planned time or until the last of them, whichever is longer."""
        return len(self.answered) / max(self.seconds, self.last_end)

    def quantile(self, q: float) -> Quantile:
        """The ``q``-quantile of the latency by nearest rank: the smallest value that at least a share ``q`` of the
        requests do not exceed. HarnessError when nothing was answered."""
        if not self.answered:
            raise HarnessError(f"no request of {self.planned} got a good answer{self._causes()}")
        merged = sorted(self.answered + self.unanswered)
        value = merged[max(math.ceil(q * len(merged)), 1) - 1]
        return Quantile(value, bool(self.unanswered) and self.unanswered[0] <= value)

    def keeps(self, q: float, seconds: float) -> bool:
        """Whether nothing failed and the ``q``-quantile of the latency is known to be at most ``seconds``."""
        if self.failed or not self.answered:
            return False
        found = self.quantile(q)
        return found.seconds <= seconds and not found.at_least

    def check(self, limit: float = SHORTFALL) -> None:
        """Raise HarnessError when the load that was asked for was not there, or nothing came of it."""
        if self.shortfall > limit:
            stuck = f"; {len(self.unanswered)} were unanswered at the end" if self.unanswered else ""
            raise HarnessError(
                f"invalid: the load generator fell short: {self.late} of {self.planned} starts came too late or never "
                f"({self.shortfall:.1%}, allowed {limit:.1%}; the latest was {self.worst_lag * 1e3:.0f} ms late{stuck})"
                "; ask for less, or for more workers"
            )
        self.quantile(0.5)

    def _causes(self) -> str:
        most = Counter(self.failures).most_common(3)
        return ": " + "; ".join(f"{count} x {error}" for error, count in most) if most else ""


def summarize(plan: Plan, records: Iterable[Record], segment: str | None = None, late: float = LATE) -> Summary:
    """Sum up ``records`` of ``plan``, or those of one ``segment``."""
    begin, end = (0.0, plan.seconds) if segment is None else plan.span(segment)
    asked_for = planned(plan, segment)
    chosen = [record for record in records if segment in (None, record.segment)]
    good = [record for record in chosen if record.outcome == "answered"]
    on_time = sum(record.lag <= late for record in chosen)
    return Summary(
        planned=asked_for,
        seconds=end - begin,
        answered=tuple(sorted(record.latency for record in good)),
        unanswered=tuple(sorted(record.latency for record in chosen if record.outcome == "unanswered")),
        failures=Counter(record.error for record in chosen if record.outcome == "failed"),
        late=asked_for - on_time,
        worst_lag=max((record.lag for record in chosen), default=0.0),
        last_end=max((record.ended - begin for record in good), default=0.0),
    )
