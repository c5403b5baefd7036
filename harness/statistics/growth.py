"""How a cost grows with size: the exponent of a power law, fitted to measurements at several sizes.

Ordinary least squares of log(cost) on log(size): cost = c * size ** exponent is a straight line there, and what is
equally large in relation to the cost weighs the same at every size. Slope, standard error, interval: the usual ones
(Draper & Smith, Applied Regression Analysis, 3rd ed. 1998, ch. 1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.statistics.student import two_sided


@dataclass(frozen=True, slots=True)
class Growth:
    """A fitted power law. An exponent of 1 is linear growth, 2 quadratic, 0 none."""

    exponent: float
    standard_error: float
    """Of the exponent. NaN with two points, which every line fits."""
    n: int

    def interval(self, alpha: float) -> tuple[float, float]:
        """The interval that misses the true exponent with probability ``alpha``, if the logs scatter normally around a
        line. Unbounded with two points.

        Fixed costs bend the line at small sizes; then the exponent belongs to the sizes measured, and to no others.
        """
        if self.n < 3:
            return -math.inf, math.inf
        half = two_sided(alpha, self.n - 2) * self.standard_error
        return self.exponent - half, self.exponent + half


def growth(sizes: Sequence[float], costs: Sequence[float]) -> Growth:
    """Fit ``costs`` (all > 0, any unit) at ``sizes`` (all > 0, at least two different ones).

    Raises ValueError when they are not so many, or cannot be fitted.
    """
    n = len(sizes)
    if n != len(costs) or len(set(sizes)) < 2:
        raise ValueError(f"{n} sizes and {len(costs)} costs: as many of both are needed, and two different sizes")
    if not all(0 < value < math.inf for value in (*sizes, *costs)):
        raise ValueError("sizes and costs have to be above zero, and finite")
    xs, ys = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    x_mean, y_mean = math.fsum(xs) / n, math.fsum(ys) / n
    spread = math.fsum((x - x_mean) ** 2 for x in xs)
    exponent = math.fsum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / spread
    level = y_mean - exponent * x_mean
    residual = math.fsum((y - level - exponent * x) ** 2 for x, y in zip(xs, ys, strict=True))
    error = math.sqrt(residual / (n - 2) / spread) if n > 2 else math.nan
    return Growth(exponent, error, n)
