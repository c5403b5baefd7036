from dataclasses import replace
from typing import Any

import pytest

from harness.errors import ExitCode
from harness.judge.comparison import Bound, Comparison, Estimate, Verdict
from harness.judge.gate import decide
from harness.judge.policy import Policy
from harness.model import Failure, Metric, Run, Side, Variant


def run(name: Side, *failures: Failure) -> Run:
    return Run("one", Variant(name, "main"), "2026-01-01T00:00:00Z", 1, 1, "complete", (), failures=failures)


def judged(verdict: Verdict, scenario: str = "s", *, gated: bool = True, **fields: Any) -> Comparison:
    return Comparison(scenario, Metric("time", "s", gated=gated), verdict, **fields)


BEFORE, AFTER = run("before"), run("after")
GOOD = judged(Verdict.UNCHANGED)


@pytest.mark.parametrize(
    ("verdict", "code", "strict_code"),
    [
        (Verdict.IMPROVED, ExitCode.OK, ExitCode.OK),
        (Verdict.UNCHANGED, ExitCode.OK, ExitCode.OK),
        (Verdict.INCONCLUSIVE, ExitCode.OK, ExitCode.INCONCLUSIVE),
        (Verdict.REGRESSED, ExitCode.REGRESSED, ExitCode.REGRESSED),
        (Verdict.MISSING, ExitCode.BASELINE, ExitCode.BASELINE),
        (Verdict.INCOMPARABLE, ExitCode.BASELINE, ExitCode.BASELINE),
        (Verdict.INVALID, ExitCode.BASELINE, ExitCode.BASELINE),
    ],
)
def test_what_a_verdict_costs(verdict: Verdict, code: ExitCode, strict_code: ExitCode) -> None:
    comparisons = [GOOD, judged(verdict)]
    assert decide(comparisons, BEFORE, AFTER, Policy()).exit_code is code
    assert decide(comparisons, BEFORE, AFTER, Policy(strict=True)).exit_code is strict_code


def test_too_little_to_call_any_change_is_no_pass() -> None:
    gate = decide([GOOD, judged(Verdict.INCONCLUSIVE, enough=False, reason="3 rounds")], BEFORE, AFTER, Policy())
    assert gate.exit_code is ExitCode.BASELINE
    assert gate.reasons == ("inconclusive: s:time 3 rounds",)


@pytest.mark.parametrize(
    ("bounds", "code"),
    [
        ({"limit": "undecided"}, ExitCode.BASELINE),
        ({"absolute limit": "undecided"}, ExitCode.BASELINE),
        ({"limit": "kept", "absolute limit": "undecided"}, ExitCode.BASELINE),
        ({"budget": "kept"}, ExitCode.BASELINE),
        ({"budget": "undecided"}, ExitCode.BASELINE),
        ({"limit": "kept"}, ExitCode.OK),
        ({"limit": "kept", "budget": "kept"}, ExitCode.OK),
        ({"limit": "undecided", "budget": "broken"}, ExitCode.REGRESSED),
    ],
)
def test_a_bound_that_says_nothing_excuses_no_lack_of_rounds(bounds: dict[Any, Any], code: ExitCode) -> None:
    held = tuple(Bound(name, 1.0, (0.0, 1.0), state) for name, state in bounds.items())
    few = judged(Verdict.INCONCLUSIVE, enough=False, bounds=held)
    assert decide([GOOD, few], BEFORE, AFTER, Policy()).exit_code is code


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_run_that_was_cut_short_is_no_pass(side: Side) -> None:
    runs = {"before": BEFORE, "after": AFTER}
    runs[side] = replace(runs[side], state="interrupted")
    gate = decide([GOOD], runs["before"], runs["after"], Policy())
    assert gate.exit_code is ExitCode.BASELINE
    assert gate.reasons == (f"{side} was interrupted: what it lacks was not compared",)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_metric_that_is_not_gated_decides_nothing(verdict: Verdict) -> None:
    gate = decide([GOOD, judged(verdict, gated=False)], BEFORE, AFTER, Policy(strict=True))
    assert (gate.exit_code, gate.reasons) == (ExitCode.OK, ())
    assert gate.headline == "1 unchanged · compared 1 of 1"


@pytest.mark.parametrize("comparisons", [[], [judged(Verdict.REGRESSED, gated=False)]])
def test_nothing_compared_is_never_a_pass(comparisons: list[Comparison]) -> None:
    gate = decide(comparisons, BEFORE, AFTER, Policy())
    assert (gate.exit_code, gate.compared, gate.expected) == (ExitCode.BASELINE, 0, 0)
    assert (gate.headline, gate.reasons) == ("nothing was compared", ("nothing was compared",))


