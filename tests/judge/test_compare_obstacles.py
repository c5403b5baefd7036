"""What cannot be judged, and what is worth a warning."""

from dataclasses import replace
from typing import Any

import pytest

from harness.errors import ExitCode, HarnessError
from harness.judge.compare import compare_runs
from harness.judge.comparison import Verdict
from harness.judge.policy import Policy
from harness.model import Failure
from tests.judge.build import TIME, compare, run, sample


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
