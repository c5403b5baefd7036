"""How others decide: rules of other tools, each from two arrays of values (before, after) to a call.

A call is 1 (after is slower), -1 (faster) or 0. Values stand in the order measured; where a rule pairs them, value i of
both was measured next to each other.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]
Rule = Callable[[Values, Values], int]

_RELABELLINGS = 1000


def _beyond(ratio: float, threshold: float) -> int:
    if ratio > 1 + threshold:
        return 1
    return -1 if ratio < 1 / (1 + threshold) else 0


def mean_5(before: Values, after: Values) -> int:
    """pytest-benchmark: ``--benchmark-compare-fail=mean:5%``."""
    return _beyond(float(after.mean() / before.mean()), 0.05)


def median_5(before: Values, after: Values) -> int:
    """pytest-benchmark: ``--benchmark-compare-fail=median:5%``."""
    return _beyond(float(np.median(after) / np.median(before)), 0.05)


def min_5(before: Values, after: Values) -> int:
    """pytest-benchmark: ``--benchmark-compare-fail=min:5%``."""
    return _beyond(float(after.min() / before.min()), 0.05)


def mann_whitney(before: Values, after: Values) -> int:
    """benchstat: Mann-Whitney at p < 0.05."""
    if stats.mannwhitneyu(before, after, method="asymptotic").pvalue >= 0.05:
        return 0
    return int(np.sign(np.median(after) - np.median(before)))


def relabelling(before: Values, after: Values) -> int:
    """ClickHouse's performance tests: the difference of medians beyond 5 % and beyond 99 % of random relabellings.

    After ``eqmed.sql`` and ``compare.sh`` of its performance comparison, unpaired as there.
    """
    generator = np.random.default_rng(0)
    both = np.broadcast_to(np.concatenate([before, after]), (_RELABELLINGS, 2 * len(before)))
    shuffled = generator.permuted(both, axis=1)
    n = len(before)
    differences = np.abs(np.median(shuffled[:, :n], axis=1) - np.median(shuffled[:, n:], axis=1))
    centre = float(np.median(before))
    change = float(np.median(after)) / centre - 1
    limit = max(0.05, float(np.quantile(differences, 0.99)) / centre)
    return int(np.sign(change)) if abs(change) >= limit else 0


def tango(before: Values, after: Values) -> int:
    """tango-bench 0.9: pairs outside 5 interquartile ranges dropped, then |z| >= 2.6 and the mean beyond 0.5 %."""
    differences = after - before
    low, high = np.quantile(differences, [0.25, 0.75])
    reach = 5 * (high - low)
    kept = differences[(differences >= low - reach) & (differences <= high + reach)]
    error = kept.std(ddof=1) / np.sqrt(len(kept))
    if error == 0 or abs(kept.mean() / error) < 2.6 or abs(kept.mean() / before.mean()) < 0.005:
        return 0
    return int(np.sign(kept.mean()))


SEQUENTIAL: dict[str, Rule] = {
    "mean:5% (pytest-benchmark)": mean_5,
    "median:5%": median_5,
    "min:5%": min_5,
    "Mann-Whitney (benchstat)": mann_whitney,
}
"""Rules that their users apply to one block of before, then one of after."""
INTERLEAVED: dict[str, Rule] = SEQUENTIAL | {"relabelling (ClickHouse)": relabelling, "tango": tango}
"""The same, and those that interleave, on values taken in turn."""
