"""Whole runs in, comparisons out."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ExitCode, HarnessError
from harness.judge.compare import compare_runs
from harness.judge.comparison import Comparison, Estimate, Summary, Verdict
from harness.judge.policy import Policy
from harness.model import Environment, Failure, Metric, Run, Sample, Side, Variant

TIME = Metric("time", "s")
CALLS = Metric("calls", "1", kind="count")
SUCCESS = Metric("success", "1", better="higher", kind="rate")
HERE = Environment(stable={"processor": "X", "python": "3.11"})


def sample(metric: Metric, values: Sequence[float], scenario: str = "s", pairs_a_round: int = 1) -> Sample:
    rounds = tuple(i // pairs_a_round for i in range(len(values)))
    pairs = tuple(i % pairs_a_round for i in range(len(values)))
    return Sample(scenario, metric, tuple(values), rounds, pairs)


def run(name: Side, *samples: Sample, **fields: Any) -> Run:
    base = Run("one", Variant(name, "main"), "2026-01-01T00:00:00Z", 1, 12, "complete", samples, environment=HERE)
    return replace(base, **fields)


def compare(before: Sequence[float], after: Sequence[float], metric: Metric = TIME, **fields: Any) -> Comparison:
    """One metric, measured with these values; ``fields`` change the run after."""
    (comparison,) = compare_runs(
        run("before", sample(metric, before)), run("after", sample(metric, after), **fields), Policy()
    )
    return comparison


def noise(seed: int, n: int, spread: float = 0.02) -> list[float]:
    return np.exp(np.random.default_rng(seed).normal(0, spread, n)).tolist()


# ---- noisy, measured in one session


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
    assert advice == f"about {math.ceil(8 * (0.065 / (0.04 - math.log(1.01))) ** 2)} rounds would decide"


def test_more_rounds_than_anyone_has_are_no_advice() -> None:
    """The estimate lies on the smallest effect: no number of rounds in sight decides."""
    metric = replace(TIME, floor=0.05, smallest_effect=0.05)
    after = [math.exp(math.log(1.05) + x / 100) for x in (-4, -3, -2, -1, 1, 2, 3, 4)]
    assert compare([1.0] * 8, after, metric).reason.endswith("more than 800 rounds would be needed to decide")


def test_a_real_change_below_the_smallest_effect_is_minor() -> None:
    comparison = compare([1.0] * 10, [1.03] * 10)
    assert comparison.verdict is Verdict.REGRESSED
    assert comparison.warnings == ("minor: certainly smaller than what matters (+5.0 %)",)


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


# ---- laws

ratios = st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=14)


def inverse(change: float) -> float:
    """The change back: 1 / (1 + e) - 1."""
    return math.inf if change == -1 else 1 / (1 + change) - 1


MIRROR = {Verdict.REGRESSED: Verdict.IMPROVED, Verdict.IMPROVED: Verdict.REGRESSED}


@given(ratios, st.sampled_from(["one", "two"]), st.sampled_from(["lower", "higher"]))
def test_swapping_the_runs_mirrors_the_verdict_and_inverts_the_effect(
    d: list[float], session: str, better: Any
) -> None:
    metric = replace(TIME, better=better)
    policy = Policy(between_sessions=1.05)
    first = run("before", sample(metric, [1.0] * len(d)))
    second = run("after", sample(metric, [math.exp(x) for x in d]), session=session)
    (forth,), (back,) = compare_runs(first, second, policy), compare_runs(second, first, policy)
    assert back.verdict is MIRROR.get(forth.verdict, forth.verdict)
    assert forth.effect is not None
    assert back.effect is not None
    for ahead, reverse in (
        (forth.effect.value, back.effect.value),
        (forth.effect.low, back.effect.high),
        (forth.effect.high, back.effect.low),
    ):
        assert reverse == pytest.approx(inverse(ahead), abs=1e-9)
    assert (back.p_value, back.units) == (pytest.approx(forth.p_value), forth.units)


@given(ratios, st.sampled_from(["one", "two"]), st.integers(-30, 30))
def test_the_unit_does_not_matter(d: list[float], session: str, power: int) -> None:
    def measured(scale: float) -> Comparison:
        before = run("before", sample(TIME, [scale] * len(d)))
        after = run("after", sample(TIME, [scale * math.exp(x) for x in d]), session=session)
        return compare_runs(before, after, Policy())[0]

    plain, scaled = measured(1.0), measured(2.0**power)
    assert plain.effect is not None
    assert scaled.effect is not None
    assert scaled.effect.value == pytest.approx(plain.effect.value, abs=1e-9)
    assert scaled.effect.low == pytest.approx(plain.effect.low, abs=1e-9)
    assert scaled.effect.high == pytest.approx(plain.effect.high, abs=1e-9)


@given(ratios, st.lists(st.floats(0, 0.3), min_size=14, max_size=14), st.sampled_from(["one", "two"]))
def test_slower_values_never_look_faster(d: list[float], extra: list[float], session: str) -> None:
    def measured(logs: Sequence[float]) -> Estimate:
        before = run("before", sample(TIME, [1.0] * len(d)))
        after = run("after", sample(TIME, [math.exp(x) for x in logs]), session=session)
        effect = compare_runs(before, after, Policy())[0].effect
        assert effect is not None
        return effect

    plain, slower = measured(d), measured([x + more for x, more in zip(d, extra, strict=False)])
    assert slower.value >= plain.value - 1e-12
    assert slower.low >= plain.low - 1e-12
    assert slower.high >= plain.high - 1e-12


# ---- different sessions


def test_runs_of_different_sessions_need_a_change_beyond_what_sessions_differ() -> None:
    before = noise(1, 12)
    twice = compare(before, [1.9 * x for x in noise(2, 12)], session="two")
    assert twice.verdict is Verdict.INCONCLUSIVE
    assert twice.reason.endswith("measure both variants side by side in one session to decide")
    assert twice.method == "unpaired rank-sum"
    assert twice.warnings == (
        "measured in different sessions: the machine may have changed in between",
        "the interval is widened on both sides by what two sessions may differ (+100 %)",
    )
    thrice = compare(before, [3 * x for x in noise(3, 12)], session="two")
    assert thrice.verdict is Verdict.REGRESSED
    assert thrice.effect is not None
    assert thrice.effect.value == pytest.approx(2.0, rel=0.1)
    assert 0.4 < thrice.effect.low < 0.6
    assert thrice.detectable is not None
    assert thrice.detectable > 1.02


def test_unchanged_across_sessions_needs_the_widened_interval_inside() -> None:
    before, after = run("before", sample(TIME, noise(1, 30))), run("after", sample(TIME, noise(2, 30)), session="two")
    assert compare_runs(before, after, Policy())[0].verdict is Verdict.INCONCLUSIVE
    trusting = Policy(between_sessions=1.0)
    (comparison,) = compare_runs(before, after, trusting)
    assert comparison.verdict is Verdict.UNCHANGED
    assert len(comparison.warnings) == 1


def test_too_few_unpaired_rounds_say_how_many_it_takes() -> None:
    reason = compare([1.0] * 3, [9.0] * 3, session="two").reason
    assert reason.endswith("3 rounds cannot show any change within the error budget, it takes at least 5")


def test_rounds_are_the_unit_across_sessions_too() -> None:
    before = run("before", sample(TIME, noise(1, 40), pairs_a_round=4))
    after = run("after", sample(TIME, noise(2, 48), pairs_a_round=4), session="two")
    assert compare_runs(before, after, Policy())[0].units == 10


def test_another_machine_is_incomparable() -> None:
    other = Environment(stable={"processor": "Y\x1b[31m\nZ", "kernel": "6"})
    comparison = compare([1.0] * 8, [1.0] * 8, session="two", environment=other)
    assert comparison.verdict is Verdict.INCOMPARABLE
    assert comparison.reason == (
        "measured in different environments: processor: X / Y [31m Z; "
        "python: 3.11 / not recorded; kernel: not recorded / 6"
    )
    assert comparison.effect is None


def test_one_session_is_one_machine() -> None:
    other = Environment(stable={"engine": "newer"})
    assert compare([1.0] * 8, [1.0] * 8, environment=other).verdict is Verdict.UNCHANGED


def test_unknown_machines_are_pointed_out() -> None:
    before = run("before", sample(TIME, [1.0] * 8), environment=Environment(), session="")
    after = run("after", sample(TIME, [1.0] * 8), environment=Environment(), session="")
    (comparison,) = compare_runs(before, after, Policy())
    assert comparison.warnings[0].startswith("measured in different sessions")  # no name, no common session
    assert comparison.warnings[1] == "no environment is recorded: nobody knows whether it was the same machine"


# ---- what cannot be judged


def test_the_union_of_both_runs_in_order_of_appearance() -> None:
    before = run("before", sample(TIME, [1.0] * 8, "b"), sample(TIME, [1.0] * 8, "a"))
    after = run("after", sample(TIME, [1.0] * 8, "c"), sample(TIME, [1.0] * 8, "a"))
    comparisons = compare_runs(before, after, Policy())
    assert [(c.scenario, str(c.verdict), c.reason) for c in comparisons] == [
        ("b", "missing", "not measured in after"),
        ("a", "unchanged", ""),
        ("c", "missing", "not measured in before"),
    ]
    assert comparisons[0].before is not None
    assert comparisons[0].after is None


def test_zero_values_are_missing() -> None:
    assert compare([], []).reason == "not measured in before and after"


def test_a_failure_explains_what_is_missing() -> None:
    failures = (Failure("other", 0, "no"), Failure("s", 1, "boom\n\x1b[2Jbang " + "x" * 500), Failure("s", 2, "later"))
    comparison = compare([1.0] * 8, [], failures=failures)
    assert comparison.verdict is Verdict.MISSING
    assert comparison.reason.startswith("not measured in after: boom [2Jbang xxx")
    assert len(comparison.reason) == len("not measured in after: ") + 200
    assert comparison.warnings == ("the scenario failed 2 times in after",)


def test_failures_and_interruptions_are_warned_about_when_there_are_values() -> None:
    comparison = compare([1.0] * 8, [1.0] * 8, failures=(Failure("s", 3, "boom"),), state="interrupted")
    assert comparison.verdict is Verdict.UNCHANGED
    assert comparison.warnings == ("after was interrupted", "the scenario failed 1 time in after")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"unit": "B"}, "unit: s / B"),
        ({"better": "higher"}, "better: lower / higher"),
        ({"kind": "count", "unit": "1"}, "unit: s / 1; kind: noisy / count"),
    ],
)
def test_another_definition_is_incomparable(change: dict[str, Any], reason: str) -> None:
    after = run("after", sample(replace(TIME, **change), [1.0] * 8))
    (comparison,) = compare_runs(run("before", sample(TIME, [1.0] * 8)), after, Policy())
    assert comparison.verdict is Verdict.INCOMPARABLE
    assert comparison.reason == f"the metric is defined differently: {reason}"


def test_margins_are_those_of_after_and_a_change_of_them_is_named() -> None:
    after = run("after", sample(replace(TIME, floor=0.2, smallest_effect=0.3), [1.1] * 8))
    (comparison,) = compare_runs(run("before", sample(TIME, [1.0] * 8)), after, Policy())
    assert comparison.verdict is Verdict.UNCHANGED
    assert comparison.warnings == ("judged by the definition of after: floor 0.01 / 0.2, smallest_effect 0.05 / 0.3",)


def test_a_metric_twice_in_a_run_is_refused() -> None:
    broken = run("after", sample(TIME, [1.0]), sample(TIME, [2.0]))
    with pytest.raises(HarnessError, match="after: the run holds s:time twice") as error:
        compare_runs(run("before"), broken, Policy())
    assert error.value.code is ExitCode.INTEGRITY


# ---- counts


@pytest.mark.parametrize(
    ("before", "after", "verdict", "effect", "scale", "step"),
    [
        (3.0, 3.0, Verdict.UNCHANGED, 0.0, "relative", 1 / 3),
        (1000.0, 1001.0, Verdict.REGRESSED, 0.001, "relative", 0.001),  # below the floor, but certain
        (4.0, 3.0, Verdict.IMPROVED, -0.25, "relative", 0.25),
        (0.0, 2.0, Verdict.REGRESSED, 2.0, "absolute", 1.0),
        (0.0, 0.0, Verdict.UNCHANGED, 0.0, "absolute", 1.0),
        (2.0, 0.0, Verdict.IMPROVED, -1.0, "relative", 0.5),
    ],
)
def test_steady_counts_are_compared_exactly(
    before: float, after: float, verdict: Verdict, effect: float, scale: str, step: float
) -> None:
    comparison = compare([before] * 2, [after] * 3, CALLS)
    assert comparison.verdict is verdict
    assert comparison.effect == Estimate(effect, effect, effect, 1.0)
    assert (comparison.scale, comparison.units, comparison.p_value) == (scale, 2, None)
    assert comparison.detectable == pytest.approx(step)
    assert comparison.method == "exact count"


def test_one_count_cannot_tell_whether_it_varies() -> None:
    comparison = compare([3.0], [4.0, 4.0], CALLS)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.reason == "one value cannot show whether a count varies; at least 2 rounds would decide"


def test_counts_that_vary_are_totals() -> None:
    comparison = compare([9.0, 11.0, 10.0] * 10, [20.0, 21.0, 19.0] * 10, CALLS)
    assert comparison.verdict is Verdict.REGRESSED
    assert comparison.method == "Poisson totals"
    assert comparison.effect is not None
    assert comparison.effect.value == pytest.approx(1.0)
    assert comparison.effect.low < 1.0 < comparison.effect.high
    assert comparison.warnings == ()


def test_scattered_counts_are_allowed_for() -> None:
    comparison = compare([0.0, 40.0] * 6, [5.0, 55.0] * 6, CALLS)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.warnings == ("the counts vary 24.5 times as much as independent events would; allowed for",)


def test_counts_of_different_sessions_are_widened_too() -> None:
    comparison = compare([9.0, 11.0] * 20, [18.0, 22.0] * 20, CALLS, session="two")
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "the interval is widened on both sides by what two sessions may differ (+100 %)" in comparison.warnings


def test_events_that_never_happened_before() -> None:
    comparison = compare([0.0] * 10, [2.0, 4.0] * 5, CALLS)
    assert comparison.verdict is Verdict.REGRESSED
    assert comparison.effect is not None
    assert comparison.effect.value == math.inf
    rare = compare([0.0] * 10, [0.0] * 9 + [1.0], CALLS)
    assert rare.verdict is Verdict.INCONCLUSIVE
    assert rare.reason == "between −99.9 % and +∞ (99 % sure); more has to happen to decide"


@pytest.mark.parametrize("bad", [0.5, -1.0, 1e17])
def test_what_is_no_count_is_invalid(bad: float) -> None:
    comparison = compare([1.0, 1.0], [1.0, bad], CALLS)
    assert (comparison.verdict, comparison.reason) == (Verdict.INVALID, f"{bad} is not a count in after")


# ---- rates


def test_rates_by_hand() -> None:
    comparison = compare([1.0] * 90 + [0.0] * 10, [1.0] * 50 + [0.0] * 50, SUCCESS)
    assert comparison.verdict is Verdict.REGRESSED
    assert comparison.effect is not None
    assert comparison.effect.value == pytest.approx(-0.4)
    assert (comparison.scale, comparison.method, comparison.units) == ("absolute", "Fisher exact", 100)
    assert comparison.before is not None
    assert comparison.before.median == 0.9
    assert (comparison.before.q1, comparison.before.q3) == pytest.approx((0.8256, 0.9448), abs=1e-4)
    assert compare([0.0] * 100, [1.0] * 100, SUCCESS).verdict is Verdict.IMPROVED


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
    assert comparison.reason.startswith("between −57.5 points and ")
    assert comparison.reason.endswith(" values would decide")
    assert comparison.detectable is not None
    assert 0.5 < comparison.detectable < 1


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


# ---- many metrics


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
    before = run("before", sample(TIME, [1.0] * 8), sample(Metric("extra", "s", gated=False), [1.0] * 8))
    after = run("after", sample(TIME, [1.1] * 8), sample(Metric("extra", "s", gated=False), [1.0] * 8))
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
