from dataclasses import replace

import pytest

from harness.errors import ExitCode, HarnessError
from harness.files.assemble import runs_from
from harness.files.journal import JournalContents
from harness.files.records import (
    End,
    Failed,
    MetricDefined,
    Record,
    Resumed,
    RoundDone,
    SessionStart,
    Value,
)
from harness.judge.compare import compare_runs
from harness.judge.comparison import Estimate, Verdict
from harness.judge.policy import Policy
from harness.model import SIDES, Failure, Metric, Run, Source


def assemble(*records: Record, bad_lines: tuple[int, ...] = ()) -> tuple[Run, Run]:
    return runs_from(JournalContents(records, bad_lines))


def value(round_number: int, value: float, metric: str = "ready") -> Value:
    return Value("before", "startup/cold", metric, round_number, 0, value)


def test_both_runs_hold_what_their_side_measured(records: tuple[Record, ...]) -> None:
    before, after = assemble(*records)
    start = records[0]
    assert isinstance(start, SessionStart)
    assert (before.variant, after.variant) == start.variants
    for run in (before, after):
        assert (run.session, run.started, run.seed, run.rounds, run.state) == (
            "s-1",
            start.started,
            2**63,
            2,
            "complete",
        )
        assert (run.environment, run.notes) == (start.environment, start.notes)
        assert [(sample.metric.name, sample.rounds, sample.pairs) for sample in run.samples] == [
            ("ready", (0, 1), (0, 0)),
            ("attempts", (0, 1), (0, 0)),
        ]
    assert [sample.values for sample in before.samples] == [(0.1, 1.1), (3.0, 4.0)]
    assert [sample.values for sample in after.samples] == [(1.1, 2.1), (4.0, 5.0)]
    assert (len(before.traces), len(before.failures), len(before.predictions)) == (1, 0, 0)
    assert (len(after.traces), len(after.failures), len(after.predictions)) == (0, 1, 1)


def test_what_the_tag_left_out_is_told(records: tuple[Record, ...]) -> None:
    start = records[0]
    assert isinstance(start, SessionStart)
    names = tuple(f"load/n{number}" for number in range(12))
    before, after = assemble(replace(start, left_out=names[:2]), *records[1:])
    assert before.notes == after.notes
    assert before.notes[-1] == (
        "Left to longer sessions by their tags (--tag), not measured here: 2 (load/n0, load/n1)."
    )
    many, _ = assemble(replace(start, left_out=names), *records[1:])
    assert many.notes[-1].endswith("12 (load/n0, load/n1, load/n2, load/n3, load/n4, …).")


def test_errors_are_judged_while_every_scenario_takes_part(records: tuple[Record, ...]) -> None:
    """From the first look on those scenarios are missing that are decided, with the errors that they provoke."""
    start = records[0]
    assert isinstance(start, SessionStart)
    start = replace(start, looks=(8, 12), plan={"errors/asks": 12, "startup/cold": 12})
    kind = Metric("row <n> gone", "1", kind="count", gated=False)
    told: list[Record] = [MetricDefined("errors/shop", kind), MetricDefined("errors/asks", kind)]
    for number in range(12):
        counts = {"before": 11 if number < 8 else 0, "after": 0}
        for scenario in ("errors/shop", "errors/asks"):
            told += [Value(side, scenario, kind.name, number, 0, counts[side]) for side in SIDES]
        told.append(RoundDone(number, 1.0))
    runs = assemble(start, *told, End("complete"))
    assert runs[0].own_rounds == {"errors/shop": 8}
    comparison = next(c for c in compare_runs(*runs, Policy()) if c.scenario == "errors/shop")
    assert comparison.before is not None
    assert (comparison.before.median, comparison.verdict) == (11, Verdict.IMPROVED)
    assert comparison.effect == Estimate(-1, -1, -1, 1.0)
    assert "judged at the look after 8 rounds: 4 more do not count" in comparison.warnings
    assert assemble(replace(start, looks=(12,)), *told)[0].own_rounds == {}


