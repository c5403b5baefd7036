"""The median of one sample, without any assumption about its distribution but that the values are independent."""

import math
from bisect import bisect_right
from collections.abc import Sequence

from harness.statistics.binomial import at_most


def median_interval(values: Sequence[float], alpha: float) -> tuple[float, float]:
    """The interval between two order statistics that misses the true median with probability <= ``alpha``.

    The sign test inverted: each value lies below the median with probability 1/2 (Thompson, Ann. Math. Statist. 7,
    1936). Unbounded when there are too few values to exclude anything at this level.
    """
    n = len(values)
    k = bisect_right(range(n), alpha / 2, key=lambda below: at_most(below, n, 0.5))
    if k == 0:
        return -math.inf, math.inf
    ordered = sorted(values)
    return ordered[k - 1], ordered[n - k]
