"""Looking several times at growing data without alarming more often than when looking once.

When nothing has changed, a test statistic over time behaves as Brownian motion B(t), t being the share of the planned
data. A look alarms when |B(t)| / sqrt(t) reaches its boundary z; the boundaries are chosen so that the probability of
an alarm up to each look is what a spending function allows there (Lan & DeMets, Biometrika 70, 1983). It is found by
integrating the density of the paths that have not alarmed yet from look to look (Armitage, McPherson & Rowe, J. R.
Statist. Soc. A 132, 1969; Jennison & Turnbull, Group Sequential Methods, 2000, chapter 19).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.statistics.floats import first
from harness.statistics.normal import lower_tail

Spending = Callable[[float, float], float]
"""From a two-sided level and a share of the data, 0 < t <= 1, to what of the level may be used up by then."""

_NODES = 48
"""Points of the density on one side of zero: an error of 1e-4 in z when looks are 1 % of the data apart."""
_FARTHEST = 37.0
"""No boundary is set farther out: the probability beyond, 1e-299, is the last that a float can hold."""
_EMPTY = 9.0
"""Beyond so many standard deviations there is no density worth integrating."""


def pocock_spending(alpha: float, t: float) -> float:
    """Spends evenly: boundaries that hardly differ. Lan & DeMets (1983), after Pocock (Biometrika 64, 1977)."""
    return alpha * math.log1p((math.e - 1) * t)


@lru_cache
def boundaries(looks: tuple[int, ...], alpha: float, spending: Spending = pocock_spending) -> tuple[float, ...]:
    """For every look the z at which it alarms, so that any does with probability ``alpha`` (two-sided) in all.

    ``looks`` are the amounts of data at which is looked, ascending, the last being all. ValueError if they are not.
    """
    if not looks or any(later <= earlier for earlier, later in zip((0, *looks), looks, strict=False)):
        raise ValueError(f"looks have to be positive and ascending, not {looks}")
    found = []
    paths, spent, reached = _Paths((0.0,), (0.5,)), 0.0, 0.0
    for look in looks:
        t = look / looks[-1]
        allowed, step, scale = spending(alpha, t), math.sqrt(t - reached), math.sqrt(t)
        z = paths.limit(allowed - spent, step, _FARTHEST * scale) / scale
        found.append(z)
        if look < looks[-1]:
            paths = paths.within(min(z, _EMPTY) * scale, step)
        spent, reached = allowed, t
    return tuple(found)


def nominal_level(z: float) -> float:
    """The two-sided level of a single test with boundary ``z``."""
    return 2 * lower_tail(-z)


@dataclass(frozen=True, slots=True)
class _Paths:
    """All paths that have not alarmed yet: masses at places >= 0, each standing for its mirror image as well."""

    places: Sequence[float]
    masses: Sequence[float]

    def limit(self, probability: float, step: float, farthest: float) -> float:
        """The distance from zero that with ``probability`` is exceeded one ``step`` (standard deviation) later."""
        half = probability / 2  # the mirror images exceed it on the other side

        def is_rare(limit: float) -> bool:
            weighted = zip(self.masses, self.places, strict=True)
            beyond = (m * (lower_tail((x - limit) / step) + lower_tail((-x - limit) / step)) for m, x in weighted)
            return sum(beyond) <= half

        return first(is_rare, 0.0, farthest)

    def within(self, limit: float, step: float) -> "_Paths":
        """Those that are closer to zero than ``limit`` one ``step`` later."""
        exp, narrow = math.exp, -1 / (2 * step * step)
        weighted = tuple(zip(self.masses, self.places, strict=True))
        places, masses = [], []
        for node, weight in _gauss_legendre(_NODES):
            y = limit * node
            density = sum(m * (exp(narrow * (y - x) ** 2) + exp(narrow * (y + x) ** 2)) for m, x in weighted)
            places.append(y)
            masses.append(limit * weight * density / (step * math.sqrt(2 * math.pi)))
        return _Paths(places, masses)


@lru_cache
def _gauss_legendre(n: int) -> tuple[tuple[float, float], ...]:
    """Nodes and weights of the ``n``-point rule on [0, 1]: roots of the Legendre polynomial by Newton's method."""
    rule = []
    for i in range(n):
        x = math.cos(math.pi * (i + 0.75) / (n + 0.5))
        slope = 0.0
        for _ in range(6):  # the start is so good that each step doubles the digits
            value, slope = _legendre(n, x)
            x -= value / slope
        rule.append(((1 + x) / 2, 1 / ((1 - x * x) * slope * slope)))
    return tuple(rule)


def _legendre(n: int, x: float) -> tuple[float, float]:
    """The Legendre polynomial of degree ``n`` and its slope, by Bonnet's recursion; -1 < x < 1."""
    before, value = 1.0, x
    for degree in range(2, n + 1):
        before, value = value, ((2 * degree - 1) * x * value - (degree - 1) * before) / degree
    return value, n * (x * value - before) / (x * x - 1)