def test_without_its_end_a_session_was_interrupted(records: tuple[Record, ...]) -> None:
    assert [run.state for run in assemble(*records[:-1])] == ["interrupted", "interrupted"]
    assert assemble(*records[:-1], End("interrupted"))[0].state == "interrupted"
    assert assemble(*records[:-1], End("interrupted"), Resumed("t"), End("complete"))[0].state == "complete"
    assert assemble(*records, Resumed("t"))[0].state == "interrupted"


def test_a_killed_session_keeps_the_values_of_its_last_round(records: tuple[Record, ...]) -> None:
    before, after = assemble(*records[:3], value(0, 1.0))
    assert [sample.values for sample in before.samples] == [(1.0,)]
    assert after.samples == ()
    assert before.rounds == 0


def test_a_failure_of_the_session_belongs_to_both(records: tuple[Record, ...]) -> None:
    failed = Failed(None, Failure("startup/cold", 0, "no such image"))
    before, after = assemble(records[0], failed)
    assert before.failures == after.failures == (failed.failure,)


def test_a_resumed_session_keeps_what_its_unfinished_round_had_measured(records: tuple[Record, ...]) -> None:
    failed = Failed("before", Failure("startup/cold", 1, "killed"))
    before, _ = assemble(
        *records[:3],
        *(value(0, 1.0), RoundDone(0, 2.0)),
        *(value(1, 66.0), failed, Resumed("2026-02-01")),
        *(value(2, 2.0), RoundDone(2, 4.0), End("complete")),
    )
    assert [(sample.values, sample.rounds) for sample in before.samples] == [((1.0, 66.0, 2.0), (0, 1, 2))]
    assert before.failures == (failed.failure,)
    assert (before.rounds, before.seconds_per_round) == (2, 3.0)
    assert before.notes[-1] == "Resumed at 2026-02-01."


def test_damage_is_noted(records: tuple[Record, ...]) -> None:
    before, after = assemble(*records, bad_lines=tuple(range(5, 17)))
    assert before.notes == after.notes
    assert "12 torn or damaged lines (5, 6, 7, 8, 9, 10, 11, 12, 13, 14, …)" in before.notes[-1]


def test_values_whose_metric_is_unreadable_do_not_vanish_unseen(records: tuple[Record, ...]) -> None:
    before, after = assemble(records[0], value(3, 1.0), value(4, 1.0))
    assert before.samples == ()
    assert before.failures == (Failure("startup/cold", 3, "2 values of ready: no readable definition in the journal"),)
    assert after.failures == ()


def test_a_metric_defined_in_two_ways_is_a_failure(records: tuple[Record, ...]) -> None:
    same = MetricDefined("startup/cold", Metric("ready", "s"))
    other = MetricDefined("startup/cold", Metric("ready", "s", better="higher"))
    assert assemble(records[0], same, same, value(0, 1.0))[0].failures == ()
    before, after = assemble(records[0], same, other, value(0, 1.0))
    assert (
        before.failures == after.failures == (Failure("startup/cold", 0, "the metric ready was defined in two ways"),)
    )
    assert before.samples[0].metric == same.metric


@pytest.mark.parametrize("swapped", [False, True])
def test_a_journal_without_a_start_is_refused(records: tuple[Record, ...], *, swapped: bool) -> None:
    start = records[0]
    assert isinstance(start, SessionStart)
    broken = replace(start, variants=start.variants[::-1])
    with pytest.raises(HarnessError, match="no readable session start") as caught:
        assemble(*((broken,) if swapped else ()), *records[1:])
    assert caught.value.code is ExitCode.BASELINE


def test_a_run_of_a_commit_carries_that_commit(records: tuple[Record, ...]) -> None:
    start = records[0]
    assert isinstance(start, SessionStart)
    before, after = start.variants
    sources = {"backend": Source("main", "a" * 40, "b" * 40), "store": Source("v1", "c" * 40, "b" * 40)}
    from_commits = replace(start, variants=(replace(before, sources=sources), after))
    old, new = assemble(from_commits, *records[1:])
    assert old.variant.sources == sources
    assert old.environment.volatile == {"commit": f"{'a' * 12} and {'c' * 12}", "tree": "b" * 12}
    assert new.environment == start.environment
