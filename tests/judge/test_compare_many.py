"""Many metrics: one error budget, false discoveries, and sessions simulated."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from harness.judge.compare import compare_runs
from harness.judge.comparison import Comparison, Verdict
from harness.judge.policy import Policy
from harness.model import Metric
from tests.judge.build import MIRROR, TIME, compare, run, sample


def many(factors: Sequence[float], *, gated: bool, n: int = 8) -> tuple[Comparison, ...]:
    metrics = [Metric(f"m{i}", "s", gated=gated) for i in range(len(factors))]
    before = run("before", *(sample(metric, [1.0] * n) for metric in metrics))
    after = run("after", *(sample(m, [factor] * n) for m, factor in zip(metrics, factors, strict=True)))
    return compare_runs(before, after, Policy())


def test_gated_metrics_share_the_budget() -> None:
    assert many([1.1], gated=True)[0].verdict is Verdict.REGRESSED
    two = many([1.1, 1.0], gated=True)
    assert two[0].verdict is Verdict.INCONCLUSIVE  # 2 / 2^8 > 1 % / 2
    assert two[0].reason.endswith("8 rounds cannot show any change within the error budget, it takes at least 9")
    assert two[0].effect is not None
    assert two[0].effect.level == pytest.approx(0.995)


def test_exploratory_metrics_are_called_only_among_all_of_them() -> None:
    """Six rounds: p = 2 / 2^6 = 0.031 is a discovery alone, and not one of two when the other shows nothing."""
    (alone,) = many([1.1], gated=False, n=6)
    assert (alone.verdict, alone.method) == (Verdict.REGRESSED, "paired signed-rank, exploratory")
    first, second = many([1.1, 1.0], gated=False, n=6)
    assert (first.verdict, second.verdict) == (Verdict.INCONCLUSIVE, Verdict.UNCHANGED)
    assert first.reason == "beyond the floor by itself, but not among 2 exploratory metrics (Benjamini-Hochberg)"
    assert [c.verdict for c in many([1.1, 0.9], gated=False, n=6)] == [Verdict.REGRESSED, Verdict.IMPROVED]


def test_exploratory_metrics_cost_the_gated_ones_nothing() -> None:
    extra = [sample(Metric(f"extra{i}", "s", gated=False), [1.0] * 8) for i in range(9)]
    before, after = run("before", sample(TIME, [1.0] * 8), *extra), run("after", sample(TIME, [1.1] * 8), *extra)
    assert compare_runs(before, after, Policy())[0].verdict is Verdict.REGRESSED


def test_sessions_without_change_alarm_within_the_budget() -> None:
    """400 sessions of 25 metrics and 12 rounds, no floor to hide behind: at most 5 % (+ 3 standard errors) alarm.

    The noise is heavy-tailed and half of it is shared by the pair, as a machine's is.
    """
    rng = np.random.default_rng(7)
    metrics = [Metric(f"m{i}", "s", floor=0.0) for i in range(25)]
    sessions, budget, alarms = 400, 0.05, 0
    for _ in range(sessions):
        shared = rng.standard_t(3, (25, 12))
        before, after = (np.exp(0.05 * (shared + rng.standard_t(3, (25, 12)))).tolist() for _ in range(2))
        comparisons = compare_runs(
            run("before", *(sample(m, values) for m, values in zip(metrics, before, strict=True))),
            run("after", *(sample(m, values) for m, values in zip(metrics, after, strict=True))),
            Policy(error_budget=budget),
        )
        alarms += any(c.verdict in MIRROR for c in comparisons)
    assert 0 < alarms / sessions <= budget + 3 * math.sqrt(budget * (1 - budget) / sessions)


def test_detectable_is_called_about_nineteen_times_in_twenty() -> None:
    """What sessions without change say they would have seen, really added to others; half of it is mostly not seen."""
    rng = np.random.default_rng(13)
    sessions, rounds = 300, 40

    def measured(change: float) -> Comparison:
        return compare([1.0] * rounds, ((1 + change) * np.exp(rng.normal(0, 0.03, rounds))).tolist())

    visible = float(np.median([measured(0.0).detectable or math.nan for _ in range(sessions)]))
    called = [
        sum(measured(change).verdict is Verdict.REGRESSED for _ in range(sessions)) / sessions
        for change in (visible, visible / 2)
    ]
    assert called[0] == pytest.approx(0.95, abs=0.05)
    assert called[1] < 0.5
