"""Two independent samples: the rank-sum test of Wilcoxon (1945) and Mann & Whitney (1947), inverted."""

import math
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import accumulate, count

from harness.statistics.normal import lower_tail
from harness.statistics.pairwise import differences
from harness.statistics.shift import ShiftTest

_EXACT_WORK = 100_000
"""Additions that an exact distribution may cost: 46 values in both samples, or 5 in one and 4000 in the other."""


def rank_sum(before: Sequence[float], after: Sequence[float]) -> ShiftTest:
    """How far ``after`` lies above ``before`` (each at least one value, all finite), in their unit."""
    return ShiftTest(differences(before, after).in_order(), partial(tail, len(before), len(after)))


def fewest(alpha: float) -> int:
    """The smallest number of values in each sample with which a change can ever be called at level ``alpha``."""
    return next(n for n in count(1) if 1 / math.comb(2 * n, n) <= alpha / 2)


def least_p_value(m: int, n: int) -> float:
    """The smallest two-sided p-value that samples of ``m`` and ``n`` values can give."""
    return min(1.0, 2 / math.comb(m + n, n))


def tail(m: int, n: int, statistic: int) -> float:
    """P(U <= statistic) for samples of ``m`` and ``n`` values from one distribution.

    Exact for small samples; beyond, the normal approximation with continuity correction. No correction for ties:
    counted as the shift test counts them, they only make the result more careful.
    """
    if min(m, n) * m * n <= _EXACT_WORK:
        return _distribution(min(m, n), max(m, n))[statistic]
    deviation = math.sqrt(m * n * (m + n + 1) / 12)
    return lower_tail((statistic + 0.5 - m * n / 2) / deviation)


@lru_cache
def _distribution(m: int, n: int) -> tuple[float, ...]:
    """The cumulative distribution of U = 0 ... m n: the coefficients of the Gaussian binomial (m + n over m).

    They are built factor by factor, as the product of (1 - q^(n + i)) / (1 - q^i) for i = 1 ... m.
    """
    size = m * n
    ways = [1] + [0] * size
    for i in range(1, m + 1):
        for u in range(size, n + i - 1, -1):
            ways[u] -= ways[u - n - i]
        for u in range(i, size + 1):
            ways[u] += ways[u - i]
    total = math.comb(m + n, m)
    return tuple(sum_ / total for sum_ in accumulate(ways))
