"""Shares of trials."""

import pytest

from harness.judge.compare import compare_runs
from harness.judge.comparison import Verdict
from harness.judge.policy import Policy
from tests.judge.build import SUCCESS, compare, run, sample


def test_rates_by_hand() -> None:
    comparison = compare([1.0] * 90 + [0.0] * 10, [1.0] * 50 + [0.0] * 50, SUCCESS)
    assert comparison.verdict is Verdict.REGRESSED
    assert comparison.effect is not None
    assert comparison.effect.value == pytest.approx(-0.4)
    assert (comparison.scale, comparison.method, comparison.units) == ("absolute", "paired randomisation", 100)
    assert comparison.before is not None
    assert comparison.before.median == 0.9
    assert (comparison.before.q1, comparison.before.q3) == pytest.approx((0.8256, 0.9448), abs=1e-4)
    assert compare([0.0] * 100, [1.0] * 100, SUCCESS).verdict is Verdict.IMPROVED
    apart = compare([1.0] * 90 + [0.0] * 10, [1.0] * 50 + [0.0] * 50, SUCCESS, session="two")
    assert (apart.verdict, apart.method, apart.units) == (Verdict.REGRESSED, "Fisher exact", 100)


def test_a_share_that_is_certain_still_has_a_bound() -> None:
    comparison = compare([0.0] * 60, [1.0] * 60, SUCCESS)
    assert comparison.warnings == (
        "0 of 60 in before: the share may still be up to 5 % (95 % sure)",
        "60 of 60 in after: the share may still be down to 95 % (95 % sure)",
    )


def test_rates_unchanged_and_inconclusive() -> None:
    assert compare([1.0] * 300, [1.0] * 300, SUCCESS).verdict is Verdict.UNCHANGED
    comparison = compare([1.0] * 8, [1.0] * 7 + [0.0], SUCCESS)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.reason.startswith("between −100.0 points and ")
    assert comparison.reason.endswith(" rounds would decide")
    assert comparison.detectable is None
    less = compare([1.0] * 40, [1.0] * 38 + [0.0] * 2, SUCCESS)
    assert less.detectable is not None
    assert 0.1 < less.detectable < 0.6


def test_a_change_of_a_rate_needs_test_and_interval() -> None:
    """0 and 5 of 8 in two sessions: Newcombe's interval clears the floor, Fisher's p = 2.6 % does not pass 1 %. 0 and
    14 of 2000: p is 0.01 %, the interval does not clear the floor of one point."""
    few = compare([0.0] * 8, [1.0] * 5 + [0.0] * 3, SUCCESS, session="two")
    assert few.verdict is Verdict.INCONCLUSIVE
    known, objection, *_ = few.reason.split("; ")
    assert known == "between +2.9 points and +89.9 points (99 % sure)"
    assert objection == "but the exact test is not convinced (p = 0.026)"
    many = compare([0.0] * 2000, [1.0] * 14 + [0.0] * 1986, SUCCESS, session="two")
    assert many.p_value == pytest.approx(1.2e-4, rel=0.01)
    assert many.verdict is Verdict.UNCHANGED


def test_five_of_eight_rounds_convince_nobody() -> None:
    """Two of 2^5 ways to exchange the five that differ; with 8 of 8 it is 2 of 2^8."""
    five = compare([0.0] * 8, [1.0] * 5 + [0.0] * 3, SUCCESS)
    assert (five.verdict, five.p_value) == (Verdict.INCONCLUSIVE, pytest.approx(2 / 2**5))
    eight = compare([0.0] * 8, [1.0] * 8, SUCCESS)
    assert (eight.verdict, eight.p_value) == (Verdict.IMPROVED, pytest.approx(2 / 2**8))


def test_the_smaller_side_counts() -> None:
    assert compare([1.0, 0.0] * 4, [1.0, 0.0] * 3, SUCCESS, session="two").units == 6


def test_few_trials_that_all_agree_leave_doubt() -> None:
    comparison = compare([1.0] * 12, [1.0] * 12, SUCCESS)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.effect is not None
    assert comparison.effect.low < -0.3


def test_no_share_can_change_by_more_than_everything() -> None:
    assert compare([1.0, 0.0], [0.0, 1.0], SUCCESS).detectable is None


@pytest.mark.parametrize("bad", [2.0, 0.5])
def test_what_is_no_trial_is_invalid(bad: float) -> None:
    comparison = compare([1.0], [bad], SUCCESS)
    assert (comparison.verdict, comparison.reason) == (Verdict.INVALID, f"{bad} is neither 0 nor 1 in after")
    assert comparison.after is None


def test_rates_of_different_sessions_are_pointed_out() -> None:
    warnings = compare([1.0, 0.0] * 40, [1.0, 0.0] * 40, SUCCESS, session="two").warnings
    assert warnings == ("measured in different sessions: the machine may have changed in between",)
    whole = [sample(SUCCESS, ([1.0] * 5 + [0.0] * 5) * 8, pairs_a_round=5) for _ in range(2)]
    (comparison,) = compare_runs(run("before", whole[0]), run("after", whole[1], session="two"), Policy())
    assert comparison.warnings[1] == "the rounds vary 5 times as much as independent trials would; allowed for"


def test_a_generous_budget_breaks_nothing() -> None:
    """At a level of 90 % the interval of two single trials would exclude 0 while Fisher's p is 1."""
    before, after = run("before", sample(SUCCESS, [0.0])), run("after", sample(SUCCESS, [1.0]))
    (comparison,) = compare_runs(before, after, Policy(error_budget=0.9))
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.reason.endswith("1 round cannot show any change within the error budget, it takes at least 2")
