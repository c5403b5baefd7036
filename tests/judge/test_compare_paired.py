"""Noisy metrics measured in one session."""

import math
from dataclasses import replace
from typing import Any

import pytest

from harness.judge.compare import compare_runs
from harness.judge.comparison import Estimate, Summary, Verdict
from harness.judge.policy import Policy
from harness.model import Sample
from tests.judge.build import TIME, compare, noise, run, sample


def test_by_hand() -> None:
    """Eight rounds, each 10 % slower: 2 / 2^8 < 1 %, so the interval is [10 %, 10 %]."""
    comparison = compare([1.0] * 8, [1.1] * 8)
    assert comparison.verdict is Verdict.REGRESSED
    assert comparison.effect == Estimate(*[pytest.approx(0.1)] * 3, 0.99)
    assert comparison.p_value == pytest.approx(2 / 2**8)
    assert comparison.units == 8
    assert comparison.detectable == pytest.approx(0.01)
    assert comparison.method == "paired signed-rank"
    assert comparison.before == Summary(8, 1.0, 1.0, 1.0)
    assert (comparison.scale, comparison.warnings, comparison.reason) == ("relative", (), "")


@pytest.mark.parametrize(
    ("better", "factor", "verdict"),
    [
        ("lower", 1.1, Verdict.REGRESSED),
        ("lower", 0.9, Verdict.IMPROVED),
        ("higher", 1.1, Verdict.IMPROVED),
        ("higher", 0.9, Verdict.REGRESSED),
    ],
)
@pytest.mark.parametrize("seed", range(10))
def test_ten_percent_in_two_percent_noise_is_always_called(
    seed: int, better: Any, factor: float, verdict: Verdict
) -> None:
    before, after = noise(seed, 16), [factor * x for x in noise(seed + 1000, 16)]
    assert compare(before, after, replace(TIME, better=better)).verdict is verdict


def test_nothing_moved_is_unchanged() -> None:
    comparison = compare([1.0] * 8, [1.0] * 8)
    assert comparison.verdict is Verdict.UNCHANGED
    assert comparison.effect == Estimate(0.0, 0.0, 0.0, 0.99)
    assert comparison.p_value == 1.0


def test_a_round_counts_once_however_many_pairs_it_has() -> None:
    """Medians of the rounds' pairs: 1.0, 1.2, 1.0 and so on, not 24 values."""
    after = [1.0, 1.0, 9.0, 1.2, 0.1, 1.2] * 4
    before, slower = run("before", sample(TIME, [1.0] * 24, pairs_a_round=3)), sample(TIME, after, pairs_a_round=3)
    (comparison,) = compare_runs(before, run("after", slower), Policy())
    assert comparison.units == 8
    assert comparison.effect is not None
    assert (comparison.effect.low, comparison.effect.high) == pytest.approx((0.0, 0.2))


def test_several_values_of_one_pair_are_one_value() -> None:
    before = Sample("s", TIME, (1.0, 5.0, 1.0), (0, 0, 0), (0, 0, 0))
    after = Sample("s", TIME, (2.0,), (0,), (0,))
    (comparison,) = compare_runs(run("before", before), run("after", after), Policy())
    assert comparison.effect is not None
    assert comparison.effect.value == pytest.approx(1.0)


def test_pairs_are_joined_by_round_and_not_by_position() -> None:
    before = sample(TIME, [float(2**i) for i in range(10)])
    after = Sample("s", TIME, before.values[::-1], before.rounds[::-1], before.pairs[::-1])
    (comparison,) = compare_runs(run("before", before), run("after", after), Policy())
    assert comparison.verdict is Verdict.UNCHANGED


def test_a_pair_without_partner_is_left_out_and_named() -> None:
    comparison = compare([1.0] * 10, [1.0] * 8)
    assert comparison.units == 8
    assert comparison.warnings == ("2 pairs measured on one side only, left out",)


