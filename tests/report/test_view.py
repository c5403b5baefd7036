import re
from dataclasses import replace

import pytest

from harness.errors import ExitCode
from harness.judge.comparison import Comparison, Estimate, Verdict
from harness.judge.gate import Gate
from harness.model import SIDES, Mark, Metric, Run, Source, Trace, Variant
from harness.report import charts, html, markdown, terminal
from harness.report.view import ReportView, build_view
from tests.report import data

WORST_FIRST = ["regressed", "missing", "incomparable", "invalid", "inconclusive", "improved", "unchanged"]


def runs() -> tuple[Run, Run]:
    return data.run("before"), data.run("after")


def view_of(before: Run, after: Run, comparisons: list[Comparison] | None = None) -> ReportView:
    return build_view(before, after, data.comparisons(before, after) if comparisons is None else comparisons, data.GATE)


def test_gated_rows_come_first_and_the_worst_first_of_each_kind() -> None:
    before, after = runs()
    shuffled = sorted(data.comparisons(before, after), key=lambda c: c.metric.name)
    keys = [(not row.gated, WORST_FIRST.index(row.verdict)) for row in view_of(before, after, shuffled).rows]
    assert keys == sorted(keys)
    assert len(keys) == 25
    assert {row.verdict for row in data.view().rows} == set(Verdict)


def test_the_headline_counts_what_the_gate_counts_and_says_how_much_more_there_is() -> None:
    view = data.view()
    assert sum(n for _, n in view.counts) == sum(row.gated for row in view.rows) == 19
    assert view.headline.startswith("3 regressed · 2 missing · ")
    assert view.others == "6 more shown, not gated"


def test_what_was_not_measured_says_so_and_has_no_change() -> None:
    row = next(row for row in data.view().rows if row.label == "analytics/cost[1000000] · cost")
    assert (row.before.median, row.change, row.units, row.p_value, row.detectable) == ("not measured", *"––––")
    assert row.after.median == "186 ms"
    assert row.sentence == "not judged: before: the backend has no analyze_performance_metrics"


def test_predictions_are_held_against_what_was_measured() -> None:
    row = next(row for row in data.view().rows if row.label == "retry/always_fails · waiting")
    before, after = row.expected
    assert (before.range, before.agrees, before.inside) == ("3.30 s to 3.90 s", True, "12 of 12 values")
    assert (after.range, after.agrees, after.inside) == ("650 ms to 750 ms", False, "0 of 12 values")
    counts = next(row for row in data.view().rows if row.label == "retry/always_fails · attempts")
    assert [(e.range, e.agrees) for e in counts.expected] == [("3", True), ("2", True)]


def test_a_prediction_of_something_not_measured_neither_agrees_nor_disagrees() -> None:
    before, after = runs()
    missing = replace(data.comparisons(before, after)[7], verdict=Verdict.MISSING, before=None, effect=None)
    expected = view_of(replace(before, samples=()), after, [missing]).rows[0].expected[0]
    assert (expected.agrees, expected.measured, expected.inside) == (None, "not measured", "0 of 0 values")


def test_the_commits_that_differ_are_listed_with_the_settings() -> None:
    main, head = Source("main", "a" * 40, "c" * 40), Source("HEAD", "b" * 40, "d" * 40)
    sources = ({"backend": main, "llm": main, "store": main}, {"backend": head, "llm": main})
    before, after = (
        replace(run, variant=replace(run.variant, sources=own)) for run, own in zip(runs(), sources, strict=True)
    )
    settings = view_of(before, after).settings
    assert [(s.where, s.name, s.before, s.after) for s in settings[:2]] == [
        ("backend", "source", f"main ({'a' * 12})", f"HEAD ({'b' * 12})"),
        ("store", "source", f"main ({'a' * 12})", "(working tree)"),
    ]


def test_the_settings_that_differ_are_listed_without_any_effect() -> None:
    settings = {(s.where, s.name): (s.before, s.after) for s in data.view().settings}
    assert settings["backend", "LLM_MAX_RETRIES"] == ("3", "2")
    assert settings["backend", "OPTIMIZATION_RETRY"] == ("(not set)", "on")
    assert ("backend", "LOG_LEVEL") not in settings
    assert ("clickhouse", "CLICKHOUSE_PASSWORD") not in settings


def test_a_changed_secret_shows_that_it_changed_and_nothing_more() -> None:
    before, after = runs()
    before = replace(before, variant=Variant("before", "b", {"backend": {"API_KEY": "old-canary"}}))
    after = replace(after, variant=Variant("after", "a", {"backend": {"API_KEY": "new-canary"}}))
    view = view_of(before, after)
    (shown,) = view.settings
    assert shown.name == "API_KEY"
    assert shown.before != shown.after
    assert all(re.fullmatch("••• [0-9a-f]{4}", text) for text in (shown.before, shown.after))


def test_notes_name_scaled_waits_interruption_sessions_and_sides() -> None:
    before, after = runs()
    before = replace(before, state="interrupted", session="other", notes=("only here", *after.notes))
    assert view_of(before, after).notes == (
        "The run before was interrupted: it is incomplete.",
        "The runs come from two sessions: they were not measured side by side.",
        "before only: only here",
        *after.notes,
    )


