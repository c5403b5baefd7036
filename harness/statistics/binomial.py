"""Binomial tails and the exact interval of a share, for real-valued counts too.

P(X >= k) of n trials with probability p is the regularised incomplete beta function I_p(k, n - k + 1), which needs no
whole numbers (DLMF 8.17.5).
"""

import math

from harness.statistics.floats import first
from harness.statistics.normal import lower_tail

_TINY = 1e-300
_HUGE = 1e9
"""Above so many events and non-events the normal approximation is more exact than a difference of log-gammas."""


def at_least(k: float, n: float, p: float) -> float:
    """P(X >= k) for a binomial X of ``n`` trials with probability ``p``."""
    if k <= 0:
        return 1.0
    if min(k, n - k) > _HUGE and 0 < p < 1:
        return lower_tail((n * p - k + 0.5) / math.sqrt(n * p * (1 - p)))
    return incomplete_beta(k, n - k + 1, p)


def at_most(k: float, n: float, p: float) -> float:
    """P(X <= k) for a binomial X of ``n`` trials with probability ``p``."""
    return at_least(n - k, n, 1 - p)


def clopper_pearson(k: float, n: float, alpha: float) -> tuple[float, float]:
    """The exact interval of the share behind ``k`` of ``n``; it misses with probability <= ``alpha``.

    Clopper & Pearson, Biometrika 26 (1934).
    """
    low = first(lambda p: at_least(k, n, p) >= alpha / 2, 0.0, 1.0) if k > 0 else 0.0
    high = first(lambda p: at_most(k, n, p) <= alpha / 2, 0.0, 1.0) if k < n else 1.0
    return low, high


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b) for a, b > 0 and 0 <= x <= 1."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # there the fraction of the mirror image converges faster
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / a * _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction DLMF 8.17.22 by Lentz's method; about sqrt(max(a, b)) steps."""
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    value, m = d, 0
    while True:
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        previous = value
        for term in (even, odd):
            c, d = _nonzero(1 + term / c), 1 / _nonzero(1 + term * d)
            value *= c * d
        if abs(value - previous) <= 1e-14 * abs(value):
            return value


def _nonzero(number: float) -> float:
    return number if abs(number) > _TINY else _TINY
