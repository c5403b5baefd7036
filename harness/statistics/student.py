"""Student's t distribution."""

import math

from harness.statistics.binomial import incomplete_beta
from harness.statistics.floats import first


def two_sided(alpha: float, freedom: int) -> float:
    """The t that |T| exceeds with probability ``alpha`` in (0, 1), for T with ``freedom`` >= 1 degrees of freedom.

    P(|T| > t) is the regularised incomplete beta function I_x(freedom / 2, 1 / 2) at x = freedom / (freedom + t²)
    (Abramowitz & Stegun 26.5.27, 26.7.1).
    """
    x = first(lambda x: incomplete_beta(freedom / 2, 0.5, x) >= alpha, 0.0, 1.0)
    return math.sqrt(freedom * (1 - x) / x)
