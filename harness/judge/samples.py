"""From samples to the independent units that are compared."""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise
from operator import sub
from statistics import median, quantiles
from typing import TypeVar

from harness.judge.comparison import Summary
from harness.model import Sample
from harness.statistics.rates import wilson
from harness.statistics.tails import quantile

K = TypeVar("K", bound=Hashable)

_RUN = 64
"""Sorted stretches of so many values are merged as quickly as a whole sample is sorted."""


def round_log_ratios(before: Sample, after: Sample) -> list[float]:
    """One ln(after/before) for every round measured in both: the median over the round's pairs, in order of rounds."""
    if _side_by_side(before, after):
        logs = list(map(sub, map(math.log, after.values), map(math.log, before.values)))
        return list(map(median, _of_rounds(before.rounds, logs)))
    old, new = _by_pair(before), _by_pair(after)
    ratios = ((key[0], math.log(new[key]) - math.log(old[key])) for key in sorted(old.keys() & new.keys()))
    return list(_medians(ratios).values())


def have_pairs(before: Sample, after: Sample) -> bool:
    """Whether any pair was measured in both."""
    return _side_by_side(before, after) or bool(_by_pair(before).keys() & _by_pair(after).keys())


def round_logs(sample: Sample) -> list[float]:
    """One ln(value) for every round: the median over the round's values."""
    return list(map(_log_median, _ordered(_Itself(sample)).rounds or _sorted_rounds(sample)))


