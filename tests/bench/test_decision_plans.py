"""The replay of plans: what it draws, what it asks of the judge, and when it says that 95 % are found."""

from pathlib import Path

import numpy as np
import pytest

from bench.decisions import plans, replay
from bench.decisions.ours import judge_suite
from bench.decisions.shares import deviation, share
from bench.decisions.traces import CLOCKS, WORKLOADS, Trace
from harness.configuration.schema import Rounds
from harness.judge.comparison import Verdict
from harness.judge.policy import Policy

SAMPLE = Path(plans.__file__).with_name("sample")
METRICS = ("http_wall", "cold_wall")


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_WORKERS", 1)


def _trace(noise: float, rounds: int = 60) -> Trace:
    generator = np.random.default_rng(5)
    values = {name: np.exp(noise * generator.normal(size=(2, rounds, 3))) for name in METRICS}
    return Trace("simulated", (0.0, 0.0), np.full(rounds, 0.5), values)


@pytest.mark.parametrize("condition", ["calm", "neighbour"])
def test_the_recordings_hold_every_workload_by_both_clocks(condition: str) -> None:
    trace = Trace.load(SAMPLE / f"same-{condition}.npz")
    assert set(trace.values) == {f"{workload}_{clock}" for workload in WORKLOADS for clock in CLOCKS}
    assert all(values.shape[:2] == (2, len(trace.seconds)) for values in trace.values.values())
    assert all((values > 0).all() for values in trace.values.values())


def test_a_trace_is_read_as_it_was_saved(tmp_path: Path) -> None:
    trace = _trace(0.02)
    trace.save(tmp_path / "trace.npz")
    read = Trace.load(tmp_path / "trace.npz")
    assert (read.about, read.slower) == (trace.about, trace.slower)
    assert read.seconds == pytest.approx(trace.seconds)
    assert all(read.values[name] == pytest.approx(trace.values[name], rel=1e-6) for name in METRICS)


def test_a_window_keeps_the_pairs_and_tosses_a_coin_for_every_round() -> None:
    values = np.arange(2 * 400 * 2, dtype=float).reshape(2, 400, 2)
    before, after = replay._window(values, 400, np.random.default_rng(0))
    swapped = before[:, 0] != values[0, :, 0]
    assert 160 < swapped.sum() < 240
    assert np.array_equal(np.where(swapped[:, None], after, before), values[0])
    assert np.array_equal(np.where(swapped[:, None], before, after), values[1])


def test_blocks_follow_each_other_in_one_slot() -> None:
    values = np.arange(2 * 100 * 1, dtype=float).reshape(2, 100, 1)
    sides = replay._blocks(values, 28, np.random.default_rng(0))
    first, second = sorted(sides, key=lambda side: side[0, 0])
    assert np.array_equal(np.concatenate([first, second]).ravel(), np.arange(first[0, 0], first[0, 0] + 56))
    assert second[-1, 0] < 100


def test_the_default_plan_is_the_one_of_sessions_and_is_scaled() -> None:
    assert plans.PLANS[0] == tuple(Rounds().looks)
    assert plans.looks_of(28) == (14, 20, 28)
    assert plans.looks_of(112) == (56, 80, 112)


def test_a_suite_has_the_metrics_by_turns() -> None:
    suite = plans.suite_of(plans.METRICS["wall"], 26)
    assert len(suite) == 26
    assert [list(suite.values()).count(metric) for metric in plans.METRICS["wall"]] == [7, 7, 6, 6]


@pytest.mark.parametrize("seed", range(10))
def test_few_metrics_with_a_part_of_the_budget_are_judged_as_among_many(seed: int) -> None:
    generator = np.random.default_rng(seed)
    before = {f"m{i}": np.exp(0.03 * generator.normal(size=(28, 1))) for i in range(26)}
    after = {name: np.exp(0.03 * generator.normal(size=(28, 1))) * 1.06 for name in before}
    many = judge_suite(before, after, (14, 20, 28))
    part = [f"m{i}" for i in range(4)]
    sides = [{name: side[name] for name in part} for side in (before, after)]
    few = judge_suite(sides[0], sides[1], (14, 20, 28), Policy(0.04 / 26))
    assert few == {name: many[name] for name in part}


def test_a_metric_stops_at_the_look_that_decides_it() -> None:
    generator = np.random.default_rng(1)
    quiet, noisy = (np.exp(noise * generator.normal(size=(28, 1))) for noise in (0.001, 0.3))
    found = judge_suite({"quiet": quiet, "noisy": noisy}, {"quiet": quiet * 1.05, "noisy": noisy[::-1]}, (14, 20, 28))
    assert (found["quiet"].verdict, found["quiet"].rounds) == (Verdict.REGRESSED, 14)
    assert (found["noisy"].verdict, found["noisy"].rounds) == (Verdict.INCONCLUSIVE, 28)


@pytest.mark.usefixtures("one_process")
def test_a_quiet_trace_is_decided_and_a_noisy_one_is_not() -> None:
    quiet = plans.plan_table(_trace(0.001), METRICS, (14, 20, 28), 4, 20)
    assert quiet.count("| 14 rounds, 7 s |") == len(METRICS)
    assert "A/A suites that fail the gate: 0 [0.0, 16.1] %" in quiet
    noisy = plans.plan_table(_trace(0.5), METRICS, (14, 20, 28), 4, 20)
    assert noisy.count("**no**") == len(METRICS)


@pytest.mark.usefixtures("one_process")
def test_the_budget_is_the_smallest_that_is_enough() -> None:
    assert "| http, wall | 28 rounds, 14 s (mean 14, 7 s): 100 [" in plans.budget_table(_trace(0.001), METRICS, 80)
    assert "| cold, wall | not with 28 rounds" in plans.budget_table(_trace(0.5, rounds=30), METRICS, 10)


@pytest.mark.parametrize(("hits", "n", "word"), [(390, 400, "yes"), (380, 400, "open"), (360, 400, "**no**")])
def test_95_percent_are_reached_when_the_interval_says_so(hits: int, n: int, word: str) -> None:
    assert plans.reached([True] * hits + [False] * (n - hits)) == word


def test_shares_carry_wilsons_interval() -> None:
    """Newcombe (1998), table I: 15 of 148 gives 0.0624 to 0.1605 by the score method."""
    assert share([True] * 15 + [False] * 133) == "10 [6.2, 16.0]"
    assert share([False] * 400) == "0 [0.0, 1.0]"


def test_the_deviation_is_that_of_the_units_and_hardly_moved_by_an_outlier() -> None:
    units = np.random.default_rng(4).normal(0, 0.02, 1000)
    assert deviation(units.tolist()) == pytest.approx(0.02, rel=0.1)
    assert deviation([*units.tolist(), 5.0]) == pytest.approx(0.02, rel=0.1)
