"""What two samples say about one change, before anything is judged."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from harness.judge.comparison import Scale
from harness.judge.samples import logs_by_round, round_log_ratios, round_logs
from harness.model import Metric, Sample
from harness.statistics import rank_sum, signed_rank
from harness.statistics.counts import ratio_test
from harness.statistics.rates import ShareTest
from harness.statistics.tails import tail_test

EQUIVALENCE = 0.10
"""Two-sided error of the interval that shows "unchanged": 5 % on each side, as in two one-sided tests (Schuirmann,
J. Pharmacokin. Biopharm. 15, 1987)."""

_LARGEST_LOG = 700.0
"""Beyond it a ratio is as good as infinite."""


class EffectTest(Protocol):
    """A procedure that estimates one change on a scale where a change and its reversal are x and -x."""

    def estimate(self) -> float:
        """The most plausible change."""

    def interval(self, alpha: float) -> tuple[float, float]:
        """The changes not excluded at the two-sided level ``alpha``."""

    def p_value(self, margin: float) -> float:
        """Two-sided, against "the change lies within +-margin"."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A change on its natural scale: the logarithm of after/before, or the difference of two shares."""

    value: float
    interval: tuple[float, float]
    """At the level of the test, ``alpha``; widened by ``slack`` on both sides."""
    inner: tuple[float, float]
    """At the level ``inner_alpha``; widened as well."""
    p_value: float
    """Two-sided, against "the change does not exceed floor and slack"."""
    alpha: float
    inner_alpha: float
    paired: bool
    slack: float
    """How far apart two sessions may lie without any change."""
    units: int
    unit: Literal["round", "value"]
    fewest: int
    """With fewer units no change can ever be called."""
    scale: Scale
    method: str

    def reported(self, change: float) -> float:
        """A change as reports show it: a relative one as after/before - 1, an absolute one as it is."""
        if self.scale == "absolute":
            return change
        return math.expm1(change) if change < _LARGEST_LOG else math.inf


def margins(metric: Metric) -> tuple[float, float]:
    """Floor and smallest effect of a metric on the natural scale of its evidence."""
    if metric.kind == "rate":
        return metric.floor, metric.smallest_effect
    return math.log1p(metric.floor), math.log1p(metric.smallest_effect)


def weigh(
    before: Sample, after: Sample, *, paired: bool, alpha: float, inner_alpha: float, between_sessions: float
) -> Evidence:
    """Weigh two valid samples at the two-sided level ``alpha``, by the procedure that fits their kind.

    ``inner_alpha`` is the two-sided level of the interval that shows "unchanged".
    ``between_sessions`` is the factor by which the same work may differ when they are not ``paired``.
    """
    slack = 0.0 if paired or before.metric.kind == "rate" else math.log(between_sessions)
    test, units, unit, fewest, method = _procedure(before, after, paired=paired, alpha=alpha)
    floor, _ = margins(after.metric)
    return Evidence(
        value=test.estimate(),
        interval=_widened(test.interval(alpha), slack),
        inner=_widened(test.interval(inner_alpha), slack),
        p_value=test.p_value(floor + slack),
        alpha=alpha,
        inner_alpha=inner_alpha,
        paired=paired,
        slack=slack,
        units=units,
        unit=unit,
        fewest=fewest,
        scale="absolute" if before.metric.kind == "rate" else "relative",
        method=method,
    )


_Procedure = tuple[EffectTest, int, Literal["round", "value"], int, str]
"""A test, its independent units and what they are, the fewest that can show a change, and its name."""


def _procedure(before: Sample, after: Sample, *, paired: bool, alpha: float) -> _Procedure:
    fewer = min(len(before.values), len(after.values))
    match before.metric.kind:
        case "rate":
            hits = ((int(sum(sample.values)), len(sample.values)) for sample in (before, after))
            return ShareTest(*hits), fewer, "value", 1, "Fisher exact"
        case "count":
            return ratio_test(before.values, after.values), fewer, "value", 1, "Poisson totals"
        case "noisy" if paired and before.metric.quantile is not None:
            old, new = logs_by_round(before, after)
            tails = tail_test(old, new, before.metric.quantile, alpha)
            name = f"pooled {100 * before.metric.quantile:.4g} % quantile"
            return tails, len(old), "round", signed_rank.fewest(alpha), name
        case "noisy" if paired:
            ratios = round_log_ratios(before, after)
            test = signed_rank.signed_rank(ratios)
            return test, len(ratios), "round", signed_rank.fewest(alpha), "paired signed-rank"
        case "noisy":
            logs = round_logs(before), round_logs(after)
            units = min(map(len, logs))
            return rank_sum.rank_sum(*logs), units, "round", rank_sum.fewest(alpha), "unpaired rank-sum"


def _widened(interval: tuple[float, float], slack: float) -> tuple[float, float]:
    low, high = interval
    return low - slack, high + slack
