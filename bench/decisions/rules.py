"""How others decide: rules of other tools, each from two arrays of values (before, after) to a call.

A call is 1 (after is slower), -1 (faster) or 0. Values stand in the order measured; where a rule pairs them, value i of
both was measured next to each other.
"""

import functools
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

    After ``eqmed.sql`` and ``compare.sh`` of its performance comparison, unpaired as there, with a tenth of its
    10 000 relabellings.
    """
    centre = _exact_median(before)
    change = float(_exact_median(after) / centre) - 1
    return int(np.sign(change)) if abs(change) >= max(0.05, relabelling_limit(before, after)) else 0


def relabelling_limit(before: Values, after: Values) -> float:
    """``quantileExact(0.99)`` of the differences of medians of random halves, relative to the median of ``before``."""
    n = len(before)
    shuffled = np.concatenate([before, after]).astype(np.float32)[_relabellings(2 * n)]  # as many digits as were kept
    differences = np.abs(_exact_median(shuffled[:, :n]) - _exact_median(shuffled[:, n:]))
    return float(np.sort(differences)[int(0.99 * _RELABELLINGS)] / _exact_median(before))


@functools.cache
def _relabellings(count: int) -> NDArray[np.int16]:
    """Orders of ``count`` values; the same for all trials, which took most of their time otherwise."""
    orders = np.broadcast_to(np.arange(count, dtype=np.int16), (_RELABELLINGS, count))
    return np.random.default_rng(0).permuted(orders, axis=1)


def _exact_median(values: NDArray[np.floating]) -> Values:
    """``medianExact``: of an even number the upper of the two in the middle."""
    middle = values.shape[-1] // 2
    return np.asarray(np.partition(values, middle, axis=-1)[..., middle])


def tango(before: Values, after: Values) -> int:
    """tango-bench: |z| of the mean difference at least 2.6, and the mean beyond 0.5 % of the baseline's.

    After ``DiffEstimate::build`` of its ``lib.rs``. By default it drops no outliers.
    """
    differences = after - before
    mean = differences.mean()
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    # Nothing differs: the tool divides by 0 there, and no comparison with what comes out is true.
    if error == 0 or abs(mean / error) < 2.6 or abs(mean / before.mean()) <= 0.005:
        return 0
    return int(np.sign(mean))


def tango_filtered(before: Values, after: Values) -> int:
    """The same with ``--filter-outliers``: as many pairs dropped at either end as lie 1.5 quartile ranges below.

    After ``iqr_variance_thresholds`` of its ``lib.rs``: those on top are not counted, a range is at least 1 ns.
    """
    order = np.argsort(after - before, kind="stable")
    differences = (after - before)[order]
    n = len(differences)
    low, high = differences[n // 4], differences[n * 3 // 4 - 1]
    outliers = int(np.searchsorted(differences, low - 1.5 * max(high - low, 1e-9)))
    kept = order[outliers : n - outliers]
    return tango(before[kept], after[kept])


SEQUENTIAL: dict[str, Rule] = {
    "mean:5% (pytest-benchmark)": mean_5,
    "median:5%": median_5,
    "min:5%": min_5,
    "Mann-Whitney (benchstat)": mann_whitney,
}
"""Rules that their users apply to one block of before, then one of after."""
INTERLEAVED: dict[str, Rule] = SEQUENTIAL | {
    "relabelling (ClickHouse)": relabelling,
    "tango": tango,
    "tango --filter-outliers": tango_filtered,
}
"""The same, and those that interleave, on values taken in turn."""
CONDENSED: dict[str, Rule] = {"Mann-Whitney (benchstat), one number a process": mann_whitney}
"""Those that take values for independent, on the median of each process instead of all its requests."""
