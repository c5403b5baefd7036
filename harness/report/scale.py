"""Where numbers lie in pictures: one axis for all changes, and ticks for all others."""

import math
from collections.abc import Sequence

CHANGE_LIMIT = 1.0
"""The axis of changes ends at −100 % and +100 %; what lies beyond is drawn as an arrow at the edge."""
_KNEE = 0.05
"""Up to about this change the axis is linear, then logarithmic: 1 % and 100 % can both be read from it."""


def on_change_axis(change: float) -> float:
    """The place of a change on the common axis, from -1 (−100 % or less) over 0 to 1 (+100 % or more)."""
    place = math.asinh(change / _KNEE) / math.asinh(CHANGE_LIMIT / _KNEE)
    return max(-1.0, min(1.0, place))


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers (steps of 1, 2 or 5 times a power of ten) from ``low`` to ``high``."""
    if not low < high:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def time_limit(times: Sequence[float]) -> float:
    """Where a time axis ends so that the early ``times`` can be read: late ones that dwarf the rest stay outside."""
    ordered = sorted(times)
    while len(ordered) > 2 and ordered[-1] > 4 * ordered[-2] > 0:
        ordered.pop()
    return ordered[-1]
