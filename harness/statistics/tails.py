"""Quantiles of everything measured, such as the 95th percentile, compared between two sides of the same rounds.

The round is the unit: values of one round are alike, so the sides of whole rounds are exchanged, which is exact
(``exchange``). What is summed is, of each round, how much more of ``after`` than of ``before`` reaches the quantile, as
in the median test (Mood, Introduction to the Theory of Statistics, 1950, section 16.5; here of any quantile). What the
quantile is must not depend on the labels: it is taken of the lower sides of all rounds, and of the higher ones; a value
between the two counts in part. The interval holds every change that the test does not exclude, so there is one at every
level that the number of rounds allows.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.statistics.exchange import exceeds, last_excluded, means

Rounds = Sequence[Sequence[float]]


def quantile(values: Sequence[float], q: float) -> float:
    """The smallest of ``values`` that at least the share ``q`` of them do not exceed."""
    return sorted(values)[_rank(q, len(values)) - 1]


@dataclass(frozen=True)
class TailTest:
    """The change of one quantile, in the unit of the values: pass logarithms to compare a ratio."""

    before: Rounds
    """The values of each round, at least one in each."""
    after: Rounds
    """Of the same rounds, in the same order."""
    q: float
    """Which quantile, 0 < q < 1."""

    def estimate(self) -> float:
        """The quantile of everything in ``after`` minus that of everything in ``before``."""
        old, new = self._sides
        return new.quantile(self.q) - old.quantile(self.q)

    def interval(self, alpha: float) -> tuple[float, float]:
        """The changes that are not excluded at the two-sided level ``alpha``; unbounded if rounds are too few."""
        old, new = self._sides
        return self._least(old, new, alpha / 2), -self._least(new, old, alpha / 2)

    def p_value(self, margin: float) -> float:
        """Two-sided, against "the quantile has moved by at most ``margin``" up or down."""
        old, new = self._sides
        return min(1.0, 2 * min(self._exceeds(old, new, margin), self._exceeds(new, old, margin)))

    @cached_property
    def _sides(self) -> tuple["_Side", "_Side"]:
        return _side(self.before), _side(self.after)

    def _exceeds(self, low: "_Side", high: "_Side", margin: float) -> float:
        """The one-sided p-value of "``high`` lies more than ``margin`` above ``low``"."""
        sides = [[value + margin for value in values] for values in low.rounds], high.rounds
        limits = self._limits(*sides)
        old, new, _ = means(*([(_reaching(values, *limits), len(values)) for values in side] for side in sides))
        return exceeds([more - less for less, more in zip(old, new, strict=True)])

    def _limits(self, one: Rounds, other: Rounds) -> tuple[float, float]:
        """The quantile of the lower sides of all rounds and that of the higher ones, ascending."""
        ranked = [sorted(pair, key=self._height) for pair in zip(one, other, strict=True)]
        lower, higher = (quantile([x for pair in ranked for x in pair[side]], self.q) for side in (0, 1))
        return min(lower, higher), max(lower, higher)

    def _height(self, ordered: Sequence[float]) -> tuple[float, Sequence[float]]:
        return ordered[_rank(self.q, len(ordered)) - 1], ordered

    def _least(self, low: "_Side", high: "_Side", level: float) -> float:
        """The least change from ``low`` to ``high`` that is not excluded at the one-sided ``level``."""
        estimate = high.quantile(self.q) - low.quantile(self.q)
        least = high.ordered[0] - low.ordered[-1] - 1.0  # so far everything in one lies above everything in the other
        found = last_excluded(lambda change: self._exceeds(low, high, change), level, least, estimate)
        return -math.inf if found is None else found


@dataclass(frozen=True)
class _Side:
    """One side of all rounds."""

    rounds: Rounds
    """Each ascending."""
    ordered: Sequence[float]
    """Everything, ascending."""

    def quantile(self, q: float) -> float:
        return self.ordered[_rank(q, len(self.ordered)) - 1]


def _side(rounds: Rounds) -> _Side:
    return _Side([sorted(values) for values in rounds], sorted(value for values in rounds for value in values))


def _reaching(ordered: Sequence[float], low: float, high: float) -> float:
    """Twice how many of the values reach the quantile: none at ``low``, all at ``high``, a part between.

    If these are one number, half of what equals it.
    """
    first, last = bisect_left(ordered, low), bisect_right(ordered, high)
    beyond = 2 * (len(ordered) - last)
    if low == high:
        return beyond + last - first
    return beyond + 2 * math.fsum([(value - low) / (high - low) for value in ordered[first:last]])


def _rank(q: float, n: int) -> int:
    """Rounded up, but for what is whole and lies above itself by rounding only, as 0.95 * 20."""
    rank = q * n
    return max(1, math.ceil(rank - 1e-9 * max(1.0, rank)))
