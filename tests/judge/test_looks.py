"""Which rounds count, and at which level."""

from dataclasses import replace

import pytest

from harness.errors import ExitCode, HarnessError
from harness.judge.compare import compare_runs
from harness.judge.comparison import Comparison, Verdict
from harness.judge.looks import reached
from harness.judge.policy import Policy
from harness.judge.stop import undecided
from harness.model import Dropped, Failure, Metric, Run, Sample
from harness.statistics.sequential import boundaries, nominal_level
from tests.judge.build import CALLS, SUCCESS, TIME, run, sample
from tests.judge.sessions import pair_of_runs

LOOKS = (12, 24, 48)
LEVELS = [nominal_level(z) for z in boundaries(LOOKS, 0.01)]
WIDE = [-0.3, 0.3] * 40


def one(d: list[float], looks: tuple[int, ...] = LOOKS, **fields: object) -> Comparison:
    before, after = (replace(side, **fields) for side in pair_of_runs([d], looks))  # type: ignore[arg-type]
    (comparison,) = compare_runs(before, after, Policy())
    return comparison


@pytest.mark.parametrize(
    ("rounds", "units", "look"), [(5, 5, 0), (12, 12, 0), (23, 12, 0), (24, 24, 1), (48, 48, 2), (60, 48, 2)]
)
def test_the_largest_planned_look_counts(rounds: int, units: int, look: int) -> None:
    comparison = one(WIDE[:rounds])
    assert comparison.effect is not None
    assert comparison.effect.level == pytest.approx(1 - LEVELS[look])
    assert comparison.units == units
    assert comparison.method == f"paired signed-rank, look {look + 1} of 3"
    left_out = [f"judged at the look after {units} rounds: {rounds - units} more do not count"]
    assert list(comparison.warnings) == (left_out if rounds > max(units, 12) else [])
    assert comparison.before is not None
    assert comparison.before.n == units


def test_the_interval_of_unchanged_has_the_level_of_its_look() -> None:
    """Below 3 % but for three rounds of 9 %: below 5 % with the 90 % of one look, not with the 96.4 % of the first."""
    d = [-0.032, 0.032] * 5 + [-0.032] + [0.09] * 3
    assert one(d, ()).verdict is Verdict.UNCHANGED
    assert one(d, (14, 28, 56)).verdict is Verdict.INCONCLUSIVE


def test_a_scenario_with_its_own_number_of_rounds_has_one_look() -> None:
    comparison = one(WIDE[:16], own_rounds={"s0": 16})
    assert comparison.effect is not None
    assert (comparison.units, comparison.method) == (16, "paired signed-rank")
    assert comparison.effect.level == pytest.approx(0.99)
    assert comparison.warnings == ()


def test_runs_of_two_sessions_have_no_looks_in_common() -> None:
    before, after = pair_of_runs([WIDE[:20]], LOOKS)
    (comparison,) = compare_runs(before, replace(after, session="two", looks=(7,)), Policy())
    assert (comparison.units, comparison.method) == (20, "unpaired rank-sum")


def test_a_round_that_failed_was_measured_and_one_that_was_dropped_was_not() -> None:
    before, after = pair_of_runs([WIDE[:30]], (10, 20, 30))
    gone = {3, 4}
    without = tuple(_without(sample_, gone) for sample_ in after.samples)
    failures = (Failure("s0", 3, "wrong answer"), Failure("s0", 4, "wrong answer"), Failure("other", 7, "no"))
    after = replace(after, samples=without, failures=failures, dropped=(Dropped(4, "slept"),))
    look = reached("s0", (before, after))
    assert len(look.rounds) == 29
    assert (look.number, look.left_out, look.later) == (1, 9, (30,))
    (comparison,) = compare_runs(before, after, Policy())
    assert comparison.units == 19  # the first 20 rounds but one


def _without(found: Sample, rounds: set[int]) -> Sample:
    kept = [i for i, number in enumerate(found.rounds) if number not in rounds]
    pick = (tuple(row[i] for i in kept) for row in (found.values, found.rounds, found.pairs))
    return replace(found, **dict(zip(("values", "rounds", "pairs"), pick, strict=True)))


@pytest.mark.parametrize("looks", [(0, 4), (4, 4), (8, 4), (-1,), tuple(range(1, 102))])
def test_looks_that_are_no_plan_are_refused(looks: tuple[int, ...]) -> None:
    with pytest.raises(HarnessError, match=r"^looks: found .* allowed are at most 100 numbers") as caught:
        one(WIDE[:12], looks)
    assert caught.value.code is ExitCode.INTEGRITY
    assert "\n" not in str(caught.value)


def test_two_plans_of_one_session_are_refused() -> None:
    before, after = pair_of_runs([WIDE[:12]], LOOKS)
    with pytest.raises(HarnessError, match="plan different looks"):
        compare_runs(before, replace(after, looks=(3,)), Policy())
    with pytest.raises(HarnessError, match="own_rounds: found 0"):
        one(WIDE[:12], own_rounds={"s0": 0})


