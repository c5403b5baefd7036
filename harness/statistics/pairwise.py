"""Order statistics of all sums of two sorted lists, without listing the sums.

Walsh averages and differences between two samples are n * n numbers; the k-th smallest of them is found in
O(n log n) time and O(n) memory, because the number of sums below a bound needs one walk along both lists
(the idea of Johnson & Mizoguchi, SIAM J. Comput. 7, 1978; and Monahan, ACM TOMS 10, 1984, algorithm 616).
Bounds are tried in turn a little below and above where the k-th would be if the remaining sums were evenly spread;
every fourth halves the floating-point numbers that remain: no data need more than 4 * 64 walks, usual ones a dozen.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.statistics.floats import halfway

_LISTED = 2
"""When no more candidates remain than this for each value, they are listed and sorted."""
_LISTED_AT_ONCE = 2**14
"""So many sums at most are all listed to begin with: sorted numbers answer every question at once."""


class Sums(Protocol):
    """Numbers that are asked for their order."""

    @property
    def size(self) -> int:
        """How many there are."""

    def at_most(self, bound: float) -> int:
        """How many are <= ``bound``."""

    def below(self, bound: float) -> int:
        """How many are < ``bound``."""

    def kth(self, k: int) -> float:
        """The ``k``-th smallest, 1 <= k <= size."""

    def median(self) -> float:
        """The median of all."""


@dataclass(frozen=True, slots=True)
class ListedSums:
    """Numbers that stand in a list, ascending and not empty."""

    ordered: Sequence[float]

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.ordered)

    def at_most(self, bound: float) -> int:
        """How many are <= ``bound``."""
        return bisect_right(self.ordered, bound)

    def below(self, bound: float) -> int:
        """How many are < ``bound``."""
        return bisect_left(self.ordered, bound)

    def kth(self, k: int) -> float:
        """The ``k``-th smallest, 1 <= k <= size."""
        return self.ordered[k - 1]

    def median(self) -> float:
        """The median of all."""
        n = len(self.ordered)
        low, high = self.ordered[(n - 1) // 2], self.ordered[n // 2]
        return low if n % 2 else (low + high) / 2


@dataclass(frozen=True, slots=True)
class PairwiseSums:
    """The numbers ``left[i] + right[j]`` for every ``j >= starts[i]``; both lists ascending and not empty."""

    left: Sequence[float]
    right: Sequence[float]
    starts: Sequence[int]

    @property
    def size(self) -> int:
        """How many sums there are."""
        return len(self.left) * len(self.right) - sum(self.starts)

    def at_most(self, bound: float) -> int:
        """How many sums are <= ``bound``."""
        right, count, end = self.right, 0, len(self.right)
        for value, start in zip(self.left, self.starts, strict=True):
            while end > start and value + right[end - 1] > bound:
                end -= 1
            if end <= start:  # and so for all that follow: starts never fall, ends never rise
                break
            count += end - start
        return count

    def below(self, bound: float) -> int:
        """How many sums are < ``bound``."""
        return self.at_most(math.nextafter(bound, -math.inf))

    def kth(self, k: int) -> float:
        """The ``k``-th smallest sum, 1 <= k <= size."""
        low, high = math.nextafter(self.left[0] + self.right[0], -math.inf), self.left[-1] + self.right[-1]
        below, upto, tries = 0, self.size, 0
        while upto - below > _LISTED * len(self.left):
            tries += 1
            aside = _LISTED * len(self.left) / (4 if tries % 2 else -4)
            share = (k - below - aside) / (upto - below)
            middle = low + (high - low) * min(max(share, 0.01), 0.99)
            if tries % 4 == 0 or not low < middle < high:
                middle = halfway(low, high)
            if middle == low:  # neighbours: all that remain are equal
                return high
            count = self.at_most(middle)
            if count < k:
                low, below = middle, count
            else:
                high, upto = middle, count
        return self._within(low, high)[k - below - 1]

    def median(self) -> float:
        """The median of all sums."""
        size = self.size
        lower = self.kth((size + 1) // 2)
        if size % 2 or self.at_most(lower) > size // 2:
            return lower
        return (lower + self._least_above(lower)) / 2

    def in_order(self) -> Sums:
        """The same sums in the form that answers fastest."""
        if self.size > _LISTED_AT_ONCE:
            return self
        rows = zip(self.left, self.starts, strict=True)
        return ListedSums(sorted([a + b for a, start in rows for b in self.right[start:]]))

    def _ends(self, bound: float) -> list[int]:
        """For every ``left[i]`` the number of ``right`` values whose sum with it is <= ``bound``."""
        ends = []
        end = len(self.right)
        for value in self.left:
            while end and value + self.right[end - 1] > bound:
                end -= 1
            ends.append(end)
        return ends

    def _within(self, low: float, high: float) -> list[float]:
        """All sums in (low, high], ascending."""
        rows = zip(self.left, self.starts, self._ends(low), self._ends(high), strict=True)
        return sorted([a + b for a, start, first, end in rows for b in self.right[max(start, first) : end]])

    def _least_above(self, bound: float) -> float:
        """The least sum > ``bound``; there has to be one."""
        right, rows = self.right, zip(self.left, self.starts, self._ends(bound), strict=True)
        places = ((value, max(start, end)) for value, start, end in rows)
        return min(value + right[place] for value, place in places if place < len(right))


def walsh_averages(values: Sequence[float]) -> PairwiseSums:
    """The averages of every two values, each also with itself: n (n + 1) / 2 numbers."""
    halves = [value / 2 for value in sorted(values)]
    return PairwiseSums(halves, halves, range(len(halves)))


def differences(before: Sequence[float], after: Sequence[float]) -> PairwiseSums:
    """Every value of ``after`` minus every value of ``before``."""
    return PairwiseSums(sorted(-value for value in before), sorted(after), (0,) * len(before))
