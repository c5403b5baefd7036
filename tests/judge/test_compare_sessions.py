"""Runs of different sessions."""

import pytest

from harness.judge.compare import compare_runs
from harness.judge.comparison import Verdict
from harness.judge.policy import Policy
from harness.model import Environment
from tests.judge.build import TIME, compare, noise, run, sample


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


def test_what_sessions_differ_adds_to_what_is_detectable() -> None:
    before, after = (
        run("before", sample(TIME, noise(1, 12))),
        run("after", sample(TIME, [1.1 * x for x in noise(3, 12)]), session="two"),
    )
    (trusting,) = compare_runs(before, after, Policy(between_sessions=1.0))
    (careful,) = compare_runs(before, after, Policy(between_sessions=2.0))
    assert trusting.detectable is not None
    assert trusting.p_value is not None
    assert trusting.p_value < 1
    assert careful.p_value == 1
    assert careful.detectable == pytest.approx(2 * (1 + trusting.detectable) - 1)


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
