"""Counts: compared exactly where they never vary, as Poisson totals where they do."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.statistics.binomial import at_least, at_most, clopper_pearson

LARGEST = 2**53
"""Whole numbers are exact in a float up to here."""


def never_varies(values: Sequence[float]) -> bool:
    """Whether at least two values were seen and all are the same."""
    return len(values) >= 2 and len(set(values)) == 1


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

    def estimate(self) -> float:
        """The observed log ratio; infinite when one total is 0."""
        return _log_ratio(self.after, self.before, self.exposure)

    def interval(self, alpha: float) -> tuple[float, float]:
        """The exact interval, which misses the true log ratio with probability <= ``alpha``."""
        low, high = clopper_pearson(self.after, self.before + self.after, alpha)
        return _log_ratio(low, 1 - low, self.exposure), _log_ratio(high, 1 - high, self.exposure)

    def p_value(self, margin: float) -> float:
        """Two-sided, against "the log ratio lies within +-margin"."""
        total = self.before + self.after
        above = at_least(self.after, total, self._share(margin))
        under = at_most(self.after, total, self._share(-margin))
        return min(1.0, 2 * min(above, under))

    def _share(self, log_ratio: float) -> float:
        """The share of all events that falls to ``after`` when the true log ratio is ``log_ratio``."""
        ratio = math.exp(log_ratio) * self.exposure
        return ratio / (1 + ratio)


def ratio_test(before: Sequence[float], after: Sequence[float]) -> RatioTest:
    """The test of two samples of counts (each at least two values, not all zero)."""
    excess = dispersion(before, after)
    return RatioTest(sum(before) / excess, sum(after) / excess, len(after) / len(before))


def dispersion(before: Sequence[float], after: Sequence[float]) -> float:
    """How many times the variance within the samples exceeds the mean, at least 1: too little spread earns nothing.

    Pearson's sum over two degrees of freedom less than there are, the mean of what the true dispersion may be given the
    sum (scaled inverse chi-square): few values, which may look steady by luck, count as more scattered.
    """
    samples = [sample for sample in (before, after) if any(sample)]
    means = [fmean(sample) for sample in samples]
    squares = sum((x - mean) ** 2 / mean for sample, mean in zip(samples, means, strict=True) for x in sample)
    freedom = sum(len(sample) - 1 for sample in samples)
    return max(1.0, squares / max(1, freedom - 2))


def _log_ratio(numerator: float, denominator: float, exposure: float) -> float:
    if numerator == 0:
        return -math.inf
    if denominator == 0:
        return math.inf
    return math.log(numerator / denominator / exposure)