def test_no_common_pair_is_missing() -> None:
    after = Sample("s", TIME, (1.0,), (99,), (0,))
    (comparison,) = compare_runs(run("before", sample(TIME, [1.0])), run("after", after), Policy())
    assert (comparison.verdict, comparison.reason) == (
        Verdict.MISSING,
        "no pair was measured in both before and after",
    )


def test_too_few_rounds_say_how_many_it_takes() -> None:
    comparison = compare([1.0] * 4, [1.5] * 4)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.reason == "4 rounds cannot show any change within the error budget, it takes at least 8"
    assert comparison.detectable is None
    assert comparison.effect == Estimate(pytest.approx(0.5), -1.0, math.inf, 0.99)


def test_too_few_rounds_still_tell_what_is_known() -> None:
    assert compare([1.0] * 6, [1.5] * 6).reason.startswith("between +50.0 % and +50.0 % (90 % sure); 6 rounds cannot")


def test_inconclusive_says_what_is_known_what_was_visible_and_what_would_decide() -> None:
    """d = -2 .. +11 %: Walsh averages from -2 % to 11 % at 99 %; neither beyond 1 % nor within 5 %."""
    after = [math.exp(x / 100) for x in (-2, -1, 1, 2, 5, 7, 9, 11)]
    comparison = compare([1.0] * 8, after)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    known, visible, advice = comparison.reason.split("; ")
    assert known == "between −2.0 % and +11.6 % (99 % sure)"
    assert comparison.detectable is not None
    error = 0.13 / (2 * 2.575829)
    assert comparison.detectable == pytest.approx(1.01 * math.exp((2.575829 + 1.644854) * error) - 1, rel=1e-6)
    assert visible == "a change of +12.4 % would have been called"
    assert comparison.effect is not None
    assert comparison.effect.value == pytest.approx(math.expm1(0.04))
    assert advice == f"about {math.ceil(8 * (0.065 / (0.04 - math.log(1.01))) ** 2) - 8} more rounds would decide"


def test_one_odd_round_may_be_all_that_stands_in_the_way() -> None:
    """The estimate is far enough, the interval only reaches back to one round: one more may decide, none never."""
    reason = compare([1.0] * 8, [0.99] + [1.1] * 6 + [1.12]).reason
    assert reason.endswith("; about 1 more round would decide")


def test_more_rounds_than_anyone_has_are_no_advice() -> None:
    """The estimate lies on the smallest effect: no number of rounds in sight decides."""
    metric = replace(TIME, floor=0.05, smallest_effect=0.05)
    after = [math.exp(math.log(1.05) + x / 100) for x in (-4, -3, -2, -1, 1, 2, 3, 4)]
    assert compare([1.0] * 8, after, metric).reason.endswith("more than 800 rounds would be needed to decide")


def test_a_real_change_below_the_smallest_effect_is_minor() -> None:
    comparison = compare([1.0] * 10, [1.03] * 10)
    assert comparison.verdict is Verdict.REGRESSED
    assert comparison.minor
    assert not compare([1.0] * 10, [1.06] * 10).minor
    assert not compare([1.0] * 10, [1.0] * 10).minor


@pytest.mark.parametrize("factor", [1.01, 1 / 1.01])
def test_a_change_within_the_floor_never_alarms(factor: float) -> None:
    assert compare([1.0] * 20, [factor * (1 + 1e-9 * (1 if factor < 1 else -1))] * 20).verdict is Verdict.UNCHANGED


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_values_that_are_no_times_are_invalid(side: str, bad: float) -> None:
    good, broken = [1.0] * 8, [1.0] * 7 + [bad]
    comparison = compare(broken, good) if side == "before" else compare(good, broken)
    what = "is not positive" if math.isfinite(bad) else "is not a number"
    assert (comparison.verdict, comparison.reason) == (Verdict.INVALID, f"{bad} {what} in {side}")
    assert (getattr(comparison, side) is None) == (not math.isfinite(bad))


def test_absurd_ratios_do_not_overflow() -> None:
    comparison = compare([5e-324] * 10, [1e308] * 10)
    assert comparison.verdict is Verdict.REGRESSED
    assert comparison.effect == Estimate(math.inf, math.inf, math.inf, 0.99)
