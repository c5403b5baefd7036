"""Shares with their uncertainty, as they stand in the tables, and what the noise of a unit is."""

import math
from collections.abc import Iterable, Sequence

from harness.statistics.normal import two_sided
from harness.statistics.rates import wilson
from harness.statistics.signed_rank import signed_rank


def share(hits: Iterable[bool]) -> str:
    """``12.3 [8.1, 18.2]``: per cent and Wilson's 95 % interval."""
    seen = list(hits)
    count, n = sum(seen), len(seen)
    low, high = wilson_95(seen)
    digits = 1 if 0 < count < n and min(count, n - count) < 0.02 * n else 0
    return f"{100 * count / n:.{digits}f} [{100 * low:.1f}, {100 * high:.1f}]"


def wilson_95(hits: Iterable[bool]) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    seen = list(hits)
    return wilson(sum(seen), len(seen), alpha=0.05)


def deviation(units: Sequence[float]) -> float:
    """The standard deviation of one unit (a ln ratio), as the interval of the Hodges-Lehmann estimate shows it.

    Outliers count as little as they do in a verdict.
    """
    low, high = signed_rank(units).interval(0.05)
    return (high - low) / 2 * math.sqrt(len(units)) / two_sided(0.05)
