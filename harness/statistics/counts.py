"""Counts that vary. Interleaved: the sides of whole rounds exchanged; of two sessions: Poisson totals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.statistics.binomial import at_least, at_most, clopper_pearson
from harness.statistics.exchange import Totals, exceeds, last_excluded, means
from harness.statistics.rank_sum import least_p_value

LARGEST = 2**53
"""Whole numbers are exact in a float up to here."""


def never_varies(values: Sequence[float]) -> bool:
    """Whether at least two values were seen and all are the same."""
    return len(values) >= 2 and len(set(values)) == 1


@dataclass(frozen=True, slots=True)
class PairedRatio:
    """The logarithm of after/before of the mean counts of the same rounds, by the exact randomisation test.

    At the ratio r the sides of a round are as exchangeable as after and r times before are. The interval holds every
    ratio that the test does not exclude; its ends are ratios of subsets of the rounds (as Hartigan's typical values,
    JASA 64, 1969, are their means).
    """

    before: Sequence[float]
    """The mean count of each round."""
    after: Sequence[float]

    def estimate(self) -> float:
        """The observed log ratio; infinite when one side is 0, and 0 when both are."""
        return _log_ratio(sum(self.after), sum(self.before), 1.0) if any((*self.before, *self.after)) else 0.0

    def interval(self, alpha: float) -> tuple[float, float]:
        """The log ratios that are not excluded at the two-sided level ``alpha``; all of them when nothing happened."""
        return _least(self.before, self.after, alpha / 2), -_least(self.after, self.before, alpha / 2)

    def p_value(self, margin: float) -> float:
        """Two-sided, against "the log ratio lies within +-margin"."""
        share = 1 / (1 + math.exp(-margin))
        above, under = _exceeds(self.before, self.after, share), _exceeds(self.after, self.before, share)
        return min(1.0, 2 * min(above, under))


def paired_ratio(before: Totals, after: Totals) -> PairedRatio:
    """The test of the counts of the same rounds, in the same order (at least one round)."""
    old, new, _ = means(before, after)
    return PairedRatio(old, new)


def _exceeds(low: Sequence[float], high: Sequence[float], share: float) -> float:
    """The one-sided p-value of "more than ``share`` of everything that happens falls to ``high``"."""
    return exceeds([new - share * (old + new) for old, new in zip(low, high, strict=True)])


def _least(low: Sequence[float], high: Sequence[float], level: float) -> float:
    """The least log ratio that is not excluded at the one-sided ``level``."""
    if not any((*low, *high)):
        return -math.inf
    found = sum(high) / (sum(low) + sum(high))
    share = last_excluded(lambda share: _exceeds(low, high, share), level, 0.0, found)
    return -math.inf if not share else math.inf if share >= 1 else math.log(share / (1 - share))


@dataclass(frozen=True, slots=True)
class RatioTest:
    """The logarithm of after/before of two mean counts.

    Given both totals, the total of ``after`` is binomial (Przyborowski & Wilenski, Biometrika 31, 1940). Counts that
    vary more than Poisson's law allows are divided by their dispersion first (quasi-Poisson; McCullagh & Nelder,
    Generalized Linear Models, 1989, 6.2).
    """

    before: float
    """Total, after division by the dispersion."""
    after: float
    exposure: float
    """Values of ``after`` per value of ``before``."""
    least_p: float = 0.0
    """The smallest p-value that so many rounds can give, whatever they hold."""

    def estimate(self) -> float:
        """The observed log ratio; infinite when one total is 0."""
        return _log_ratio(self.after, self.before, self.exposure)

    def interval(self, alpha: float) -> tuple[float, float]:
        """The exact interval, which misses the true log ratio with probability <= ``alpha``.

        Unbounded, when so few rounds can exclude nothing at this level.
        """
        if self.least_p > alpha:
            return -math.inf, math.inf
        low, high = clopper_pearson(self.after, self.before + self.after, alpha)
        return _log_ratio(low, 1 - low, self.exposure), _log_ratio(high, 1 - high, self.exposure)

    def p_value(self, margin: float) -> float:
        """Two-sided, against "the log ratio lies within +-margin"."""
        total = self.before + self.after
        above = at_least(self.after, total, self._share(margin))
        under = at_most(self.after, total, self._share(-margin))
        return min(1.0, max(self.least_p, 2 * min(above, under)))

    def _share(self, log_ratio: float) -> float:
        """The share of all events that falls to ``after`` when the true log ratio is ``log_ratio``."""
        ratio = math.exp(log_ratio) * self.exposure
        return ratio / (1 + ratio)


def ratio_test(before: Totals, after: Totals) -> RatioTest:
    """The test of the rounds of two sessions (at least one each, not all zero)."""
    excess = dispersion(before, after)
    (old, old_size), (new, new_size) = _all(before), _all(after)
    return RatioTest(old / excess, new / excess, new_size / old_size, least_p_value(len(before), len(after)))


def dispersion(before: Totals, after: Totals) -> float:
    """How many times the variance of the rounds exceeds that of independent events, at least 1: too little spread earns
    nothing.

    Pearson's sum over two degrees of freedom less than there are, the mean of what the true dispersion may be given the
    sum (scaled inverse chi-square): few rounds, which may look steady by luck, count as more scattered.
    """
    sides = [side for side in (before, after) if any(total for total, _ in side)]
    squares = 0.0
    for side in sides:
        total, size = _all(side)
        squares += sum((x - total * n / size) ** 2 / (total * n / size) for x, n in side)
    freedom = sum(len(side) - 1 for side in sides)
    return max(1.0, squares / max(1, freedom - 2))


def _all(rounds: Totals) -> tuple[float, int]:
    return sum(total for total, _ in rounds), sum(number for _, number in rounds)


def _log_ratio(numerator: float, denominator: float, exposure: float) -> float:
    if numerator == 0:
        return -math.inf
    if denominator == 0:
        return math.inf
    return math.log(numerator / denominator / exposure)
