"""Shares of trials: exact test of Fisher, intervals of Wilson and Newcombe."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.statistics.normal import two_sided

_SAME = 1e-7
"""Two log probabilities closer than this are equal but for rounding."""


@dataclass(frozen=True, slots=True)
class ShareTest:
    """The difference of two shares, after - before; trials are independent of each other."""

    before: tuple[int, int]
    """How often it happened, of how many trials (at least one)."""
    after: tuple[int, int]

    def estimate(self) -> float:
        """The observed difference."""
        return self.after[0] / self.after[1] - self.before[0] / self.before[1]

    def interval(self, alpha: float) -> tuple[float, float]:
        """Newcombe's hybrid-score interval, which misses the true difference with probability of about ``alpha``.

        Newcombe, Statistics in Medicine 17 (1998), p. 873, method 10.
        """
        (old_low, old_high), (new_low, new_high) = wilson(*self.before, alpha), wilson(*self.after, alpha)
        old, new = self.before[0] / self.before[1], self.after[0] / self.after[1]
        down, up = math.hypot(new - new_low, old_high - old), math.hypot(new_high - new, old - old_low)
        return new - old - down, new - old + up

    def p_value(self, margin: float) -> float:
        """Fisher's exact two-sided p-value against "no difference"; the interval alone answers for the margin."""
        return fisher(*self.before, *self.after)


def wilson(k: int, n: int, alpha: float) -> tuple[float, float]:
    """Wilson's score interval (JASA 22, 1927) of the share behind ``k`` of ``n``; it misses with about ``alpha``."""
    z = two_sided(alpha)
    middle = (k + z * z / 2) / (n + z * z)
    half = z * math.sqrt(k * (n - k) / n + z * z / 4) / (n + z * z)
    return (middle - half if k > 0 else 0.0), (middle + half if k < n else 1.0)


def rule_of_three(n: int) -> float:
    """What a share that was 0 in ``n`` trials stays below with certainty of 95 % (Hanley & Lippman-Hand, JAMA 1983)."""
    return min(1.0, 3 / n)


def fisher(k_before: int, n_before: int, k_after: int, n_after: int) -> float:
    """The two-sided p-value of Fisher's exact test: all tables of the same margins that are no likelier than this.

    Sums only the terms that count, from where they begin outwards, so a million trials cost no more than a thousand.
    """
    hits, trials = k_before + k_after, n_before + n_after
    low, high = max(0, hits - n_before), min(hits, n_after)
    mode = (hits + 1) * (n_after + 1) // (trials + 2)

    def log_probability(k: int) -> float:
        return _log_choose(n_after, k) + _log_choose(n_before, hits - k) - _log_choose(trials, hits)

    limit = log_probability(k_after) + _SAME
    rising, falling = range(low, mode + 1), range(mode + 1, high + 1)
    below = bisect_right(rising, limit, key=log_probability)
    above = bisect_left(falling, -limit, key=lambda k: -log_probability(k))
    return min(1.0, _sum(log_probability, reversed(rising[:below])) + _sum(log_probability, falling[above:]))


def _sum(log_probability: Callable[[int], float], outwards: Iterable[int]) -> float:
    """The sum of probabilities that get ever smaller."""
    total = 0.0
    for k in outwards:
        term = math.exp(log_probability(k))
        total += term
        if term <= total * 1e-17:
            break
    return total


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
