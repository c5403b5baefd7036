"""A quantile of everything measured as a metric."""

from dataclasses import replace

import numpy as np
import pytest

from harness.errors import ExitCode
from harness.judge.compare import compare_runs
from harness.judge.comparison import Comparison, Verdict
from harness.judge.gate import decide
from harness.judge.policy import Policy
from harness.judge.stop import undecided
from harness.model import Metric, Run
from tests.judge.build import TIME, run, sample

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
    assert (comparison.verdict, comparison.report_only, comparison.gated) == (Verdict.INCONCLUSIVE, True, True)
    assert comparison.reason.startswith(
        "report only: the interval is not narrower than the smallest effect that matters"
    )
    runs = run("before", sample(P95, before, pairs_a_round=EACH)), run("after", sample(P95, after, pairs_a_round=EACH))
    gate = decide(compare_runs(*runs, Policy()), *runs, Policy(strict=True))
    assert (gate.compared, gate.expected) == (0, 1)
    assert gate.exit_code is ExitCode.BASELINE  # it was all there was


def among(
    others: int, before: list[float], after: list[float], metric: Metric = P95, **fields: object
) -> tuple[Run, Run]:
    """Beside so many other gated metrics, which do not change."""
    rounds = len(before) // EACH
    calm = [sample(TIME, [1.0] * rounds, f"calm {i}") for i in range(others)]
    return (
        run("before", sample(metric, before, pairs_a_round=EACH), *calm, **fields),
        run("after", sample(metric, after, pairs_a_round=EACH), *calm, **fields),
    )


@pytest.mark.parametrize("others", [14, 25, 99])
@pytest.mark.parametrize("rounds", [20, 28])
def test_a_tail_among_many_metrics_at_any_look_is_gated(others: int, rounds: int) -> None:
    """Half as much again, as one of 15, 26 and 100, at looks 2 and 3 of the default plan."""
    noise = np.exp(np.random.default_rng(3).normal(0, 0.02, (2, 28, EACH)))
    before, after = (side[:rounds].ravel().tolist() for side in (noise[0], 1.5 * noise[1]))
    runs = among(others, before, after, looks=(14, 20, 28))
    comparisons = compare_runs(*runs, Policy(strict=True))
    assert (comparisons[0].verdict, comparisons[0].report_only) == (Verdict.REGRESSED, False)
    gate = decide(comparisons, *runs, Policy(strict=True))
    assert (gate.exit_code, gate.compared, gate.expected) == (ExitCode.REGRESSED, others + 1, others + 1)


def test_a_change_that_is_clear_is_called_however_wide_its_interval() -> None:
    """Noise of 25 % a round, three times as slow: far beyond the floor, by more or less than the smallest effect."""
    levels = np.exp(np.random.default_rng(3).normal(0, 0.25, (2, 20, 1))) * np.ones(EACH)
    before, after = levels[0].ravel().tolist(), (3 * levels[1]).ravel().tolist()
    comparison = compared(before, after)
    assert comparison.effect is not None
    assert comparison.effect.high - comparison.effect.low > 2 * P95.smallest_effect
    assert (comparison.verdict, comparison.report_only) == (Verdict.REGRESSED, False)


def test_what_is_too_coarse_keeps_its_scenario_open_and_is_undecided() -> None:
    runs = among(1, values(1, spread=2.0), values(2, tail=1.3, spread=2.0), looks=(14, 20, 28))
    assert undecided(*runs, Policy(), 14) == {"s"}
    comparisons = compare_runs(*runs, Policy())
    assert decide(comparisons, *runs, Policy()).exit_code is ExitCode.OK
    assert decide(comparisons, *runs, Policy(strict=True)).exit_code is ExitCode.INCONCLUSIVE


def test_a_coarse_quantile_has_limits_too() -> None:
    before, after = values(1, spread=2.0), values(2, tail=1.3, spread=2.0)
    for limit, state, code in ((50.0, "kept", ExitCode.OK), (0.3, "undecided", ExitCode.INCONCLUSIVE)):
        runs = among(1, before, after, replace(P95, limit=limit))
        comparisons = compare_runs(*runs, Policy())
        assert comparisons[0].bounds[0].state == state
        assert decide(comparisons, *runs, Policy(strict=True)).exit_code is code


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
    assert (comparison.verdict, comparison.report_only) == (Verdict.INCONCLUSIVE, True)
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
