"""From evidence to a verdict, and what to tell when there is none."""

import math
from collections.abc import Sequence

from harness.judge.comparison import Verdict
from harness.judge.evidence import Evidence, margins
from harness.judge.wording import describe_change, plural
from harness.model import Metric
from harness.statistics.normal import quantile, two_sided
from harness.units import format_value

_POWER = 0.95
_FAR = 100
"""More than so many times the units measured is no advice any more."""


def direction(change: float, metric: Metric) -> Verdict:
    """What a real ``change`` of this sign means for the metric."""
    return Verdict.REGRESSED if (change > 0) == (metric.better == "lower") else Verdict.IMPROVED


def judge(evidence: Evidence, metric: Metric) -> Verdict:
    """A change, when the whole interval lies beyond the floor; unchanged, when all of it is too small to matter."""
    if evidence.p_value <= evidence.alpha and _beyond(evidence, metric):
        return direction(evidence.value, metric)
    return Verdict.UNCHANGED if too_small_to_matter(evidence.inner, metric) else Verdict.INCONCLUSIVE


def too_small_to_matter(interval: tuple[float, float], metric: Metric) -> bool:
    """Whether everything in ``interval``, on the natural scale, is smaller than the smallest effect."""
    _, matters = margins(metric)
    low, high = interval
    return -matters < low and high < matters


def too_coarse(evidence: Evidence, metric: Metric) -> bool:
    """Whether half the interval is as wide as the smallest effect that matters, or wider."""
    return _half(evidence.interval, evidence) >= margins(metric)[1]


def detectable(evidence: Evidence, metric: Metric) -> float | None:
    """The smallest true change, upwards, that this evidence would have called with probability 95 %.

    Floor + slack + (z(level of the test) + z(95 %)) standard errors on the natural scale, the standard error read from
    the width of the interval. None when no change, or none below 100 percentage points, would have been.
    """
    floor, _ = margins(metric)
    half = _half(evidence.interval, evidence)
    if not math.isfinite(half) or evidence.units < evidence.fewest:
        return None
    z = two_sided(evidence.own_alpha)
    change = evidence.reported(floor + evidence.slack + (z + quantile(_POWER)) * half / z)
    return None if evidence.scale == "absolute" and change > 1 else change


def too_few(rounds: int, fewest: int) -> str:
    """Why so few rounds cannot show any change, whatever its size."""
    return f"{plural(rounds, 'round')} cannot show any change within the error budget, it takes at least {fewest}"


def explain_inconclusive(
    evidence: Evidence, metric: Metric, later: Sequence[int] = (), seconds_per_round: float | None = None
) -> str:
    """What is known, what would have been seen, and what would decide: at the next of ``later`` looks that may do."""
    parts = [_known(evidence, metric)]
    if _beyond(evidence, metric):
        parts.append(f"but the exact test is not convinced (p = {evidence.p_value:.2g})")
    visible = detectable(evidence, metric)
    if visible is not None:
        parts.append(f"a change of {describe_change(visible, metric.kind, evidence.scale)} would have been called")
    parts.append(_advice(evidence, metric, later, seconds_per_round))
    return "; ".join(part for part in parts if part)


def _known(evidence: Evidence, metric: Metric) -> str:
    """The narrowest interval that is not unbounded on both sides."""
    for (low, high), alpha in ((evidence.interval, evidence.alpha), (evidence.inner, evidence.inner_alpha)):
        if math.isfinite(low) or math.isfinite(high):
            ends = (describe_change(evidence.reported(end), metric.kind, evidence.scale) for end in (low, high))
            return f"between {' and '.join(ends)} ({100 * (1 - alpha):.4g} % sure)"
    return ""


def _advice(evidence: Evidence, metric: Metric, later: Sequence[int], seconds_per_round: float | None) -> str:
    if evidence.units < evidence.fewest:
        return too_few(evidence.units, evidence.fewest)
    if not evidence.paired:
        return "measure both variants side by side in one session to decide"
    needed = needed_units(evidence, metric)
    if needed is None:
        return "more has to happen to decide"
    most = _FAR * evidence.units
    if needed > most:
        return f"more than {plural(most, 'round')} would be needed to decide"
    more = next((look for look in later if look >= needed), needed) - evidence.units
    takes = "" if seconds_per_round is None else f" (≈ {format_value(more * seconds_per_round, 's')})"
    return f"about {plural(more, 'more round')}{takes} would decide"


def needed_units(evidence: Evidence, metric: Metric) -> int | None:
    """About how many paired units would decide, if the estimate is right.

    Intervals narrow with the root of the number of units; whichever comes first counts: that the interval at ``alpha``
    leaves the floor behind, or that the inner one lies within the smallest effect. None when neither can be foreseen.
    """
    if _beyond(evidence, metric) and evidence.p_value < 1:
        missing = two_sided(evidence.alpha) / two_sided(evidence.p_value)
        return math.ceil(evidence.units * missing**2)
    floor, matters = margins(metric)
    size = abs(evidence.value)
    routes = (
        (_half(evidence.interval, evidence), size - floor),
        (_half(evidence.inner, evidence), matters - size),
    )
    factors = [(half / room) ** 2 for half, room in routes if room > 0 and math.isfinite(half)]
    return max(evidence.units + 1, math.ceil(evidence.units * min(factors))) if factors else None


def _beyond(evidence: Evidence, metric: Metric) -> bool:
    """Whether the whole interval lies beyond the floor; for a rate its exact test may still see it otherwise."""
    floor, _ = margins(metric)
    low, high = evidence.interval
    return low > floor or high < -floor


def _half(interval: tuple[float, float], evidence: Evidence) -> float:
    """Half the width that the data themselves cause."""
    low, high = interval
    return (high - low) / 2 - evidence.slack
