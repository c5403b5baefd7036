"""A quantile of everything measured as a metric."""

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.errors import ExitCode
from harness.judge.compare import compare_runs
from harness.judge.comparison import Comparison, Verdict
from harness.judge.gate import decide
from harness.judge.policy import Policy
from harness.model import Metric
from tests.judge.build import run, sample

P95 = Metric("p95", "s", smallest_effect=0.2, quantile=0.95)
EACH = 40
"""Values of a round."""


def values(seed: int, rounds: int = 14, tail: float = 1.0, spread: float = 0.05) -> list[float]:
    """Times of about 1 s; one in ten takes twice as long, in a changed tail ``tail`` times that."""
    generator = np.random.default_rng(seed)
    slow = generator.random((rounds, EACH)) < 0.1
    return (np.exp(generator.normal(0, spread, (rounds, EACH))) * np.where(slow, 2 * tail, 1.0)).ravel().tolist()


def compared(before: list[float], after: list[float], metric: Metric = P95, **fields: object) -> Comparison:
    runs = (
        run("before", sample(metric, before, pairs_a_round=EACH)),
        run("after", sample(metric, after, pairs_a_round=EACH), **fields),
    )
    (comparison,) = compare_runs(*runs, Policy())
    return comparison


@pytest.mark.parametrize(
    ("tail", "change", "verdict"), [(2.0, 1.0, Verdict.REGRESSED), (0.5, -0.457, Verdict.IMPROVED)]
)
def test_a_change_of_the_tail_alone_is_found_by_the_quantile_and_not_by_the_pairs(
    tail: float, change: float, verdict: Verdict
) -> None:
    """In the tail of half the length nothing is slow any more: the quantile falls from 2 to exp(1.645 * 0.05)."""
    before, after = values(1), values(2, tail=tail)
    comparison = compared(before, after)
    assert comparison.verdict is verdict
    assert comparison.gated
    assert (comparison.method, comparison.units) == ("pooled 95 % quantile", 14)
    assert comparison.effect is not None
    assert comparison.effect.low < change < comparison.effect.high
    pairs = replace(P95, quantile=None, smallest_effect=0.05)
    assert compared(before, after, pairs).verdict in (Verdict.UNCHANGED, Verdict.INCONCLUSIVE)


def test_no_change_is_unchanged_and_shows_the_quantile_itself() -> None:
    comparison = compared(values(1), values(2))
    assert comparison.verdict is Verdict.UNCHANGED
    assert comparison.before is not None
    assert comparison.before.n == 14 * EACH
    assert comparison.before.median == np.quantile(values(1), 0.95, method="inverted_cdf")
    assert comparison.before.q1 <= comparison.before.median <= comparison.before.q3


def test_an_interval_too_wide_is_reported_and_decides_nothing() -> None:
    before, after = values(1, spread=2.0), values(2, tail=1.3, spread=2.0)
    comparison = compared(before, after)
    assert (comparison.verdict, comparison.report_only, comparison.gated) == (Verdict.INCONCLUSIVE, True, False)
    assert comparison.metric.gated
    assert comparison.reason.startswith(
        "report only: the interval is not narrower than the smallest effect that matters"
    )
    runs = run("before", sample(P95, before, pairs_a_round=EACH)), run("after", sample(P95, after, pairs_a_round=EACH))
    gate = decide(compare_runs(*runs, Policy()), *runs, Policy(strict=True))
    assert (gate.compared, gate.expected) == (0, 1)
    assert gate.exit_code is ExitCode.BASELINE  # it was all there was


def test_a_level_beyond_all_resamples_is_reported_only() -> None:
    runs = (
        run("before", sample(P95, values(1, 20), pairs_a_round=EACH)),
        run("after", sample(P95, values(2, 20, tail=3.0), pairs_a_round=EACH)),
    )
    (comparison,) = compare_runs(*runs, Policy(error_budget=1e-5))
    assert comparison.report_only
    assert comparison.effect is not None
    assert (comparison.effect.low, comparison.effect.high) == (-1.0, math.inf)
    assert "the level of 0.001 % cannot be reached by resampling" in comparison.reason


def test_the_same_values_give_the_same_interval_in_any_unit_and_mirrored_when_swapped() -> None:
    before, after = values(1), values(2, tail=2.0)
    one, again, scaled = (
        compared([scale * x for x in before], [scale * x for x in after]) for scale in (1.0, 1.0, 2.0**-20)
    )
    assert one == again
    assert one.effect is not None
    assert scaled.effect is not None
    assert scaled.effect.low == pytest.approx(one.effect.low)
    back = compared(after, before)
    assert back.effect is not None
    assert back.verdict is Verdict.IMPROVED
    assert (1 + back.effect.low) * (1 + one.effect.high) == pytest.approx(1)


def test_two_sessions_are_not_compared_by_quantile() -> None:
    comparison = compared(values(1), values(2), session="two")
    assert (comparison.verdict, comparison.gated) == (Verdict.INCONCLUSIVE, False)
    assert comparison.reason == "report only: a quantile is compared within one session only"


@pytest.mark.parametrize("quantile", [0.0, 1.0, -3.0, 95.0])
def test_a_quantile_that_is_none_is_invalid(quantile: float) -> None:
    comparison = compared(values(1), values(2), replace(P95, quantile=quantile))
    assert comparison.verdict is Verdict.INVALID
    assert comparison.reason == f"the quantile {quantile} is not between 0 and 1 of a noisy metric in before"


def test_two_quantiles_are_two_metrics() -> None:
    runs = run("before", sample(P95, values(1))), run("after", sample(replace(P95, quantile=0.99), values(2)))
    (comparison,) = compare_runs(*runs, Policy())
    assert (comparison.verdict, comparison.reason) == (
        Verdict.INCOMPARABLE,
        "the metric is defined differently: quantile: 0.95 / 0.99",
    )


def test_a_budget_of_a_quantile_holds_for_the_quantile_and_not_for_the_median() -> None:
    """The rounds' own 95th percentiles are beyond 1.05 s, mostly about 2 s; their medians about 1 s."""
    states = [compared(values(1), values(2), replace(P95, budget=budget)).bounds[0].state for budget in (1.03, 2.5)]
    assert states == ["broken", "kept"]


def test_an_absolute_limit_of_a_quantile_is_a_part_of_the_quantile() -> None:
    """A change of 100 % of 2 s is 2 s."""
    (bound,) = compared(values(1), values(2, tail=2.0), replace(P95, absolute_limit=0.5)).bounds
    assert bound.state == "broken"
    assert bound.interval[0] < 2.0 < bound.interval[1]
