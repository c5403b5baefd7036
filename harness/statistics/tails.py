"""Quantiles of everything measured, such as the 95th percentile, compared between two sides of the same rounds.

The round is the unit: values of one round are alike, so the interval comes from resampling whole rounds, both sides
together (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13: the percentile interval).
That is a little too narrow when rounds are few, so it does not decide alone: the p-value is that of the exact
randomisation test (Fisher, The Design of Experiments, 1935, section 21), which exchanges the sides of whole rounds. A
random order inside each round makes both labellings equally likely, if nothing has changed.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

MOST_RESAMPLES = 40_000
_LEAST_RESAMPLES = 2000
_IN_EACH_TAIL = 5
"""So many resamples have to lie beyond an end of the interval, else it is at the mercy of single ones."""
_ENOUGH = 200
"""After so many labellings at least as extreme the p-value is known to 7 % and is not small."""
_ROWS = 256
"""Rows of counts that a pool keeps; between two of them it steps."""

Rounds = Sequence[Sequence[float]]


def quantile(values: Sequence[float], q: float) -> float:
    """The smallest of ``values`` that at least the share ``q`` of them do not exceed."""
    return sorted(values)[max(0, _ceiling(q * len(values)) - 1)]


def smallest_level() -> float:
    """The smallest two-sided level at which an interval can be given at all."""
    return 2 * _IN_EACH_TAIL / MOST_RESAMPLES


class Pool:
    """The values of several groups in one order, to find quantiles of any mixture of the groups quickly."""

    def __init__(self, groups: Rounds) -> None:
        pairs = sorted((value, group) for group, values in enumerate(groups) for value in values)
        self._values = [value for value, _ in pairs]
        self._groups = [group for _, group in pairs]
        self._sizes = [len(values) for values in groups]
        self._stride = max(1, math.ceil(len(pairs) / _ROWS))
        self._rows = list(self._counts(len(groups)))

    def _counts(self, groups: int) -> Iterator[tuple[int, ...]]:
        """For every ``stride``-th place: how many values of each group come before it."""
        counts = [0] * groups
        for place, group in enumerate(self._groups):
            if place % self._stride == 0:
                yield tuple(counts)
            counts[group] += 1

    def quantile(self, q: float, weights: Sequence[int]) -> float:
        """The quantile ``q`` when every value of group i is there ``weights[i]`` times (not all 0)."""
        rank = max(1, _ceiling(q * _dot(weights, self._sizes)))
        low, high = 0, len(self._rows)
        while high - low > 1:  # the last row before which fewer than ``rank`` values lie
            middle = (low + high) // 2
            low, high = (middle, high) if _dot(weights, self._rows[middle]) < rank else (low, middle)
        place, seen = low * self._stride, _dot(weights, self._rows[low])
        while (seen := seen + weights[self._groups[place]]) < rank:
            place += 1
        return self._values[place]


@dataclass(frozen=True)
class TailTest:
    """The change of one quantile, in the unit of the values: pass logarithms to compare a ratio."""

    before: Rounds
    """The values of each round, at least one in each."""
    after: Rounds
    """Of the same rounds, in the same order."""
    q: float
    """Which quantile, 0 < q < 1."""
    resamples: int
    """How many resamples to draw; they depend on the number of rounds only, so the same data give the same interval."""

    def estimate(self) -> float:
        """The quantile of everything in ``after`` minus that of everything in ``before``."""
        return self._change([1] * len(self.before))

    def interval(self, alpha: float) -> tuple[float, float]:
        """The percentile interval at the two-sided level ``alpha``; unbounded where the resamples do not reach it."""
        beyond = int(alpha / 2 * self.resamples)
        if beyond < _IN_EACH_TAIL or len(self.before) < 2:
            return -math.inf, math.inf
        return self._resampled[beyond - 1], self._resampled[-beyond]

    def p_value(self, margin: float) -> float:
        """Two-sided, against "the quantile has moved by at most ``margin``" up or down."""
        above = self._exceeds(self.before, self.after, margin)
        under = self._exceeds(self.after, self.before, margin)
        return min(1.0, 2 * min(above, under))

    def _change(self, weights: Sequence[int]) -> float:
        old, new = self._pools
        return new.quantile(self.q, weights) - old.quantile(self.q, weights)

    @cached_property
    def _pools(self) -> tuple[Pool, Pool]:
        return Pool(self.before), Pool(self.after)

    @cached_property
    def _resampled(self) -> list[float]:
        """The changes of all resamples, ascending."""
        rounds = range(len(self.before))
        random = Random(len(rounds))  # noqa: S311 - no secret: repeatable on purpose
        changes = []
        for _ in range(self.resamples):
            weights = [0] * len(rounds)
            for drawn in random.choices(rounds, k=len(rounds)):
                weights[drawn] += 1
            changes.append(self._change(weights))
        return sorted(changes)

    def _exceeds(self, low: Rounds, high: Rounds, margin: float) -> float:
        """The one-sided p-value of "``high`` lies more than ``margin`` above ``low``"."""
        pool = Pool([*([value + margin for value in values] for values in low), *high])

        def change(swapped: Sequence[int]) -> float:
            kept = [1 - swap for swap in swapped]
            return pool.quantile(self.q, [*swapped, *kept]) - pool.quantile(self.q, [*kept, *swapped])

        observed = change([0] * len(low))
        return _share_of_labellings(len(low), self.resamples // 2, lambda swapped: change(swapped) >= observed)


def tail_test(before: Rounds, after: Rounds, q: float, alpha: float) -> TailTest:
    """The test of two sides of the same rounds, with as many resamples as the level ``alpha`` asks for.

    Few, when it asks for more than there may be: those cannot show a change, but that there is none.
    """
    reachable = alpha >= smallest_level()
    wanted = math.ceil(4 * _IN_EACH_TAIL / alpha) if reachable else _LEAST_RESAMPLES
    return TailTest(before, after, q, max(_LEAST_RESAMPLES, min(MOST_RESAMPLES, wanted)))


def _share_of_labellings(rounds: int, most: int, extreme: Callable[[list[int]], bool]) -> float:
    """Which share of all ways to exchange the sides of rounds is ``extreme``; of drawn ones, if there are too many.

    Drawing ends early when the share cannot be small any more (Besag & Clifford, Biometrika 78, 1991).
    """
    ways = 1 << rounds
    if ways <= most:
        return sum(extreme(_bits(code, rounds)) for code in range(ways)) / ways
    random = Random(rounds)  # noqa: S311 - no secret: repeatable on purpose
    found = 0
    for drawn in range(1, most + 1):
        found += extreme(_bits(random.getrandbits(rounds), rounds))
        if found == _ENOUGH:
            return found / drawn
    return (found + 1) / (most + 1)


def _bits(code: int, length: int) -> list[int]:
    return [code >> place & 1 for place in range(length)]


def _dot(weights: Sequence[int], counts: Sequence[int]) -> int:
    return sum(map(int.__mul__, weights, counts))


def _ceiling(rank: float) -> int:
    """Rounded up, but for what is whole and lies above itself by rounding only, as 0.95 * 20."""
    return math.ceil(rank - 1e-9 * max(1.0, rank))
