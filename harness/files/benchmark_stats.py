"""The statistics that pytest-benchmark 5.x stores, by its own rules: its tools show what they would have computed.

For interchange only: no verdict of ours rests on them.
"""

import statistics
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Sequence


def stats_of(values: Sequence[float]) -> dict[str, object]:
    """The ``stats`` object of one benchmark, in seconds. ``values``: at least one, all > 0."""
    ordered = sorted(values)
    mean, total = statistics.mean(values), sum(values)
    stddev = statistics.stdev(values) if len(values) > 1 else 0.0
    q1, q3 = _quartiles(ordered)
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    beyond_stddev = _outside(values, mean - stddev, mean + stddev)
    beyond_fences = _outside(values, low, high)
    return {
        "data": list(values),
        "hd15iqr": ordered[bisect_right(ordered, high) - 1],
        "iqr": q3 - q1,
        "iqr_outliers": beyond_fences,
        "iterations": 1,
        "ld15iqr": ordered[bisect_left(ordered, low)],
        "max": ordered[-1],
        "mean": mean,
        "median": statistics.median(ordered),
        "min": ordered[0],
        "ops": min(len(values) / total, sys.float_info.max),  # JSON has no infinity
        "outliers": f"{beyond_stddev};{beyond_fences}",
        "q1": q1,
        "q3": q3,
        "rounds": len(values),
        "stddev": stddev,
        "stddev_outliers": beyond_stddev,
        "total": total,
    }


def _outside(values: Sequence[float], low: float, high: float) -> int:
    return sum(value < low or value > high for value in values)


def _quartiles(ordered: Sequence[float]) -> tuple[float, float]:
    """Quartiles by methods 2 (even count) and 3 (odd count) of https://en.wikipedia.org/wiki/Quartile."""
    count = len(ordered)
    if count == 1:
        return ordered[0], ordered[0]
    if count % 2 == 0:
        return statistics.median(ordered[: count // 2]), statistics.median(ordered[count // 2 :])
    n, near = count // 4, 0.25 if count % 4 == 1 else 0.75
    lower = n - 1 if count % 4 == 1 else n
    upper = 3 * n if count % 4 == 1 else 3 * n + 1
    return (
        near * ordered[lower] + (1 - near) * ordered[lower + 1],
        (1 - near) * ordered[upper] + near * ordered[upper + 1],
    )
