"""Known slowdowns: time spent on purpose inside a timed block, to prove that it is found."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from harness.errors import ExitCode, HarnessError
from harness.model import Metric

SELF_TEST = 3
"""A self-test slows down by so many times a metric's smallest effect beyond what its limits tolerate, unless it is told
by how much."""
MOST = 1000
"""Per cent."""


def busy_wait(seconds: float, clock: Callable[[], float]) -> None:
    """Use up ``seconds`` of the caller's own time. It does not sleep: a sleep lasts longer than it was asked to."""
    end = clock() + seconds
    while clock() < end:
        pass


@dataclass(frozen=True, slots=True)
class Slowdown:
    """Lengthens every timed block of `after`."""

    share: float | None = None
    """Of the block's own time. None: ``SELF_TEST`` times the smallest effect of its metric beyond its limits."""
    lengthened: set[tuple[str, str]] = field(default_factory=set)
    """Scenario and metric of every block that was lengthened."""

    @classmethod
    def parse(cls, percent: str) -> "Slowdown":
        """From what a user typed: ``auto`` or a number of per cent. Raises HarnessError (4)."""
        if percent == "auto":
            return cls()
        with suppress(ValueError):
            if 0 < float(percent) <= MOST:
                return cls(float(percent) / 100)
        message = f"slowdown: found {percent!r:.40}, allowed: auto, or per cent above 0 up to {MOST}"
        raise HarnessError(message, ExitCode.USAGE)

    @property
    def size(self) -> str:
        """How much, for people."""
        return (
            f"{SELF_TEST} times the smallest effect of its metric, beyond what its limits tolerate"
            if self.share is None
            else f"{100 * self.share:.3g} %"
        )

    def apply(self, scenario: str, metric: Metric, seconds: float, clock: Callable[[], float]) -> None:
        """Lengthen a block of ``scenario`` that has taken ``seconds`` until now."""
        self.lengthened.add((scenario, metric.name))
        busy_wait(_auto(metric, seconds) if self.share is None else self.share * seconds, clock)


def _auto(metric: Metric, seconds: float) -> float:
    """What a gate has to notice of a block of ``seconds``: within its limits a regression passes, as it should."""
    tolerated = max((metric.limit or 0.0) * seconds, metric.absolute_limit or 0.0)
    return tolerated + SELF_TEST * metric.smallest_effect * seconds
