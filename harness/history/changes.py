"""Change points: where the values of a metric move to another level and stay there. For people to look at; no verdict
and no exit code depends on them.

The method is kernel change point detection (Arlot, Celisse, Harchaoui: A kernel multiple change-point algorithm via
model selection, JMLR 20, 2019) as ruptures has it, on the logarithms of the runs' medians, with a Gaussian kernel as
wide as the noise of one run. That is estimated from the differences of neighbouring runs, where steps hardly count.
"""

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

LEAST_RUNS = 4
"""Runs on each side of a change point. A single slow run is none, however slow."""
PENALTY = 3.0
"""What another change point has to pay for itself, in units of the kernel's cost."""
_GAMMA = 0.5
"""exp(-gamma * d^2) is a Gaussian of standard deviation 1 in units of the noise."""
_NORMAL_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
_QUIET = 4.0
"""A series that hardly ever moves: its smallest movement counts as this many times the noise."""


def detector() -> Any | None:
    """The class that detects, or None: it is the extra [changepoints], and not made for every Python."""
    try:
        import ruptures
    except ImportError:
        return None
    return ruptures.KernelCPD


def change_points(values: Sequence[float], kernel_cpd: Any) -> tuple[int, ...]:
    """The positions at which a new level begins, of ``values`` in the order of time.

    ``kernel_cpd`` is what ``detector`` gave. Values that have no logarithm (a count of 0) are taken as they are.
    """
    import numpy as np

    if len(values) < 2 * LEAST_RUNS:
        return ()
    levels = [math.log(value) for value in values] if min(values) > 0 else list(values)
    noise = _noise(levels)
    if noise == 0:
        return ()
    signal = np.array(levels).reshape(-1, 1) / noise
    model = kernel_cpd(kernel="rbf", min_size=LEAST_RUNS, params={"gamma": _GAMMA}).fit(signal)
    return tuple(int(end) for end in model.predict(pen=PENALTY)[:-1])


def _noise(levels: Sequence[float]) -> float:
    """Standard deviation of one run: the difference of two has √2 times that."""
    differences = [after - before for before, after in pairwise(levels)]
    middle = statistics.median(differences)
    noise = _NORMAL_MAD * statistics.median(abs(d - middle) for d in differences) / math.sqrt(2)
    if noise > 0:
        return noise
    return min((abs(d) for d in differences if d), default=0.0) / _QUIET
