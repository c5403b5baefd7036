"""A rank test turned into an estimate, an interval and a p-value that never contradict each other.

All three are read from the same sorted numbers (Walsh averages or differences; Hodges & Lehmann 1963): the number of
them that are <= x is the rank statistic of the data shifted by x. Ties with x are counted against a change, so discrete
data only ever make the result more careful (Noether 1967).
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from harness.statistics.pairwise import Sums


@dataclass(frozen=True, slots=True)
class ShiftTest:
    """How far a distribution has moved, in the unit of the sums."""

    sums: Sums
    tail: Callable[[int], float]
    """P(statistic <= c) when nothing has moved, for 0 <= c <= size; the statistic is symmetric."""

    def estimate(self) -> float:
        """The Hodges-Lehmann estimate: the median of the sums."""
        return self.sums.median()

    def interval(self, alpha: float) -> tuple[float, float]:
        """The interval that misses the true shift with probability <= ``alpha``, half of it on each side.

        Unbounded, when there are too few data to exclude anything at this level.
        """
        size = self.sums.size
        k = bisect_right(range(size), alpha / 2, key=self.tail)
        if k == 0:
            return -math.inf, math.inf
        return self.sums.kth(k), self.sums.kth(size + 1 - k)

    def p_value(self, margin: float) -> float:
        """Two-sided, against "the shift lies within +-margin"; <= alpha just when ``interval(alpha)`` is beyond it."""
        above = self.tail(self.sums.at_most(margin))
        under = self.tail(self.sums.size - self.sums.below(-margin))
        return min(1.0, 2 * min(above, under))
