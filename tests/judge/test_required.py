"""What has to be there and is not is missing, never a pass."""

from dataclasses import replace
from typing import Any

import pytest

from harness.errors import ExitCode
from harness.judge.compare import compare_runs
from harness.judge.comparison import Comparison, Verdict
from harness.judge.gate import Gate, decide
from harness.judge.policy import Policy
from harness.model import Metric, Run, Sample, Unmeasured
from tests.judge.build import TIME, noise, run, sample

OLD = noise(1, 12)


def there(scenario: str, metric: Metric = TIME) -> Sample:
    return sample(metric, OLD, scenario)


def judged(before: Run, after: Run, **policy: Any) -> tuple[dict[str, Comparison], Gate]:
    comparisons = compare_runs(before, after, Policy(**policy))
    named = {f"{c.scenario}:{c.metric.name}": c for c in comparisons}
    return named, decide(comparisons, before, after, Policy(**policy))


def both(*samples: Sample, **after: Any) -> tuple[Run, Run]:
    return run("before", *samples), run("after", *samples, **after)


def test_a_required_pattern_that_nothing_matches_is_missing() -> None:
    found, gate = judged(*both(there("retry/hang")), required=("retry/*:time", "load/*:p95"))
    assert found["load/*:p95"].verdict is Verdict.MISSING
    assert gate.exit_code is ExitCode.BASELINE
    assert (gate.compared, gate.expected) == (1, 2)
    assert gate.reasons == ("missing: load/*:p95 required, but not measured",)


def test_a_likely_new_name_is_suggested_for_a_required_scenario() -> None:
    _, gate = judged(*both(there("retry/hangs")), required=("retry/hang:time",))
    assert gate.reasons == ("missing: retry/hang:time required, but not measured; is it retry/hangs?",)


@pytest.mark.parametrize(
    ("new", "hint"),
    [
        (there("retry/hangs"), "; is it retry/hangs?"),
        (there("retry/hang", replace(TIME, name="times")), "; is it retry/hang:times?"),
        (there("other/hang"), "; is it other/hang?"),
        (there("retry/timeout"), ""),
    ],
)
def test_what_only_the_older_run_has_is_missing_and_its_new_name_suggested(new: Sample, hint: str) -> None:
    found, gate = judged(run("before", there("retry/hang")), run("after", new))
    assert found["retry/hang:time"].reason == f"not measured in after{hint}"
    assert gate.exit_code is ExitCode.BASELINE


def test_a_suggestion_is_one_line_whatever_its_name_holds() -> None:
    found, _ = judged(run("before", there("s/hang")), run("after", there("s/hang\n\x1b[2J")))
    assert "\n" not in found["s/hang:time"].reason
    assert "\x1b" not in found["s/hang:time"].reason


def test_nothing_excuses_what_is_required() -> None:
    policy = {"allow_missing": ("*",)}
    _, excused = judged(run("before", there("a"), there("b")), run("after", there("b")), **policy)
    assert excused.exit_code is ExitCode.OK
    _, required = judged(run("before", there("a"), there("b")), run("after", there("b")), required=("a:*",), **policy)
    assert required.exit_code is ExitCode.BASELINE
    marked = replace(TIME, required=True)
    _, gate = judged(run("before", there("a", marked), there("b")), run("after", there("b")), **policy)
    assert gate.exit_code is ExitCode.BASELINE


def test_a_required_metric_that_is_not_gated_has_to_be_there_but_decides_nothing_else() -> None:
    quiet = replace(TIME, gated=False, required=True)
    _, gone = judged(run("before", there("a", quiet), there("b")), run("after", there("b")))
    assert (gone.exit_code, gone.expected) == (ExitCode.BASELINE, 2)
    slow = sample(quiet, [9 * x for x in OLD], "a")
    _, slower = judged(run("before", there("a", quiet), there("b")), run("after", slow, there("b")))
    assert (slower.exit_code, slower.expected) == (ExitCode.OK, 1)


def test_a_scenario_that_gave_no_value_is_missing_and_says_why() -> None:
    skipped = (Unmeasured("load/steady", "skipped: no locust"),)
    found, gate = judged(*both(there("a"), unmeasured=skipped))
    assert found["load/steady:*"].reason == "not measured: skipped: no locust"
    assert (gate.exit_code, gate.compared, gate.expected) == (ExitCode.BASELINE, 1, 2)
    _, excused = judged(*both(there("a"), unmeasured=skipped), allow_missing=("load/*",))
    assert excused.exit_code is ExitCode.OK


