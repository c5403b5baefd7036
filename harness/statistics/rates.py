"""Shares of trials. Interleaved: the sides of whole rounds exchanged; of two sessions: Fisher and Newcombe.

Trials of one round are alike, as one process answers them. What rounds differ by more than independent trials would
divides trials and hits (Rao & Scott, A simple method for the analysis of clustered binary data, Biometrics 48, 1992).
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.statistics.exchange import Totals, exceeds, last_excluded, means
from harness.statistics.normal import two_sided
from harness.statistics.rank_sum import least_p_value

_SAME = 1e-7
"""Two log probabilities closer than this are equal but for rounding."""


@dataclass(frozen=True, slots=True)
class ShareTest:
    """The difference of two shares, after - before; trials divided by ``excess`` are independent of each other."""

    before: tuple[int, int]
    """How often it happened, of how many trials (at least one)."""
    after: tuple[int, int]
    excess: float = 1.0
    """How many times the variance of the rounds exceeds that of independent trials."""
    least_p: float = 0.0
    """The smallest p-value that so many rounds can give, whatever they hold."""

    def estimate(self) -> float:
        """The observed difference."""
        return self.after[0] / self.after[1] - self.before[0] / self.before[1]

    def interval(self, alpha: float) -> tuple[float, float]:
        """Newcombe's hybrid-score interval, which misses the true difference with probability of about ``alpha``.

        Newcombe, Statistics in Medicine 17 (1998), p. 873, method 10. It excludes nothing if rounds are too few.
        """
        if self.least_p > alpha:
            return -1.0, 1.0
        (old_low, old_high), (new_low, new_high) = (
            wilson(hits / self.excess, trials / self.excess, alpha) for hits, trials in (self.before, self.after)
        )
        old, new = self.before[0] / self.before[1], self.after[0] / self.after[1]
        down, up = math.hypot(new - new_low, old_high - old), math.hypot(new_high - new, old - old_low)
        return new - old - down, new - old + up

    def p_value(self, margin: float) -> float:
        """Fisher's exact two-sided p-value against "no difference"; the interval alone answers for the margin."""
        return max(self.least_p, fisher(*self._independent(self.before), *self._independent(self.after)))

    def _independent(self, share: tuple[int, int]) -> tuple[int, int]:
        """What ``share`` would be of independent trials."""
        trials = max(1, math.floor(share[1] / self.excess))
        return min(trials, round(share[0] / self.excess)), trials


@dataclass(frozen=True, slots=True)
class PairedShares:
    """The mean difference of the shares of the same rounds, after - before, by the exact randomisation test.

    At the difference d a round is as likely to lie above d as below it. Rounds that all agree would leave no doubt at
    all, however few their trials: the interval is therefore never inside that of as many independent trials.
    """

    before: Sequence[float]
    """The share of each round times ``unit``."""
    after: Sequence[float]
    unit: float
    pooled: ShareTest
    """All trials as if they were independent."""

    def estimate(self) -> float:
        """The observed mean difference."""
        return math.fsum(self._differences(0.0)) / len(self.before) / self.unit

    def interval(self, alpha: float) -> tuple[float, float]:
        """The differences that are not excluded, at the level ``alpha``, by both: exchange of rounds and Newcombe."""
        low, high = self.pooled.interval(alpha)
        return min(low, self._least(alpha / 2, 1)), max(high, -self._least(alpha / 2, -1))

    def p_value(self, margin: float) -> float:
        """Two-sided, against "the difference lies within +-margin"."""
        above, under = (self._exceeds(margin, sign) for sign in (1, -1))
        return min(1.0, 2 * min(above, under))

    def _differences(self, margin: float, sign: int = 1) -> list[float]:
        return [sign * (new - old) - margin * self.unit for old, new in zip(self.before, self.after, strict=True)]

    def _exceeds(self, margin: float, sign: int) -> float:
        """The one-sided p-value of "the difference, times ``sign``, is larger than ``margin``"."""
        return exceeds(self._differences(margin, sign))

    def _least(self, level: float, sign: int) -> float:
        """The least difference, times ``sign``, that is not excluded at the one-sided ``level``."""
        found = last_excluded(lambda margin: self._exceeds(margin, sign), level, -1.0, sign * self.estimate())
        return -1.0 if found is None else found


def paired_shares(before: Totals, after: Totals) -> PairedShares:
    """The test of the shares of the same rounds, in the same order."""
    old, new, unit = means(before, after)
    return PairedShares(old, new, unit, ShareTest(_pooled(before), _pooled(after)))


def share_test(before: Totals, after: Totals) -> ShareTest:
    """The test of the rounds of two sessions."""
    least = least_p_value(len(before), len(after))
    return ShareTest(_pooled(before), _pooled(after), dispersion(before, after), least)


def dispersion(*sides: Totals) -> float:
    """How many times the variance of the rounds' shares exceeds that of independent trials, at least 1.

    Pearson's sum over two degrees of freedom less than there are, as for counts. A side that is all 0 or all 1 says
    nothing about it. At most as if each round were a single trial.
    """
    squares, freedom = 0.0, 0
    sizes = [n for side in sides for _, n in side]
    for side in sides:
        hits, trials = _pooled(side)
        if 0 < hits < trials:
            share = hits / trials
            squares += sum((x - share * n) ** 2 / (share * (1 - share) * n) for x, n in side)
            freedom += len(side) - 1
    return max(1.0, min(squares / max(1, freedom - 2), sum(n * n for n in sizes) / sum(sizes)))


def _pooled(rounds: Totals) -> tuple[int, int]:
    return int(sum(hits for hits, _ in rounds)), sum(trials for _, trials in rounds)


def wilson(k: float, n: float, alpha: float) -> tuple[float, float]:
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
