"""Limits and budgets: what the gate tolerates, judged from whole comparisons."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.errors import ExitCode
from harness.judge.compare import compare_runs
from harness.judge.comparison import Bound, Comparison, Verdict
from harness.judge.gate import Gate, decide
from harness.judge.policy import Policy
from harness.model import Metric
from tests.judge.build import CALLS, SUCCESS, TIME, noise, run, sample

N = 20
OLD = noise(1, N)


def times(factor: float, seed: int = 2) -> list[float]:
    return [factor * value for value in noise(seed, N)]


def judged(
    metric: Metric, before: Sequence[float] | None, after: Sequence[float] | None, *, strict: bool = False
) -> tuple[Comparison, Gate]:
    """One metric in one session; None: not measured there."""
    runs = (
        run("before", *([] if before is None else [sample(metric, before)])),
        run("after", *([] if after is None else [sample(metric, after)])),
    )
    (comparison,) = compare_runs(*runs, Policy(strict=strict))
    return comparison, decide([comparison], *runs, Policy(strict=strict))


def only(comparison: Comparison) -> Bound:
    (bound,) = comparison.bounds
    return bound


@pytest.mark.parametrize(
    ("worse", "limit", "state", "code", "strict_code"),
    [
        (1.2, 0.05, "broken", ExitCode.REGRESSED, ExitCode.REGRESSED),
        (1.2, 0.5, "kept", ExitCode.OK, ExitCode.OK),
        (1.2, 0.2, "undecided", ExitCode.OK, ExitCode.INCONCLUSIVE),
        (0.5, 0.05, "kept", ExitCode.OK, ExitCode.OK),
    ],
)
def test_with_a_limit_only_what_is_wholly_beyond_it_fails(
    worse: float, limit: float, state: str, code: ExitCode, strict_code: ExitCode
) -> None:
    metric = replace(TIME, limit=limit)
    comparison, gate = judged(metric, OLD, times(worse))
    assert (only(comparison).state, gate.exit_code) == (state, code)
    assert comparison.verdict is (Verdict.REGRESSED if worse > 1 else Verdict.IMPROVED)
    assert judged(metric, OLD, times(worse), strict=True)[1].exit_code is strict_code


def test_when_more_is_better_a_limit_means_the_same_factor() -> None:
    faster, slower = replace(TIME, limit=0.3), replace(TIME, limit=0.3, better="higher")
    up, _ = judged(faster, OLD, times(1.5))
    down, _ = judged(slower, OLD, [b * b / a for a, b in zip(times(1.5), OLD, strict=True)])
    assert only(down).state == only(up).state == "broken"
    assert only(down).interval == pytest.approx(only(up).interval)


def test_the_floor_is_the_least_limit() -> None:
    metric = replace(TIME, limit=0.0, floor=0.3)
    comparison, gate = judged(metric, OLD, times(1.2))
    assert (only(comparison).state, gate.exit_code) == ("kept", ExitCode.OK)


def test_shown_to_be_smaller_than_what_matters_keeps_a_limit_that_is_larger() -> None:
    before, after = noise(2, N, 0.05), noise(102, N, 0.05)
    comparison, gate = judged(replace(TIME, limit=0.05), before, after, strict=True)
    assert (comparison.verdict, only(comparison).state) == (Verdict.UNCHANGED, "kept")
    assert only(comparison).interval[1] > 0.05
    assert gate.exit_code is ExitCode.OK
    tighter, _ = judged(replace(TIME, limit=0.04), before, after)
    assert only(tighter).state == "undecided"


@pytest.mark.parametrize(("allowed", "state"), [(0.1, "broken"), (0.5, "kept")])
def test_an_absolute_limit_is_in_the_base_unit(allowed: float, state: str) -> None:
    comparison, _ = judged(replace(TIME, absolute_limit=allowed), OLD, times(1.3))
    assert only(comparison).state == state
    scaled = [1000 * x for x in OLD], [1000 * x for x in times(1.3)]
    assert only(judged(replace(TIME, absolute_limit=allowed), *scaled)[0]).state == "broken"


def test_of_two_limits_both_have_to_hold() -> None:
    metric = replace(TIME, limit=0.5, absolute_limit=0.1)
    comparison, gate = judged(metric, OLD, times(1.3))
    assert [bound.state for bound in comparison.bounds] == ["kept", "broken"]
    assert gate.exit_code is ExitCode.REGRESSED
    assert "absolute limit 100 ms: [" in gate.reasons[0]


def test_limits_of_counts_are_exact() -> None:
    assert only(judged(replace(CALLS, limit=0.5), [4] * 8, [6] * 8)[0]).state == "kept"
    assert only(judged(replace(CALLS, limit=0.49), [4] * 8, [6] * 8)[0]).state == "broken"
    assert only(judged(replace(CALLS, absolute_limit=2), [4] * 8, [6] * 8)[0]).state == "kept"
    assert only(judged(replace(CALLS, absolute_limit=1), [4] * 8, [6] * 8)[0]).state == "broken"


def test_a_count_that_was_zero_cannot_grow_by_a_part_of_it() -> None:
    assert only(judged(replace(CALLS, limit=900.0), [0] * 8, [1] * 8)[0]).state == "broken"
    assert only(judged(replace(CALLS, absolute_limit=1), [0] * 8, [1] * 8)[0]).state == "kept"
    better = replace(CALLS, limit=0.0, better="higher")
    assert only(judged(better, [0] * 8, [1] * 8)[0]).state == "kept"


def test_limits_of_a_rate_are_points() -> None:
    before, after = [1.0] * 200, [1.0] * 100 + [0.0] * 100
    assert only(judged(replace(SUCCESS, limit=0.1), before, after)[0]).state == "broken"
    assert only(judged(replace(SUCCESS, limit=0.9), before, after)[0]).state == "kept"


@pytest.mark.parametrize(
    ("budget", "state", "code", "strict_code"),
    [
        (2.0, "kept", ExitCode.OK, ExitCode.OK),
        (0.5, "broken", ExitCode.REGRESSED, ExitCode.REGRESSED),
        (1.0, "undecided", ExitCode.OK, ExitCode.INCONCLUSIVE),
    ],
)
def test_a_budget_is_held_against_after_alone(budget: float, state: str, code: ExitCode, strict_code: ExitCode) -> None:
    metric = replace(TIME, budget=budget)
    near = [x * y for x, y in zip(OLD, noise(5, N, 0.005), strict=True)]
    comparison, gate = judged(metric, OLD, near)
    assert comparison.verdict is Verdict.UNCHANGED
    assert (only(comparison).state, gate.exit_code) == (state, code)
    assert judged(metric, OLD, near, strict=True)[1].exit_code is strict_code


def test_a_budget_needs_no_baseline_but_values_of_after() -> None:
    metric = replace(TIME, budget=2.0)
    alone, gate = judged(metric, None, OLD)
    assert (alone.verdict, gate.exit_code, gate.compared) == (Verdict.MISSING, ExitCode.OK, 1)
    assert judged(replace(TIME, budget=0.5), None, OLD)[1].exit_code is ExitCode.REGRESSED
    gone, gate = judged(metric, OLD, None)
    assert (gone.bounds, gate.exit_code) == ((), ExitCode.BASELINE)


def test_a_regression_within_budget_is_still_one() -> None:
    assert judged(replace(TIME, budget=5.0), OLD, times(1.5))[1].exit_code is ExitCode.REGRESSED


def test_budgets_of_what_should_be_high_of_counts_and_of_shares() -> None:
    high = replace(TIME, better="higher")
    assert only(judged(replace(high, budget=0.5), OLD, OLD)[0]).state == "kept"
    assert only(judged(replace(high, budget=2.0), OLD, OLD)[0]).state == "broken"
    assert only(judged(replace(CALLS, budget=3), [3] * 9, [3] * 9)[0]).state == "kept"
    assert only(judged(replace(CALLS, budget=3), [3] * 9, [4] * 9)[0]).state == "broken"
    share = [1.0] * 95 + [0.0] * 5
    states = {b: only(judged(replace(SUCCESS, budget=b), share, share)[0]).state for b in (0.5, 0.95, 1.0)}
    assert states == {0.5: "kept", 0.95: "undecided", 1.0: "broken"}


def test_rounds_are_the_unit_of_a_budget() -> None:
    """Many values of few rounds know no more of the rounds than those are."""
    metric = replace(TIME, budget=2.0)
    many = sample(metric, noise(6, 400), pairs_a_round=100)
    (comparison,) = compare_runs(run("before", many), run("after", many), Policy())
    assert only(comparison).state == "undecided"


def test_a_budget_costs_a_share_of_the_error_budget() -> None:
    (plain,) = compare_runs(run("before", sample(TIME, OLD)), run("after", sample(TIME, times(1.0))), Policy())
    metric = replace(TIME, budget=2.0)
    (both,) = compare_runs(run("before", sample(metric, OLD)), run("after", sample(metric, times(1.0))), Policy())
    assert plain.effect is not None
    assert both.effect is not None
    assert (plain.effect.level, both.effect.level) == (0.99, 0.995)


def test_what_is_not_gated_decides_nothing() -> None:
    metric = replace(TIME, limit=0.01, budget=0.1, gated=False)
    comparisons = compare_runs(
        run("before", sample(metric, OLD), sample(CALLS, [1, 1])),
        run("after", sample(metric, times(3)), sample(CALLS, [1, 1])),
        Policy(),
    )
    assert {bound.state for c in comparisons for bound in c.bounds} == {"broken"}
    assert decide(comparisons, run("before"), run("after"), Policy()).exit_code is ExitCode.OK


@pytest.mark.parametrize("bound", [{}, {"limit": 0.1}, {"absolute_limit": 0.01}, {"budget": 100.0}])
@pytest.mark.parametrize(("rounds", "slower"), [(3, 2.0), (1, 20.0)])
def test_a_bound_excuses_no_lack_of_rounds(bound: dict[str, float], rounds: int, slower: float) -> None:
    metric = replace(TIME, **bound)  # type: ignore[arg-type]
    assert judged(metric, OLD[:rounds], times(slower)[:rounds])[1].exit_code is ExitCode.BASELINE


@pytest.mark.parametrize(("share", "state"), [(0.9, "broken"), (0.6, "undecided"), (0.2, "kept")])
def test_a_budget_of_a_rate_counts_rounds(share: float, state: str) -> None:
    """Every other round fails as a whole, 15 of 30: between a fifth and nine of ten is sure."""
    whole = [float(i // 20 % 2) for i in range(600)]
    metric = replace(SUCCESS, budget=share)
    many = sample(metric, whole, pairs_a_round=20)
    (comparison,) = compare_runs(run("before", many), run("after", many), Policy())
    assert only(comparison).state == state
    low, high = only(comparison).interval
    assert high - low > 0.3  # of 600 independent trials it is 0.12
    few = sample(metric, whole[20:100], pairs_a_round=20)
    (comparison,) = compare_runs(run("before", few), run("after", few), Policy())
    assert only(comparison).state == "undecided"
