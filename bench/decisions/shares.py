"""Shares with their uncertainty, as they stand in the tables."""

from collections.abc import Iterable

from harness.statistics.rates import wilson


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