def test_why_is_said_of_the_metrics_that_an_older_run_knows() -> None:
    after = run("after", there("b"), unmeasured=(Unmeasured("a", "skipped: slow"),), session="two")
    found, _ = judged(run("before", there("a"), there("b")), after)
    assert found["a:time"].reason == "not measured in after: skipped: slow"
    assert len(found) == 2


def test_a_selection_outside_ci_is_asked_for_no_more_than_it_selected() -> None:
    selected = run("after", there("b"), selection="-k b", session="two")
    before = run("before", there("a"), there("b"))
    found, gate = judged(before, selected, required=("a:*",))
    assert found.keys() == {"b:time"}
    assert (gate.compared, gate.expected) == (1, 1)
    _, in_ci = judged(before, selected, required=("a:*",), ci=True)
    assert (in_ci.exit_code, in_ci.expected) == (ExitCode.BASELINE, 2)


def test_within_a_session_both_sides_have_the_same_selection() -> None:
    selected = {"selection": "-k b"}
    before, after = run("before", there("a"), there("b"), **selected), run("after", there("b"), **selected)
    assert judged(before, after)[1].exit_code is ExitCode.BASELINE


def test_what_is_missing_takes_its_share_of_the_error_budget() -> None:
    alone, _ = judged(*both(there("a")))
    short, _ = judged(*both(there("a")), required=("b:*",))
    levels = [found["a:time"].effect.level for found in (alone, short) if found["a:time"].effect]
    assert levels == [0.99, 0.995]


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("retry/hang:latnecy", "retry/hang:latnecy"),
        ("retry/*:latency", "retry/*:latency"),
        ("load/x[[]10]:tine", "load/x[10]:tine"),
    ],
)
def test_a_bound_that_applies_to_nothing_is_no_pass(pattern: str, told: str) -> None:
    _, gate = judged(*both(there("retry/hang"), there("load/x[10]")), bounded=(pattern, "load/x[10]:*", "*:time"))
    assert gate.exit_code is ExitCode.BASELINE
    (reason,) = gate.reasons
    assert reason.startswith(f"missing: {told} bounds are set for it, but nothing measured is called so")


def test_a_bound_on_what_may_be_missing_may_apply_to_nothing() -> None:
    _, gate = judged(*both(there("retry/hang")), bounded=("load/*:time",), allow_missing=("load/*",))
    assert gate.exit_code is ExitCode.OK


def test_a_bound_on_a_scenario_that_was_left_out_does_not_hide_that_it_was() -> None:
    left_out = both(there("retry/hang"), unmeasured=(Unmeasured("load/rows", "skipped"),))
    found, gate = judged(*left_out, bounded=("load/rows:time",), allow_missing=("load/rows:time",))
    assert set(found) == {"retry/hang:time", "load/rows:*"}
    assert gate.exit_code is ExitCode.BASELINE


def test_what_a_tag_leaves_out_is_asked_for_in_ci_only() -> None:
    quick = {"left_out": ("load/steady",), "session": "two"}
    before, after = run("before", there("a"), there("load/steady")), run("after", there("a"), **quick)
    found, gate = judged(before, after, required=("load/*:time",), bounded=("load/steady:time",))
    assert (found.keys(), gate.exit_code) == ({"a:time"}, ExitCode.OK)
    _, in_ci = judged(before, after, required=("load/*:time",), ci=True)
    assert in_ci.exit_code is ExitCode.BASELINE


def test_a_baseline_of_shorter_sessions_says_why_it_lacks_the_rest() -> None:
    before, after = run("before", there("a"), left_out=("b",), session="two"), run("after", there("a"), there("b"))
    found, gate = judged(before, after)
    assert found["b:time"].reason == "not measured in before: its tag left it to longer sessions (--tag)"
    assert gate.exit_code is ExitCode.BASELINE


def test_a_tag_excuses_nothing_but_what_it_leaves_out() -> None:
    after = run("after", there("b"), left_out=("load/steady",), session="two")
    found, gate = judged(run("before", there("a"), there("b")), after)
    assert found["a:time"].verdict is Verdict.MISSING
    assert gate.exit_code is ExitCode.BASELINE
    _, misspelt = judged(*both(there("a"), left_out=("load/steady",)), bounded=("retry/x:time",))
    assert misspelt.exit_code is ExitCode.BASELINE
