"""What two samples say about one change, before anything is judged."""

import math
from dataclasses import dataclass
from typing import Protocol

from harness.judge.comparison import Scale
from harness.judge.samples import logs_by_round, round_log_ratios, round_logs, totals, totals_of_both
from harness.model import Metric, Sample
from harness.statistics import rank_sum, signed_rank
from harness.statistics.counts import paired_ratio, ratio_test
from harness.statistics.rates import paired_shares, share_test
from harness.statistics.tails import TailTest

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
    own_alpha: float
    """What of ``alpha`` is left for the test itself; the rest is the error of a ``slack`` that was measured."""
    inner_alpha: float
    paired: bool
    slack: float
    """How far apart two sessions may lie without any change."""
    units: int
    """Rounds."""
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
    before: Sample,
    after: Sample,
    *,
    paired: bool,
    alpha: float,
    inner_alpha: float,
    between_sessions: float,
    own_share: float = 1.0,
) -> Evidence:
    """Weigh two valid samples at the two-sided level ``alpha``, by the procedure that fits their kind.

    ``inner_alpha`` is the two-sided level of the interval that shows "unchanged".
    ``between_sessions`` is the factor by which the same work may differ when they are not ``paired``; where it is
    known with a certain error only, the share ``own_share`` of each level remains for the test.
    """
    slack = 0.0 if paired or before.metric.kind == "rate" else math.log(between_sessions)
    share = own_share if slack else 1.0
    test, units, method = _procedure(before, after, paired=paired)
    floor, _ = margins(after.metric)
    return Evidence(
        value=test.estimate(),
        interval=_widened(test.interval(share * alpha), slack),
        inner=_widened(test.interval(share * inner_alpha), slack),
        p_value=min(1.0, test.p_value(floor + slack) / share),
        alpha=alpha,
        own_alpha=share * alpha,
        inner_alpha=inner_alpha,
        paired=paired,
        slack=slack,
        units=units,
        fewest=fewest(share * alpha, paired=paired),
        scale="absolute" if before.metric.kind == "rate" else "relative",
        method=method,
    )


def fewest(alpha: float, *, paired: bool) -> int:
    """With fewer rounds no change can ever be called at the two-sided level ``alpha``."""
    return signed_rank.fewest(alpha) if paired else rank_sum.fewest(alpha)


def _procedure(before: Sample, after: Sample, *, paired: bool) -> tuple[EffectTest, int, str]:
    """A test, how many rounds it rests on, and its name."""
    kind, quantile = before.metric.kind, before.metric.quantile
    if kind != "noisy":
        rounds = totals_of_both(before, after) if paired else (totals(before), totals(after))
        units = min(map(len, rounds))
        if paired:
            exchanged = paired_shares(*rounds) if kind == "rate" else paired_ratio(*rounds)
            return exchanged, units, "paired randomisation"
        return (
            (share_test(*rounds), units, "Fisher exact")
            if kind == "rate"
            else (ratio_test(*rounds), units, "Poisson totals")
        )
    if not paired:
        logs = round_logs(before), round_logs(after)
        return rank_sum.rank_sum(*logs), min(map(len, logs)), "unpaired rank-sum"
    if quantile is not None:
        old, new = logs_by_round(before, after)
        return TailTest(old, new, quantile), len(old), f"pooled {100 * quantile:.4g} % quantile"
    ratios = round_log_ratios(before, after)
    return signed_rank.signed_rank(ratios), len(ratios), "paired signed-rank"


def _widened(interval: tuple[float, float], slack: float) -> tuple[float, float]:
    low, high = interval
    return low - slack, high + slack
