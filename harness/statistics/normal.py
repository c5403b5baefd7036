"""The standard normal distribution."""

import math
from statistics import NormalDist

_STANDARD = NormalDist()


def quantile(probability: float) -> float:
    """The z below which a standard normal value falls with ``probability`` (strictly between 0 and 1)."""
    return _STANDARD.inv_cdf(probability)


def lower_tail(z: float) -> float:
    """P(Z <= z), with full relative precision far out in the lower tail."""
    return math.erfc(-z / math.sqrt(2)) / 2


def two_sided(alpha: float) -> float:
    """The z that a standard normal value exceeds in size with probability ``alpha``."""
    return -quantile(alpha / 2)
