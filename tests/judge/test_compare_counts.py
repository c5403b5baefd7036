"""Counts, steady and not."""

import math

import pytest

from harness.judge.comparison import Estimate, Verdict
from tests.judge.build import CALLS, compare


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


def test_the_smaller_side_counts() -> None:
    assert compare([9.0, 11.0] * 4, [9.0, 11.0] * 3, CALLS).units == 6


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
