"""Bounds that a project sets on a metric, held against what was measured: limits of a change, budgets of ``after``."""

import math
from collections.abc import Iterator
from statistics import fmean, median

from harness.judge.comparison import Bound, BoundState, Comparison, Verdict
from harness.judge.samples import round_values, summarise, totals
from harness.model import Metric, Sample
from harness.statistics.binomial import clopper_pearson
from harness.statistics.order import median_interval
from harness.statistics.rates import dispersion
from harness.statistics.tails import quantile

Interval = tuple[float, float]


def tests(metric: Metric) -> int:
    """How many tests the judgement of a gated metric takes: its change, and its budget.

    A limit takes none: it is read from the interval of the change.
    """
    return 1 + (metric.budget is not None)


def bounds_of(comparison: Comparison, before: Sample | None, after: Sample | None, alpha: float) -> tuple[Bound, ...]:
    """Every bound of the compared metric, and whether it holds; ``alpha`` is the level of a budget's interval.

    A bound on the change needs a judged change, a budget only values of ``after``.
    """
    if comparison.verdict is Verdict.INVALID:
        return ()
    limits = _limits(comparison, before) if before is not None else ()
    return (*limits, *(_budget(after, alpha) if after is not None else ()))


def _limits(comparison: Comparison, before: Sample) -> Iterator[Bound]:
    metric, effect = comparison.metric, comparison.effect
    if effect is None:
        return
    change = effect.low, effect.high
    if metric.limit is not None:
        worse = _relative_worsening(change, comparison)
        yield Bound("limit", metric.limit, worse, _state(comparison, worse, metric.limit, 1.0))
    if metric.absolute_limit is not None:
        base = _base(before) if comparison.scale == "relative" else 1.0
        worse = _worsening((change[0] * base, change[1] * base), metric)
        state = _state(comparison, worse, metric.absolute_limit, base)
        yield Bound("absolute limit", metric.absolute_limit, worse, state)


def _base(before: Sample) -> float:
    """What a relative change is a part of: what ``before`` was measured to be."""
    if before.metric.kind == "count":
        return fmean(before.values)
    q = before.metric.quantile
    return median(before.values) if q is None else quantile(before.values, q)


def _worsening(change: Interval, metric: Metric) -> Interval:
    low, high = change
    return (low, high) if metric.better == "lower" else (-high, -low)


def _relative_worsening(change: Interval, comparison: Comparison) -> Interval:
    """Half of what should be more is as bad as twice of what should be less: a worsening of 100 %."""
    metric, (low, high) = comparison.metric, change
    if metric.kind == "rate":
        return _worsening(change, metric)
    if comparison.scale == "absolute":  # a count from zero: no part of it
        low, high = (math.inf if end > 0 else end for end in change)
    return (low, high) if metric.better == "lower" else (_inverse(high), _inverse(low))


def _inverse(change: float) -> float:
    return math.inf if change <= -1 else 1 / (1 + change) - 1


def _state(comparison: Comparison, worse: Interval, bound: float, unit: float) -> BoundState:
    """The floor is the least limit, as what is below it never alarms; ``unit`` is what a change of 1 amounts to."""
    metric, (low, high) = comparison.metric, worse
    most = max(bound, metric.floor * unit)
    if low > most and comparison.verdict is Verdict.REGRESSED:
        return "broken"
    shown = comparison.verdict is Verdict.UNCHANGED and most >= metric.smallest_effect * unit
    return "kept" if high <= most or shown else "undecided"


def _budget(after: Sample, alpha: float) -> Iterator[Bound]:
    budget = after.metric.budget
    if budget is None or summarise(after) is None:
        return
    low, high = own_interval(after, alpha)
    if after.metric.better == "higher":
        state: BoundState = "broken" if high < budget else "kept" if low >= budget else "undecided"
    else:
        state = "broken" if low > budget else "kept" if high <= budget else "undecided"
    yield Bound("budget", budget, (low, high), state)


def own_interval(sample: Sample, alpha: float) -> Interval:
    """The interval of one variant's median, or of its share, that misses it with probability of at most ``alpha``.

    Between two order statistics of the rounds' medians (the sign test inverted); of a share Clopper and Pearson's, its
    trials divided by the dispersion of the rounds.
    """
    if sample.metric.kind == "rate":
        rounds = totals(sample)
        excess = dispersion(rounds)
        hits, trials = (sum(column) / excess for column in zip(*rounds, strict=True))
        return clopper_pearson(hits, trials, alpha) if 2 ** (1 - len(rounds)) <= alpha else (0.0, 1.0)
    return median_interval(round_values(sample), alpha)