def test_a_minor_regression_passes_only_if_the_policy_says_so() -> None:
    comparisons = [GOOD, judged(Verdict.REGRESSED, minor=True)]
    assert decide(comparisons, BEFORE, AFTER, Policy()).exit_code is ExitCode.REGRESSED
    assert decide(comparisons, BEFORE, AFTER, Policy(ignore_minor=True)).exit_code is ExitCode.OK
    major = [GOOD, judged(Verdict.REGRESSED)]
    assert decide(major, BEFORE, AFTER, Policy(ignore_minor=True)).exit_code is ExitCode.REGRESSED


def test_what_is_too_coarse_for_the_gate_is_undecided_and_not_counted_as_compared() -> None:
    coarse = judged(Verdict.INCONCLUSIVE, report_only=True)
    assert decide([GOOD, coarse], BEFORE, AFTER, Policy()).exit_code is ExitCode.OK
    gate = decide([GOOD, coarse], BEFORE, AFTER, Policy(strict=True))
    assert (gate.exit_code, gate.compared, gate.expected) == (ExitCode.INCONCLUSIVE, 1, 2)
    for name, state, code in (
        ("limit", "kept", ExitCode.OK),
        ("limit", "undecided", ExitCode.INCONCLUSIVE),
        ("budget", "kept", ExitCode.INCONCLUSIVE),
        ("budget", "broken", ExitCode.REGRESSED),
    ):
        bounds = (Bound(name, 1.0, (2.0, 3.0), state),)
        coarse = judged(Verdict.INCONCLUSIVE, report_only=True, bounds=bounds)
        assert decide([GOOD, coarse], BEFORE, AFTER, Policy(strict=True)).exit_code is code


def test_what_may_be_missing_does_not_fail_but_still_counts() -> None:
    policy = Policy(allow_missing=("old:*",))
    gate = decide([GOOD, judged(Verdict.MISSING, "old")], BEFORE, AFTER, policy)
    assert (gate.exit_code, gate.headline) == (ExitCode.OK, "1 missing · 1 unchanged · compared 1 of 2")
    everything = decide([judged(Verdict.MISSING, "old")], BEFORE, AFTER, policy)
    assert (everything.exit_code, everything.reasons) == (ExitCode.BASELINE, ("nothing was compared",))


def test_allow_missing_excuses_nothing_else() -> None:
    policy = Policy(allow_missing=("*",))
    for verdict in (Verdict.INCOMPARABLE, Verdict.INVALID):
        assert decide([GOOD, judged(verdict)], BEFORE, AFTER, policy).exit_code is ExitCode.BASELINE


def test_headline_counts_worst_first() -> None:
    comparisons = [judged(verdict) for verdict in reversed(Verdict)] + [judged(Verdict.REGRESSED)]
    gate = decide(comparisons, BEFORE, AFTER, Policy())
    assert gate.headline == (
        "2 regressed · 1 missing · 1 incomparable · 1 invalid · 1 inconclusive · 1 improved · 1 unchanged"
        " · compared 5 of 8"
    )
    assert (gate.compared, gate.expected) == (5, 8)


def test_reasons_worst_first_on_one_line_each() -> None:
    regressed = judged(Verdict.REGRESSED, "a\n\x1b[31mb", effect=Estimate(0.12, 0.08, 0.2, 0.99))
    exact = judged(Verdict.REGRESSED, "c", effect=Estimate(0.5, 0.5, 0.5, 1.0))
    missing = judged(Verdict.MISSING, "d", reason="not measured in after")
    failure = Failure("e", 1, "no answer\nat all")
    after = run("after", failure, Failure("e", 2, "again"), Failure("f", 1, "x" * 999))
    gate = decide([regressed, exact, missing], BEFORE, after, Policy())
    assert gate.exit_code is ExitCode.ENVIRONMENT
    assert gate.reasons == (
        "e failed 2 times in after: no answer at all",
        f"f failed 1 time in after: {'x' * 199}…",
        "missing: d:time not measured in after",
        "regressed: a [31mb:time +12.0 % [+8.0 %, +20.0 %]",
        "regressed: c:time +50.0 %",
    )


def test_a_failure_in_before_counts_as_well() -> None:
    gate = decide([GOOD], run("before", Failure("s", 1, "boom")), AFTER, Policy())
    assert (gate.exit_code, gate.reasons) == (ExitCode.ENVIRONMENT, ("s failed 1 time in before: boom",))