def test_both_sides_the_same_variant_is_said() -> None:
    view = data.same_view()
    assert view.notes[0].startswith("A/A:")
    assert view.title == "netra-before → netra-before"
    assert view.headline == "4 unchanged"


def test_the_gate_says_its_code_and_how_much_was_compared() -> None:
    assert data.view().gate.startswith("exit 12 (environment). Gated: 3 regressed · ")
    assert data.view().gate.endswith("compared 15 of 19")
    before, after = runs()
    view = build_view(before, after, [], Gate(ExitCode.BASELINE, 0, 3, "nothing was compared"))
    assert view.gate == "exit 13 (baseline). Gated: nothing was compared · compared 0 of 3"
    assert view.headline == "nothing gated was compared"


def test_start_ups_are_medians_of_marks_in_order_of_time() -> None:
    cold = data.view().startups[0]
    assert [phase.name for phase in cold.phases] == [
        "spawn", "exec", "imported", "listening", "live", "ready", "first_answer", "settled"
    ]  # fmt: skip
    ready = sorted(m.at for t in data.run("before").traces for m in t.marks
                   if t.scenario == cold.scenario and m.name == "ready")  # fmt: skip
    spread = cold.phases[5].before
    assert spread is not None
    assert spread.median == pytest.approx((ready[5] + ready[6]) / 2)
    assert ready[0] < spread.q1 < spread.median < spread.q3 < ready[-1]


def test_a_mark_that_one_side_never_reached_stays_empty() -> None:
    trace = Trace("s", "startup", 0, (Mark("spawn", 0.0), Mark("ready", 1.0)))
    before, after = (replace(run, traces=(trace,)) for run in runs())
    after = replace(after, traces=(replace(trace, marks=trace.marks[:1]),))
    ready = view_of(before, after).startups[0].phases[1]
    assert (ready.before is not None, ready.after) == (True, None)


def test_a_timeline_shows_the_round_with_the_median_total() -> None:
    totals = {0: 5.0, 1: 1.0, 2: 3.0}
    traces = tuple(Trace("s", "attempts", r, (Mark("request", 0.0), Mark("answer", at))) for r, at in totals.items())
    before, after = runs()
    (timeline,) = view_of(replace(before, traces=traces), replace(after, traces=())).timelines
    (call,) = timeline.calls
    assert (call.side, call.round, call.rounds, call.total) == ("before", 2, 3, 3.0)


def test_series_are_thinned_evenly_to_the_limit() -> None:
    row = next(row for row in data.view().rows if row.metric is data.READY)
    many = tuple(1 + i / 7000 for i in range(7000))
    row = replace(row, before=replace(row.before, values=many), after=replace(row.after, values=()))
    dots = charts.drawn_order(row).count("h0")
    assert dots == charts.MAX_POINTS
    assert charts.distribution(row).count("H") <= charts.MAX_POINTS + 1


def test_values_that_are_no_numbers_are_not_drawn() -> None:
    row = next(row for row in data.view().rows if row.metric is data.READY)
    bad = replace(row.before, values=(float("nan"), float("inf")))
    assert charts.has_values(row)
    assert not charts.has_values(replace(row, before=bad, after=bad))


def test_the_view_takes_both_sides_in_order() -> None:
    assert [run.variant.name for run in runs()] == list(SIDES)
    row = next(row for row in data.view().rows if row.label == "retry/fails_twice · answered")
    assert (row.before.median, row.after.median) == ("100 %", "0 %")


def minor_view() -> ReportView:
    """One regression of 2 to 3 % of a metric of which 5 % matters."""
    metric = Metric("ready", "s")
    effect = Estimate(0.025, 0.02, 0.03, 0.99)
    return view_of(*runs(), [Comparison("s", metric, Verdict.REGRESSED, effect=effect, minor=True)])


def test_a_minor_change_is_said_to_be_one_in_every_format() -> None:
    view = minor_view()
    (row,) = view.rows
    assert row.word == "regressed (minor)"
    assert row.meaning == "ready takes more time, by less than what matters (±5 %)"
    for text in (
        terminal.render(view, width=200, color=False),
        terminal.render(view, width=80, color=False),
        markdown.render(view),
        html.render(view),
    ):
        assert "regressed (minor)" in text


@pytest.mark.parametrize(
    "comparison",
    [
        Comparison("s", Metric("p95", "s", quantile=0.95), Verdict.INCONCLUSIVE, report_only=True, reason="wide"),
        Comparison("s", Metric("cost", "s", gated=False, required=True), Verdict.MISSING, reason="not measured"),
    ],
    ids=["too coarse", "required and missing"],
)
def test_whatever_the_gate_looks_at_is_in_the_headline(comparison: Comparison) -> None:
    """Between one that is gated and one that is not."""
    others = [Comparison("s", Metric(name, "s", gated=name == "a"), Verdict.UNCHANGED) for name in "ab"]
    view = view_of(*runs(), [*others, comparison])
    assert [row.gated for row in view.rows] == [True, True, False]
    assert view.headline == f"1 {comparison.verdict} · 1 unchanged"
    assert view.others == "1 more shown, not gated"