def test_what_would_decide_is_told_as_the_next_look_and_its_time() -> None:
    d = [-0.01, 0.11] * 6  # 12 * (0.06 / (0.05 - 0.00995))^2 = 27 rounds, so the look at 48
    before, after = pair_of_runs([d], LOOKS)
    (comparison,) = compare_runs(before, replace(after, seconds_per_round=2.5), Policy())
    assert comparison.reason.endswith("; about 36 more rounds (≈ 90 s) would decide")
    (beyond,) = compare_runs(*pair_of_runs([d], (12, 13)), Policy())
    assert beyond.reason.endswith(" more rounds would decide")


# --- what keeps a scenario open


def session(metric: Metric, before: list[float], after: list[float], *others: Sample) -> tuple[Run, Run]:
    return (
        run("before", sample(metric, before), *others, looks=LOOKS),
        run("after", sample(metric, after), *others, looks=LOOKS),
    )


NOISY = [2.0**x for x in (-1, 1) * 12]


def test_an_inconclusive_scenario_stays_open_until_the_last_look() -> None:
    runs = session(TIME, [1.0] * 24, NOISY)
    assert undecided(*runs, Policy(), 12) == undecided(*runs, Policy(), 24) == {"s"}
    assert undecided(*runs, Policy(), 48) == frozenset()
    alone = (replace(one, own_rounds={"s": 12}) for one in runs)
    assert undecided(*alone, Policy(), 12) == frozenset()


def test_it_is_judged_as_it_was_at_the_look() -> None:
    """Twelve clear rounds, then noise: decided at 12, open at 24."""
    runs = session(TIME, [1.0] * 24, [1.2] * 12 + [0.4, 3.0] * 6)
    assert undecided(*runs, Policy(), 12) == frozenset()
    assert undecided(*runs, Policy(), 24) == {"s"}


@pytest.mark.parametrize(
    ("metric", "before", "after"),
    [
        (replace(TIME, gated=False), [1.0] * 12, NOISY[:12]),
        (CALLS, [3.0] * 12, [3.0] * 12),
        (CALLS, [3.0] * 12, [4.0] * 12),
        (TIME, [1.0] * 12, [1.0] * 12),
        (TIME, [1.0] * 12, [1.3] * 12),
        (TIME, [1.0] * 12, [0.0] + [1.0] * 11),
    ],
    ids=["not gated", "steady count", "changed count", "unchanged", "regressed", "invalid"],
)
def test_what_more_rounds_cannot_change_or_the_gate_does_not_ask_keeps_nothing_open(
    metric: Metric, before: list[float], after: list[float]
) -> None:
    assert undecided(*session(metric, before, after), Policy(), 12) == frozenset()


def test_rates_and_varying_counts_keep_open() -> None:
    assert undecided(*session(SUCCESS, [1.0] * 12, [1.0] * 12), Policy(), 12) == {"s"}
    assert undecided(*session(CALLS, [3.0, 4.0] * 6, [4.0, 3.0] * 6), Policy(), 12) == {"s"}


def test_a_count_that_cannot_be_certain_yet_keeps_open() -> None:
    """The first of three looks at one of 20 metrics needs 13 rounds."""
    few = Policy(error_budget=0.01 / 20)
    assert undecided(*session(CALLS, [3.0] * 12, [4.0] * 12), few, 12) == {"s"}


def test_a_bound_that_is_undecided_keeps_open() -> None:
    """Regressed for sure, but whether by less than the limit is not."""
    after = [1.1, 1.3] * 6
    assert undecided(*session(TIME, [1.0] * 12, after), Policy(), 12) == frozenset()
    assert undecided(*session(replace(TIME, limit=0.2), [1.0] * 12, after), Policy(), 12) == {"s"}


def test_one_open_metric_keeps_its_scenario_open_and_no_other() -> None:
    other = sample(TIME, [1.0] * 12, "calm")
    assert undecided(*session(TIME, [1.0] * 12, NOISY[:12], other), Policy(), 12) == {"s"}


def test_scenarios_with_too_few_rounds_cost_the_others_nothing() -> None:
    """Eight rounds call a change with the whole budget, not with a hundredth of it."""
    slower = [[0.2 + 0.001 * i for i in range(8)], *([0.2, 0.2] for _ in range(99))]
    own = {f"s{i}": 2 for i in range(1, 100)}
    runs = tuple(replace(side, own_rounds=own) for side in pair_of_runs(slower, (8,)))
    first, *others = compare_runs(runs[0], runs[1], Policy())
    assert first.verdict is Verdict.REGRESSED
    assert {comparison.verdict for comparison in others} == {Verdict.INCONCLUSIVE}
    enough = tuple(replace(side, own_rounds=dict.fromkeys(own, 9)) for side in runs)
    assert compare_runs(enough[0], enough[1], Policy())[0].verdict is Verdict.INCONCLUSIVE
