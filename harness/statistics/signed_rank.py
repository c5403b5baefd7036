"""One sample of differences: Wilcoxon's signed-rank test (Biometrics Bulletin 1, 1945), inverted.

Valid when each difference is as likely to be +x as -x if nothing has changed. A random order inside each pair makes
that true whatever the noise looks like.
"""

import math
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import accumulate

from harness.statistics.normal import lower_tail
from harness.statistics.pairwise import walsh_averages
from harness.statistics.shift import ShiftTest

_EXACT_UP_TO = 40


def signed_rank(differences: Sequence[float]) -> ShiftTest:
    """The centre of ``differences`` (at least one, all finite), in their unit."""
    return ShiftTest(walsh_averages(differences).in_order(), partial(tail, len(differences)))


def fewest(alpha: float) -> int:
    """The smallest number of differences with which a change can ever be called at the two-sided level ``alpha``."""
    return math.ceil(math.log2(2 / alpha))


def tail(n: int, statistic: int) -> float:
    """P(T <= statistic) of the sum of positive ranks of ``n`` symmetric differences.

    Exact up to 40 differences; beyond, the normal approximation with continuity correction, whose tails are a little
    too heavy and so err on the careful side.
    """
    if n <= _EXACT_UP_TO:
        return _distribution(n)[statistic]
    mean = n * (n + 1) / 4
    deviation = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return lower_tail((statistic + 0.5 - mean) / deviation)


@lru_cache
def _distribution(n: int) -> tuple[float, ...]:
    """The cumulative distribution of T = 0 ... n (n + 1) / 2, by counting the subsets of 1 ... n with each sum."""
    subsets = [1] + [0] * (n * (n + 1) // 2)
    for rank in range(1, n + 1):
        for total in range(rank * (rank + 1) // 2, rank - 1, -1):
            subsets[total] += subsets[total - rank]
    return tuple(count / 2**n for count in accumulate(subsets))
