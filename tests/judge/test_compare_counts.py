"""Counts, steady and not."""

import math

import pytest

from harness.judge.compare import compare_runs
from harness.judge.comparison import Estimate, Verdict
from harness.judge.policy import Policy
from harness.model import Sample
from tests.judge.build import CALLS, compare, run, sample

MAY_HAVE = "the machine may have changed in between"


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
    comparison = compare([before] * 8, [after] * 8, CALLS)
    assert comparison.verdict is verdict
    assert comparison.effect == Estimate(effect, effect, effect, 1.0)
    assert (comparison.scale, comparison.units, comparison.p_value) == (scale, 8, None)
    assert comparison.detectable == pytest.approx(step)
    assert comparison.method == "exact count"


@pytest.mark.parametrize("session", ["one", "two"])
def test_a_single_round_in_which_nothing_happened_decides_nothing(session: str) -> None:
    comparison = compare([0.0], [0.0], CALLS, session=session)
    assert comparison.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("session", "fewest"), [("one", 8), ("two", 5)])
def test_so_few_rounds_may_agree_by_chance(session: str, fewest: int) -> None:
    """Chance sorts the levels of eight rounds with probability 2 / 2^8, those of twice five with 2 of 252."""
    for rounds in (1, 2, fewest - 1):
        comparison = compare([3.0] * rounds, [4.0] * rounds, CALLS, session=session)
        assert (comparison.verdict, comparison.enough) == (Verdict.INCONCLUSIVE, False)
        assert comparison.reason.endswith(f"within the error budget, it takes at least {fewest}")
    assert compare([3.0] * fewest, [4.0] * fewest, CALLS, session=session).verdict is Verdict.REGRESSED
    assert compare([3.0] * 2, [3.0] * 2, CALLS, session=session).verdict is Verdict.UNCHANGED
    assert compare([3.0], [3.0], CALLS, session=session).verdict is Verdict.INCONCLUSIVE
    assert compare([0.0], [0.0], CALLS, session=session).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("session", "method"), [("one", "paired randomisation"), ("two", "Poisson totals")])
def test_counts_that_vary_are_compared_by_round(session: str, method: str) -> None:
    runs = (
        run("before", sample(CALLS, [9.0, 11.0, 10.0] * 20, pairs_a_round=2)),
        run("after", sample(CALLS, [20.0, 21.0, 19.0] * 20, pairs_a_round=2), session=session),
    )
    (comparison,) = compare_runs(*runs, Policy(between_sessions=1.0))
    assert comparison.verdict is Verdict.REGRESSED
    assert (comparison.method, comparison.units) == (method, 30)
    assert comparison.effect is not None
    assert comparison.effect.value == pytest.approx(1.0)
    assert comparison.effect.low < 1.0 < comparison.effect.high
    assert comparison.warnings == (() if session == "one" else ("measured in different sessions: " + MAY_HAVE,))


def test_rounds_of_both_count() -> None:
    comparison = compare([9.0, 11.0] * 4, [9.0, 11.0] * 3, CALLS)
    assert (comparison.units, comparison.warnings) == (6, ("2 rounds measured on one side only, left out",))
    assert compare([9.0, 11.0] * 4, [9.0, 11.0] * 3, CALLS, session="two").units == 6
    late = Sample("s", CALLS, (4.0, 5.0), (7, 8), (0, 0))
    (apart,) = compare_runs(run("before", sample(CALLS, [4.0, 5.0])), run("after", late), Policy())
    assert (apart.verdict, apart.reason) == (Verdict.MISSING, "no round was measured in both before and after")


def test_scattered_counts_are_allowed_for() -> None:
    assert compare([0.0, 40.0] * 6, [5.0, 55.0] * 6, CALLS).verdict is Verdict.REGRESSED  # in each round
    assert compare([0.0, 40.0] * 6, [55.0, 5.0] * 6, CALLS).verdict is Verdict.INCONCLUSIVE
    comparison = compare([0.0, 40.0] * 6, [5.0, 55.0] * 6, CALLS, session="two")
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "the rounds vary 24.5 times as much as independent events would; allowed for" in comparison.warnings


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
    assert rare.reason == "more has to happen to decide"


@pytest.mark.parametrize("bad", [0.5, -1.0, 1e17])
def test_what_is_no_count_is_invalid(bad: float) -> None:
    comparison = compare([1.0, 1.0], [1.0, bad], CALLS)
    assert (comparison.verdict, comparison.reason) == (Verdict.INVALID, f"{bad} is not a count in after")
