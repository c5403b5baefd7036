"""Sums of independent uniform waits, and mixtures of such sums: their exact distribution.

The sum of uniform values on [0, w1], …, [0, wn] lies at or below t with probability

    F(t) = 1 / (n! w1 … wn) × Σ over all subsets S of the widths of (−1)^|S| max(0, t − Σ S)^n

(Feller, An Introduction to Probability Theory and Its Applications II, I.9; Bradley & Gupta, On the distribution of the
sum of n non-identically distributed uniform random variables, Ann. Inst. Statist. Math. 54, 2002). The terms cancel
each other nearly, so that floating-point numbers would lose all their digits: floats are fractions with a power of two
below, and the sum is done in whole numbers, without any error.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product

from harness.statistics.floats import first

MAX_TERMS = 1 << 12
"""So many terms are summed exactly: 12 different widths, or more where some are equal. Beyond: ``_on_a_grid``."""
CELLS = 20_000
"""Of the grid."""


@dataclass(frozen=True, slots=True)
class Part:
    """A constant and a sum of uniform values, with the share of a mixture that it has."""

    share: float
    least: float
    widths: tuple[float, ...] = ()
    """The value is ``least`` + U(0, w) for each of these, all independent. None is below 0."""

    @property
    def most(self) -> float:
        """The largest possible value."""
        return self.least + math.fsum(self.widths)

    @property
    def mean(self) -> float:
        """The expected value."""
        return self.least + math.fsum(self.widths) / 2

    @property
    def variance(self) -> float:
        """Of a uniform value w²/12, of independent ones the sum."""
        return math.fsum(width * width for width in self.widths) / 12

    def cdf(self, x: float) -> float:
        """The probability of a value of at most ``x``."""
        if x < self.least:
            return 0.0
        return 1.0 if x >= self.most else uniform_sum_cdf([w for w in self.widths if w > 0], x - self.least)


@dataclass(frozen=True)
class Distribution:
    """A mixture of parts whose shares are 1 together; what is distributed is in seconds."""

    parts: tuple[Part, ...]

    @cached_property
    def mean(self) -> float:
        """The expected value."""
        return math.fsum(part.share * part.mean for part in self.parts)

    @cached_property
    def variance(self) -> float:
        """Within the parts, and between their means."""
        return math.fsum(part.share * (part.variance + (part.mean - self.mean) ** 2) for part in self.parts)

    @property
    def support(self) -> tuple[float, float]:
        """The smallest and the largest possible value."""
        possible = [part for part in self.parts if part.share > 0]
        return min(part.least for part in possible), max(part.most for part in possible)

    def cdf(self, x: float) -> float:
        """The probability of a value of at most ``x``."""
        return min(1.0, math.fsum(part.share * part.cdf(x) for part in self.parts if part.share > 0))

    def quantile(self, q: float) -> float:
        """The smallest value x with cdf(x) >= ``q``, to a billionth of the range; ValueError unless 0 < q <= 1."""
        if not 0 < q <= 1:
            raise ValueError(f"a quantile is above 0 and at most 1, not {q}")
        low, high = self.support
        reached = q - 1e-12  # shares are floats: their sum may miss 1 by its rounding
        if self.cdf(low) >= reached:
            return low
        step = (high - low) * 1e-9
        cells = first(lambda cell: self.cdf(min(high, low + cell * step)) >= reached, 0.0, 1e9) if step > 0 else 1e9
        return min(high, low + cells * step)


def uniform_sum_cdf(widths: Sequence[float], t: float) -> float:
    """The probability that the sum of independent U(0, w), for ``widths`` above 0, is at most ``t``.

    Exact but for the last rounding while equal widths leave at most MAX_TERMS terms; beyond, see ``_on_a_grid``.
    """
    if t <= 0:
        return 0.0 if widths else float(t >= 0)
    if t >= math.fsum(widths):
        return 1.0
    groups = Counter(widths)
    if math.prod(count + 1 for count in groups.values()) > MAX_TERMS:
        return _on_a_grid(widths, t)
    return _exactly(groups, t)


def _exactly(groups: Counter[float], t: float) -> float:
    """Feller's sum; of ``c`` equal widths, those subsets with ``k`` of them are alike and there are C(c, k)."""
    unit = max(x.as_integer_ratio()[1] for x in (t, *groups))  # powers of two: the largest is a multiple of all
    sizes = {_whole(width, unit): count for width, count in groups.items()}
    whole, n = _whole(t, unit), groups.total()
    total = 0
    for chosen in product(*(range(count + 1) for count in sizes.values())):
        left = whole - sum(k * size for k, size in zip(chosen, sizes, strict=True))
        if left > 0:
            ways = math.prod(math.comb(count, k) for k, count in zip(chosen, sizes.values(), strict=True))
            total += (-1) ** sum(chosen) * ways * left**n
    return float(Fraction(total, math.factorial(n) * math.prod(size**count for size, count in sizes.items())))


def _whole(x: float, unit: int) -> int:
    above, below = x.as_integer_ratio()
    return above * (unit // below)


def _on_a_grid(widths: Sequence[float], t: float) -> float:
    """The same on a grid of CELLS cells: each value is moved by less than a cell, to the middle of its cell.

    What is returned is therefore the exact probability at some point within n/2 cells of ``t``: for 100 waits within
    a quarter of a per cent of the range.
    """
    cell = math.fsum(widths) / CELLS
    shares = [1.0]
    for width in widths:
        shares = _spread(shares, width / cell)
    until = t / cell - len(widths) / 2
    full = max(0, min(len(shares), math.floor(until) + 1))
    return min(1.0, math.fsum(shares[:full]))


def _spread(shares: Sequence[float], width: float) -> list[float]:
    """The shares of all cells after adding the whole cells of a uniform value that is ``width`` cells wide."""
    full = math.floor(width)
    rest = 1 - full / width
    sums = [0.0]
    for share in shares:
        sums.append(sums[-1] + share)
    last = len(shares)
    spread = []
    for j in range(last + full):
        inside = sums[min(last, j + 1)] - sums[min(last, max(0, j - full + 1))]
        spread.append(inside / width + (rest * shares[j - full] if 0 <= j - full < last else 0.0))
    return spread
