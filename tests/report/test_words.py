import math

import pytest

from harness.judge.comparison import Comparison, Estimate, Summary, Verdict
from harness.model import Metric
from harness.report import wording
from harness.report.bar import WIDTH, bar
from harness.report.scale import on_change_axis, ticks, time_limit

TIME = Metric("ready", "s")
RATE = Metric("answered", "1", "higher", "rate")
COUNT = Metric("attempts", "1", kind="count")


@pytest.mark.parametrize(
    ("effect", "metric", "scale", "said"),
    [
        (Estimate(-0.489, -0.498, -0.47, 0.95), TIME, "relative", "−48.9 % [−49.8, −47.0]"),
        (Estimate(0.056, -0.027, 0.09, 0.95), TIME, "relative", "+5.6 % [−2.7, +9.0]"),
        (Estimate(12.0, 8.0, 19.0, 0.95), TIME, "relative", "×13 [+800 %, ×20]"),
        (Estimate(0.05, -0.1, math.inf, 0.95), TIME, "relative", "+5.0 % [−10.0 %, +∞]"),
        (Estimate(-1.0, -1.0, -0.76, 0.95), RATE, "absolute", "−100 points [−100, −76.0]"),
        (Estimate(3.0, 3.0, 3.0, 1.0), COUNT, "absolute", "+3 exactly"),
        (Estimate(-1 / 3, -1 / 3, -1 / 3, 1.0), COUNT, "relative", "−33.3 % exactly"),
    ],
)
def test_a_change_is_said_inside_its_interval(effect: Estimate, metric: Metric, scale: str, said: str) -> None:
    assert wording.estimate(effect, metric, scale) == said


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        (TIME, -0.5, "ready takes less time"),
        (TIME, 0.5, "ready takes more time"),
        (COUNT, -0.5, "fewer attempts"),
        (RATE, -0.5, "answered less often"),
        (Metric("memory", "B"), 0.5, "more memory"),
        (Metric("throughput", "rows/s", "higher"), 0.5, "throughput is higher"),
        (Metric("a {} b", "rows/s"), 0.5, "a {} b is higher"),
    ],
)
def test_the_direction_is_said_in_words_of_the_metric(metric: Metric, value: float, said: str) -> None:
    effect = Estimate(value, value, value, 0.95)
    for verdict in (Verdict.IMPROVED, Verdict.REGRESSED):
        assert wording.meaning(Comparison("x", metric, verdict, effect=effect)) == said


def test_no_direction_is_claimed_without_a_verdict() -> None:
    summary = Summary(12, 1.0, 0.9, 1.1)
    for verdict in set(Verdict) - {Verdict.IMPROVED, Verdict.REGRESSED}:
        said = wording.meaning(Comparison("x", TIME, verdict, summary, summary, Estimate(0.5, 0.4, 0.6, 0.95)))
        assert "time" not in said
        assert "ready" not in said


def test_shares_and_levels() -> None:
    assert wording.amount(1 / 12, RATE) == "8.33 %"
    assert wording.level(0.95) == "95 %"
    assert wording.level(0.999473) == "99.95 %"
    assert wording.level(0.9999999) == "> 99.99 %"
    assert wording.level(1) == "exact"
    assert [wording.probability(p) for p in (None, 0.0004, 0.034)] == ["–", "< 0.001", "0.034"]
    assert wording.rule(RATE) == ("±1 points", "±5 points")


def test_every_verdict_has_a_sign_and_a_definition() -> None:
    assert set(wording.SYMBOLS) == set(wording.DEFINITIONS) == set(Verdict)
    assert len(set(wording.SYMBOLS.values())) == len(Verdict)


def test_the_axis_of_changes_is_symmetric_growing_and_bounded() -> None:
    places = [on_change_axis(x) for x in (-math.inf, -1, -0.5, -0.05, 0, 0.05, 0.5, 1, 7, math.inf)]
    assert places == sorted(places)
    assert places[0] == places[1] == -1
    assert places[7:] == [1, 1, 1]
    assert on_change_axis(0.2) == -on_change_axis(-0.2)


@pytest.mark.parametrize(
    ("effect", "drawn"),
    [
        (Estimate(0.0, -0.02, 0.02, 0.95), "         ─●─         "),
        (Estimate(-0.2, -0.5, 0.1, 0.95), "  ──●─────┼────      "),
        (Estimate(4.7, 4.4, 5.0, 0.95), "          │         ▶"),
        (Estimate(0.9, -math.inf, math.inf, 0.95), "◀─────────┼─────────▶"),
    ],
)
def test_bars_have_one_width_and_show_where_the_interval_lies(effect: Estimate, drawn: str) -> None:
    assert bar(effect) == drawn
    assert len(drawn) == WIDTH


@pytest.mark.parametrize(("low", "high"), [(0, 3.6), (0.041, 0.257), (-5, 12), (0, 1e-6), (1e9, 3e9)])
def test_ticks_are_few_round_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 2 <= len(found) <= 6
    assert all(low - 1e-9 * abs(high) <= tick <= high * (1 + 1e-9) for tick in found)
    assert ticks(3.0, 3.0) == [3.0]


def test_late_marks_do_not_squeeze_the_early_ones() -> None:
    assert time_limit([0, 0.5, 1.4, 1.5, 61]) == 1.5
    assert time_limit([0, 0.5, 1.4, 1.5, 5.9]) == 5.9
    assert time_limit([0.0, 0.0]) == 0.0