def _log_median(ordered: Sequence[float]) -> float:
    """The median of ln(value); as the logarithm rises with its argument, of the values in the middle only."""
    n = len(ordered)
    low, high = ordered[(n - 1) // 2], ordered[n // 2]
    return math.log(low) if low == high else (math.log(low) + math.log(high)) / 2


def logs_by_round(before: Sample, after: Sample) -> tuple[list[list[float]], list[list[float]]]:
    """All ln(value) of both samples, by round; of the rounds that were measured in both, in order."""
    old, new = _by_round(before), _by_round(after)
    both = sorted(old.keys() & new.keys())
    return [old[number] for number in both], [new[number] for number in both]


def totals(sample: Sample) -> list[tuple[float, int]]:
    """Of every round the sum of its values and how many there are."""
    return [(sum(values), len(values)) for values in _of_rounds(sample.rounds, sample.values)]


def totals_of_both(before: Sample, after: Sample) -> tuple[list[tuple[float, int]], list[tuple[float, int]]]:
    """The same of both samples; of the rounds that were measured in both, in order."""
    old, new = (dict(zip(dict.fromkeys(sample.rounds), totals(sample), strict=True)) for sample in (before, after))
    both = sorted(old.keys() & new.keys())
    return [old[number] for number in both], [new[number] for number in both]


def round_values(sample: Sample) -> list[float]:
    """One value for every round: the median over the round's values, or that quantile which the metric is."""
    groups, q = _of_rounds(sample.rounds, sample.values), sample.metric.quantile
    return [median(group) if q is None else quantile(group, q) for group in groups]


def units_of(before: Sample, after: Sample, *, paired: bool) -> int:
    """How many rounds can be compared: those measured in both; of two sessions, those of the shorter."""
    old, new = set(before.rounds), set(after.rounds)
    return len(old & new) if paired else min(len(old), len(new))


def lonely_rounds(before: Sample, after: Sample) -> int:
    """How many rounds were measured in one of the samples only."""
    return len(set(before.rounds) ^ set(after.rounds))


def unmatched(before: Sample, after: Sample) -> int:
    """How many pairs were measured in one of the samples only."""
    if _side_by_side(before, after):
        return 0
    return len(_by_pair(before).keys() ^ _by_pair(after).keys())


def summarise(sample: Sample) -> Summary | None:
    """The sample in a line; None when it has no values, or some that are no numbers."""
    values = sample.values
    if not values or not all_finite(sample):
        return None
    if sample.metric.kind == "rate":
        return _share(values)
    ordered = ascending(sample)
    centre, spread = median(ordered), ordered  # what is sorted already is sorted again in no time
    if (q := sample.metric.quantile) is not None and 0 < q < 1:
        centre, spread = quantile(values, q), round_values(sample)
    q1, _, q3 = quantiles(spread, n=4, method="inclusive") if len(spread) > 1 else spread * 3
    return Summary(len(values), centre, q1, q3)


def all_finite(sample: Sample) -> bool:
    """Whether no value is NaN or infinite."""
    ordered = ascending(sample)
    return math.isfinite(sum(ordered)) or all(map(math.isfinite, ordered))


def ascending(sample: Sample) -> list[float]:
    """All values, the smallest first; in no order when one is NaN. Not to be changed."""
    return _ordered(_Itself(sample)).values


class _Itself:
    """A sample as a key: equal to itself only, and so without a look at all its values."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample

    def __hash__(self) -> int:
        return id(self.sample)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.sample is other.sample


@dataclass(frozen=True, slots=True)
class _Ordered:
    """A sample, sorted once for all that is asked of it."""

    values: list[float]
    rounds: list[list[float]]
    """The values of each round, sorted as well; empty where rounds are too short for that to cost nothing."""


@lru_cache(maxsize=2)  # one metric of two runs
def _ordered(key: _Itself) -> _Ordered:
    sample = key.sample
    if _RUN * len(_stretches(sample.rounds) or sample.rounds) > len(sample.values):
        return _Ordered(sorted(sample.values), [])
    rounds = _sorted_rounds(sample)
    return _Ordered(sorted(chain.from_iterable(rounds)), rounds)


def _sorted_rounds(sample: Sample) -> list[list[float]]:
    return list(map(sorted, _of_rounds(sample.rounds, sample.values)))


def _share(values: Sequence[float]) -> Summary | None:
    if not set(values) <= {0, 1}:
        return None
    hits = int(sum(values))
    return Summary(len(values), hits / len(values), *wilson(hits, len(values), alpha=0.05))


def _of_rounds(rounds: tuple[int, ...], values: Sequence[float]) -> Sequence[Sequence[float]]:
    """The values of each round, rounds in order of first appearance."""
    if (stretches := _stretches(rounds)) is not None:
        return [values[first:end] for first, end in stretches]
    return list(_groups(zip(rounds, values, strict=True)).values())


@lru_cache(maxsize=8)
def _stretches(rounds: tuple[int, ...]) -> tuple[tuple[int, int], ...] | None:
    """Where each round begins and ends; None, when the values of one are scattered."""
    starts = [index for index, number in enumerate(rounds) if index == 0 or rounds[index - 1] != number]
    return tuple(pairwise([*starts, len(rounds)])) if len(starts) == len(set(rounds)) else None


def _side_by_side(before: Sample, after: Sample) -> bool:
    """Whether both hold the same pairs, each once and in order: then value i of both is pair i."""
    return before.rounds == after.rounds and before.pairs == after.pairs and _in_order(before.rounds, before.pairs)


@lru_cache(maxsize=8)
def _in_order(rounds: tuple[int, ...], pairs: tuple[int, ...]) -> bool:
    keys = zip(rounds, pairs, strict=True)
    return all(earlier < later for earlier, later in pairwise(keys))


def _by_pair(sample: Sample) -> dict[tuple[int, int], float]:
    keys = zip(sample.rounds, sample.pairs, strict=True)
    return _medians(zip(keys, sample.values, strict=True))


def _by_round(sample: Sample) -> dict[int, list[float]]:
    return _groups(zip(sample.rounds, map(math.log, sample.values), strict=True))


def _medians(items: Iterable[tuple[K, float]]) -> dict[K, float]:
    return {key: median(group) for key, group in _groups(items).items()}


def _groups(items: Iterable[tuple[K, float]]) -> dict[K, list[float]]:
    groups: defaultdict[K, list[float]] = defaultdict(list)
    for key, value in items:
        groups[key].append(value)
    return groups
