"""What becomes of a claim: every verdict, and the reason where there is none."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from harness.claims.check import ClaimVerdict, Judged, causes, counts, exit_code, judge_claim
from harness.claims.file import Check, Claim
from harness.claims.session import Session, session_of
from harness.errors import ExitCode
from harness.judge.policy import Policy
from harness.model import PLACEBO, Failure, Sample, Unmeasured
from tests.judge.build import CALLS, SUCCESS, TIME, noise, run, sample

N = 20
SUPPORTED, REFUTED, NOT_MEASURED = ClaimVerdict.SUPPORTED, ClaimVerdict.REFUTED, ClaimVerdict.NOT_MEASURED


def times(factor: float, seed: int = 2, n: int = N) -> list[float]:
    return [factor * value for value in noise(seed, n)]


def session(before: list[Sample], after: list[Sample], label: str = "A", **fields: Any) -> Session:
    return session_of(label, run("before", *before, **fields), run("after", *after, **fields), Policy())


def claim(*checks: dict[str, Any], cost: tuple[str, ...] = (), why_not: str = "") -> Claim:
    parsed = tuple(Check(**({"metric": "s:time"} | check)) for check in checks)
    return Claim(id="c", where="W", statement="S", checks=parsed, cost=cost, why_not=why_not)


def judged(one: Session, *checks: dict[str, Any]) -> Judged:
    return judge_claim(claim(*checks), [one])


def told(found: Judged) -> tuple[ClaimVerdict, str, str]:
    (finding,) = found.findings
    return found.verdict, finding.state, finding.reason


def of_times(factor: float, n: int = N, spread: float = 1.0) -> Session:
    before = [sample(TIME, [x**spread for x in noise(1, n)])]
    return session(before, [sample(TIME, [factor * x**spread for x in noise(2, n)])])


@pytest.mark.parametrize(
    ("factor", "check", "verdict", "state", "reason"),
    [
        (0.6, {"change": "-40 %"}, SUPPORTED, "holds", ""),
        (0.2, {"change": "-40 %"}, REFUTED, "fails", "the change is larger than claimed"),
        (0.9, {"change": "-40 %"}, REFUTED, "fails", "the change is smaller than claimed"),
        (1.5, {"change": "-40 %"}, REFUTED, "fails", "the change goes the other way"),
        (1.0, {"change": "-40 %"}, REFUTED, "fails", "no change that matters"),
        (0.65, {"change": "-40 %"}, NOT_MEASURED, "undecided", "20 rounds do not decide it"),
        (2.0, {"change": "+100 %", "tolerance": "20 %"}, SUPPORTED, "holds", ""),
        (3.0, {"change": "+100 %"}, REFUTED, "fails", "the change is larger than claimed"),
        (0.5, {"change": "+100 %"}, REFUTED, "fails", "the change goes the other way"),
        (0.6, {"direction": "lower"}, SUPPORTED, "holds", ""),
        (1.5, {"direction": "lower"}, REFUTED, "fails", "the change goes the other way"),
        (1.5, {"direction": "higher"}, SUPPORTED, "holds", ""),
        (1.0, {"direction": "lower"}, REFUTED, "fails", "no change that matters"),
        (1.0, {"direction": "unchanged"}, SUPPORTED, "holds", ""),
        (1.5, {"direction": "unchanged"}, REFUTED, "fails", "it changes"),
        (2.0, {"after": "1.5 to 2.5"}, SUPPORTED, "holds", ""),
        (2.0, {"after": "<= 1.5"}, REFUTED, "fails", "after is not as claimed"),
        (2.0, {"after": ">= 2"}, NOT_MEASURED, "undecided", "20 rounds do not decide it"),
        (2.0, {"before": "0.5 to 1.5", "after": ">= 1.5"}, SUPPORTED, "holds", ""),
        (2.0, {"before": ">= 1.5", "after": ">= 1.5"}, REFUTED, "fails", "before is not as claimed"),
        (2.0, {"change": "-4 points"}, NOT_MEASURED, "undecided", "only a share changes by points"),
    ],
)
def test_times(factor: float, check: dict[str, Any], verdict: ClaimVerdict, state: str, reason: str) -> None:
    assert told(judged(of_times(factor), check)) == (verdict, state, reason)


def test_a_direction_that_is_not_shown_is_not_assumed() -> None:
    wide = of_times(1.0, spread=10.0)
    for direction in ("lower", "higher", "unchanged"):
        verdict, state, reason = told(judged(wide, {"direction": direction}))
        assert (verdict, state) == (NOT_MEASURED, "undecided")
        assert reason.endswith("more rounds would decide")


def test_a_direction_that_may_be_one_chance_among_many_metrics_says_so() -> None:
    many = [replace(TIME, name=f"time{n}", gated=False) for n in range(20)]
    before, after = ([sample(one, noise(2 * n + side, 6)) for n, one in enumerate(many)] for side in (0, 1))
    before.append(sample(replace(TIME, gated=False), noise(90, 6)))
    after.append(sample(replace(TIME, gated=False), times(0.6, 91, 6)))
    verdict, state, reason = told(judged(session(before, after), {"direction": "lower"}))
    assert (verdict, state) == (NOT_MEASURED, "undecided")
    assert "not among 21 exploratory metrics" in reason


def test_few_rounds_decide_nothing() -> None:
    for check in ({"change": "-40 %"}, {"change": "-90 %"}, {"after": "<= 100"}):
        found = judged(of_times(0.6, n=3), check)
        assert told(found) == (NOT_MEASURED, "undecided", "3 rounds do not decide it")
    assert "3 rounds cannot show any change" in told(judged(of_times(0.6, n=3), {"direction": "lower"}))[2]


def test_counts_are_exact() -> None:
    eleven = session([sample(CALLS, [11] * N)], [sample(CALLS, [0] * N)])
    calls = {"metric": "s:calls"}
    assert judged(eleven, calls | {"before": 11, "after": 0}).verdict is SUPPORTED
    assert judged(eleven, calls | {"before": 10, "after": 0}).verdict is REFUTED
    assert judged(eleven, calls | {"change": "-100 %", "tolerance": "0 %"}).verdict is SUPPORTED
    assert judged(eleven, calls | {"change": "-99 %", "tolerance": "0.9 %"}).verdict is REFUTED
    assert judged(eleven, calls | {"before": ">= 9"}).findings[0].own["before"].level == 1  # type: ignore[index]


def test_a_count_is_exact_when_two_rounds_agree_and_a_change_of_it_when_chance_is_excluded() -> None:
    calls = {"metric": "s:calls"}
    once, twice = (session([sample(CALLS, [11] * n)], [sample(CALLS, [0] * n)]) for n in (1, 2))
    assert told(judged(once, calls | {"before": 11})) == (NOT_MEASURED, "undecided", "1 round does not decide it")
    assert judged(twice, calls | {"before": 11, "after": 0}).verdict is SUPPORTED
    verdict, state, reason = told(judged(twice, calls | {"change": "-100 %"}))
    assert (verdict, state) == (NOT_MEASURED, "undecided")
    assert "2 rounds cannot show any change" in reason


def test_a_count_that_was_zero_has_no_change_in_per_cent() -> None:
    grown = session([sample(CALLS, [0] * N)], [sample(CALLS, [1] * N)])
    found = judged(grown, {"metric": "s:calls", "change": "+100 %"})
    assert told(found) == (NOT_MEASURED, "undecided", "from 0 there is no change in per cent")
    assert judged(grown, {"metric": "s:calls", "direction": "higher"}).verdict is SUPPORTED


def test_shares_change_by_points_and_have_their_own_interval() -> None:
    before, after = [1.0] * 200, ([1.0] * 9 + [0.0]) * 20
    shares = session([sample(SUCCESS, before, pairs_a_round=10)], [sample(SUCCESS, after, pairs_a_round=10)])
    success = {"metric": "s:success"}
    assert judged(shares, success | {"change": "-10 points", "tolerance": "9 points"}).verdict is SUPPORTED
    assert judged(shares, success | {"change": "-60 points"}).verdict is REFUTED
    assert told(judged(shares, success | {"change": "-10 %"}))[2] == "a share changes by points"
    assert judged(shares, success | {"before": ">= 0.95"}).verdict is SUPPORTED
    assert judged(shares, success | {"after": ">= 0.97"}).verdict is REFUTED
    assert judged(shares, success | {"after": ">= 0.9"}).verdict is NOT_MEASURED


def test_what_only_one_variant_has_can_be_claimed_by_itself_and_not_as_a_change() -> None:
    only = session([sample(CALLS, [1] * N)], [sample(CALLS, [1] * N), sample(TIME, times(0.1))])
    assert judged(only, {"after": "<= 0.2"}).verdict is SUPPORTED
    assert told(judged(only, {"change": "-40 %"})) == (NOT_MEASURED, "absent", "not measured in before")
    assert told(judged(only, {"before": "<= 0.2"})) == (NOT_MEASURED, "absent", "not measured in before")


def test_rounds_are_counted_and_not_values_where_only_one_variant_has_some() -> None:
    share = sample(SUCCESS, ([1.0] * 4 + [0.0]) * 20, pairs_a_round=10)
    only = session([], [share])
    found = judged(only, {"metric": "s:success", "after": ">= 0.8"})
    assert told(found) == (NOT_MEASURED, "undecided", "10 rounds do not decide it")
    assert found.findings[0].rounds == 10


def test_a_claim_is_supported_if_all_its_checks_hold_and_refuted_if_one_fails() -> None:
    one = of_times(0.6)
    holds, fails, open_ = {"change": "-40 %"}, {"change": "-80 %"}, {"metric": "s:nothing", "after": 1}
    assert judged(one, holds, {"direction": "lower"}).verdict is SUPPORTED
    assert judged(one, holds, fails).verdict is REFUTED
    assert judged(one, holds, open_).verdict is NOT_MEASURED
    assert judged(one, fails, open_).verdict is REFUTED


def test_of_a_pattern_every_metric_has_to_hold() -> None:
    before = [sample(TIME, noise(1, N), name) for name in ("load/rows[1]", "load/rows[2]")]
    after = [sample(TIME, times(factor), f"load/rows[{i}]") for i, factor in ((1, 0.6), (2, 0.3))]
    one = session(before, after)
    assert [f.state for f in judged(one, {"metric": "load/rows[*]:time", "change": "-40 %"}).findings] == [
        "holds",
        "fails",
    ]
    assert judged(one, {"metric": "load/rows[1]:time", "change": "-40 %"}).verdict is SUPPORTED


def test_a_metric_that_is_not_there_is_told_apart_from_a_scenario_that_is_not() -> None:
    one = session(
        [sample(TIME, noise(1, N))],
        [sample(TIME, times(0.6))],
        failures=(Failure("broken", 0, "the answer was wrong"),),
        unmeasured=(Unmeasured("skipped", "no engine here"),),
        left_out=("load/soak[8h]",),
    )
    for pattern, reason in (
        ("s:latency", "s has no metric latency; it has time"),
        ("nowhere:time", "no session has the scenario nowhere"),
        ("broken:time", "failed: the answer was wrong"),
        ("skipped:time", "no engine here"),
        ("load/soak[8h]:time", "its tag leaves it to a longer session"),
    ):
        assert told(judged(one, {"metric": pattern, "after": 1})) == (NOT_MEASURED, "absent", reason)


def test_a_pattern_holds_for_no_scenario_that_was_not_measured() -> None:
    one = session(
        [sample(TIME, noise(1, N), "load/rows[1]")],
        [sample(TIME, times(0.6), "load/rows[1]")],
        failures=(Failure("load/rows[2]", 0, "the answer was wrong"),),
        left_out=("load/rows[3]",),
    )
    found = judged(one, {"metric": "load/rows[*]:time", "change": "-40 %"})
    assert [(f.name, f.state) for f in found.findings] == [
        ("load/rows[1]:time", "holds"),
        ("load/rows[2]:time", "absent"),
        ("load/rows[3]:time", "absent"),
    ]
    assert found.verdict is NOT_MEASURED
    rest = [
        session([sample(TIME, noise(3, N), name)], [sample(TIME, times(0.6, 4), name)], label)
        for name, label in (("load/rows[2]", "B"), ("load/rows[3]", "C"))
    ]
    assert judge_claim(found.claim, [one, *rest]).verdict is SUPPORTED


def test_a_measurement_that_cannot_be_trusted_decides_nothing() -> None:
    one = session([sample(TIME, noise(1, N))], [sample(TIME, [0.0, *times(0.6)[1:]])])
    for check in ({"change": "-40 %"}, {"after": "<= 100"}, {"direction": "lower"}):
        verdict, state, reason = told(judged(one, check))
        assert (verdict, state) == (NOT_MEASURED, "absent")
        assert "is not positive" in reason


def test_control_arms_are_no_metrics() -> None:
    one = session([sample(TIME, noise(1, N), PLACEBO)], [sample(TIME, noise(2, N), PLACEBO)])
    assert told(judged(one, {"metric": "control/*:time", "after": "<= 100"}))[1] == "absent"


def test_each_metric_comes_from_the_first_session_that_has_it_on_both_sides() -> None:
    one_sided = session([sample(CALLS, [1] * N)], [sample(CALLS, [1] * N), sample(TIME, times(0.6))], "A")
    whole, later = (
        session([sample(TIME, noise(1, N))], [sample(TIME, times(factor))], label)
        for factor, label in ((0.6, "B"), (0.3, "C"))
    )
    found = judge_claim(claim({"change": "-40 %"}, {"metric": "s:calls", "after": 1}), [one_sided, whole, later])
    assert [(f.session, f.state) for f in found.findings] == [("B", "holds"), ("A", "holds")]
    (finding,) = judge_claim(claim({"after": "0.5 to 0.7"}), [one_sided]).findings
    assert (finding.session, finding.state) == ("A", "holds")


def test_a_session_whose_rounds_can_tell_nothing_gives_way_to_one_whose_rounds_can() -> None:
    """In a long session so many gated metrics share the error budget that the rounds of a short one do not do."""
    others = [replace(CALLS, name=f"calls{n}") for n in range(2000)]
    before = [sample(TIME, noise(1, 12)), *(sample(one, [1] * 12) for one in others)]
    after = [sample(TIME, times(0.6, n=12)), *(sample(one, [1] * 12) for one in others)]
    long, short = session(before, after, "A"), session(before[:1], after[:1], "B")
    for check in ({"change": "-40 %"}, {"direction": "lower"}):
        for measured in ([long, short], [short, long]):
            (finding,) = judge_claim(claim(check), measured).findings
            assert (finding.session, finding.state) == ("B", "holds")
        (finding,) = judge_claim(claim(check), [long]).findings
        assert (finding.session, finding.state) == ("A", "undecided")


def test_a_metric_can_be_held_against_another_of_the_same_variant() -> None:
    warm, cold = (
        sample(TIME, times(factor, seed), name) for factor, seed, name in ((0.5, 3, "warm"), (1.0, 4, "cold"))
    )
    reversed_ = [sample(TIME, times(factor), name) for factor, name in ((9.0, "warm"), (1.0, "cold"))]
    one = session(reversed_, [warm, cold])
    against = {"metric": "warm:time", "than": "cold:time"}
    assert judged(one, against | {"change": "-50 %"}).verdict is SUPPORTED
    assert judged(one, against | {"direction": "higher"}).verdict is REFUTED
    (finding,) = judged(one, against | {"direction": "lower"}).findings
    assert finding.name == "warm:time than cold:time"
    assert finding.comparison is not None
    assert finding.comparison.before == one.comparisons["cold", "time"].after
    for than, reason in (
        ("hot:time", "no session has the scenario hot"),
        ("cold:calls", "cold has no metric calls; it has time"),
    ):
        verdict = told(judged(one, against | {"than": than, "direction": "lower"}))
        assert verdict == (NOT_MEASURED, "absent", reason), "of the two, the one that is not there"


def test_two_metrics_of_different_sessions_are_not_held_against_each_other() -> None:
    apart = [
        session([sample(TIME, noise(1, N), name)], [sample(TIME, noise(2, N), name)], label)
        for name, label in (("warm", "A"), ("cold", "B"))
    ]
    (finding,) = judge_claim(claim({"metric": "warm:time", "than": "cold:time", "direction": "lower"}), apart).findings
    assert (finding.state, finding.reason) == ("absent", "no session has both")


def test_metrics_of_one_variant_come_from_a_session_with_enough_rounds_too() -> None:
    few, many = (
        session([], [sample(TIME, noise(1, n), "cold"), sample(TIME, times(0.5, 2, n), "warm")], label)
        for n, label in ((4, "A"), (12, "B"))
    )
    check = claim({"metric": "warm:time", "than": "cold:time", "direction": "lower"})
    for sessions, label in (([few, many], "B"), ([many, few], "B"), ([few], "A")):
        (finding,) = judge_claim(check, sessions).findings
        assert (finding.session, finding.state) == (label, "holds" if label == "B" else "undecided")


def test_costs_are_found_beside_and_decide_nothing() -> None:
    one = session(
        [sample(TIME, noise(1, N)), sample(CALLS, [1] * N)], [sample(TIME, times(0.6)), sample(CALLS, [2] * N)]
    )
    found = judge_claim(claim({"change": "-40 %"}, cost=("s:calls", "s:nothing")), [one])
    assert found.verdict is SUPPORTED
    assert [cost.name for cost in found.costs] == ["s:calls", "s:nothing"]
    assert found.costs[0].comparison is one.comparisons["s", "calls"]
    assert found.costs[1].state == "absent"
    assert exit_code([found], strict=True) is ExitCode.OK


HOLDS, FAILS = {"change": "-40 %"}, {"change": "-80 %"}
OPEN, ABSENT = {"after": ">= 0.6"}, {"metric": "s:nothing", "after": 1}


@pytest.mark.parametrize(
    ("claims", "code", "strict"),
    [
        ([claim(HOLDS)], ExitCode.OK, ExitCode.OK),
        ([claim(HOLDS), claim(why_not="no")], ExitCode.OK, ExitCode.OK),
        ([claim(HOLDS), claim(OPEN)], ExitCode.OK, ExitCode.INCONCLUSIVE),
        ([claim(FAILS), claim(OPEN)], ExitCode.REGRESSED, ExitCode.REGRESSED),
        ([claim(HOLDS), claim(ABSENT)], ExitCode.BASELINE, ExitCode.BASELINE),
        ([claim(FAILS), claim(ABSENT)], ExitCode.BASELINE, ExitCode.BASELINE),
        ([claim(why_not="no")], ExitCode.BASELINE, ExitCode.BASELINE),
    ],
)
def test_the_exit_code_is_the_worst_of_all_claims(claims: list[Claim], code: ExitCode, strict: ExitCode) -> None:
    found = [judge_claim(one, [of_times(0.6)]) for one in claims]
    assert (exit_code(found, strict=False), exit_code(found, strict=True)) == (code, strict)


def test_what_is_not_measured_says_why() -> None:
    claims = [claim(HOLDS), claim(FAILS), claim(OPEN), claim(ABSENT), claim(OPEN, ABSENT), claim(why_not="no")]
    found = [judge_claim(one, [of_times(0.6)]) for one in claims]
    assert counts(found) == {SUPPORTED: 1, REFUTED: 1, NOT_MEASURED: 4}
    assert causes(found) == {"cannot be here": 1, "missing": 2, "not decided": 1}


def test_at_the_edge_of_what_is_claimed_chance_decides_no_more_often_than_the_level_says() -> None:
    """The true change is exactly the smallest one that bears the claim out: at 95 %, one interval in forty lies wholly
    on either side of it; four in forty would be too many."""
    metric = replace(TIME, gated=False)
    verdicts = Counter(
        judged(
            session([sample(metric, noise(seed, 12))], [sample(metric, times(0.65, 10_000 + seed, 12))]),
            {"change": "-40 %"},
        ).verdict
        for seed in range(200)
    )
    assert max(verdicts[SUPPORTED], verdicts[REFUTED]) <= 12
    assert verdicts[NOT_MEASURED] >= 160
