"""The main job in small: this project's own scenarios on the reference backend, with real services, few rounds."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.files.runfile import read_run
from harness.judge.compare import compare_runs
from harness.judge.comparison import Verdict
from harness.judge.policy import Policy
from harness.model import Run
from tests.e2e.conftest import environment, processes_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("reference")
    (folder / "harness.toml").write_text(f'system = "{ROOT}/fixtures/reference/system.toml"\n', "utf-8")
    arguments = ["--config", str(folder / "harness.toml"), "--rounds", "3", "--no-gate"]
    expression = "presence or truth or 10000 or always or once or twice or cold"
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", str(ROOT / "scenarios"), "-k", expression, *arguments],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert processes_of(folder) == []
    latest = folder / "reports" / "out" / "latest"
    return read_run(latest / "before.json"), read_run(latest / "after.json")


def values(run: Run, scenario: str, metric: str) -> tuple[float, ...]:
    return next((s.values for s in run.samples if (s.scenario, s.metric.name) == (scenario, metric)), ())


def test_the_method_is_missing_before_and_true_after(measured: tuple[Run, Run]) -> None:
    before, after = measured
    assert set(values(before, "analytics/presence", "available")) == {0}
    assert set(values(before, "analytics/presence", "method_not_found")) == {1}
    assert set(values(after, "analytics/presence", "method_not_found")) == {0}
    assert set(values(after, "analytics/truth", "true")) == {1}
    assert values(before, "analytics/cost[10000]", "cost") == ()
    assert len(values(after, "analytics/cost[10000]", "cost")) == 3


def test_two_failures_are_survived_before_and_never_after(measured: tuple[Run, Run]) -> None:
    before, after = measured
    assert set(values(before, "retry/fails_twice", "answered")) == {1}
    assert set(values(after, "retry/fails_twice", "answered")) == {0}
    comparisons = {(c.scenario, c.metric.name): c for c in compare_runs(before, after, Policy())}
    assert comparisons["retry/fails_twice", "answered"].verdict is Verdict.REGRESSED
    assert comparisons["retry/fails_once", "answered"].verdict is Verdict.UNCHANGED
    assert comparisons["retry/always_fails", "attempts"].verdict is Verdict.IMPROVED


def test_what_the_policy_predicts_is_what_the_backend_does(measured: tuple[Run, Run]) -> None:
    for run in measured:
        checked = 0
        for prediction in run.predictions:
            if prediction.metric in ("planned", "attempts"):
                for value in values(run, prediction.scenario, prediction.metric):
                    assert prediction.low - 1e-9 <= value <= prediction.high + 1e-9, prediction
                    checked += 1
        assert checked == 3 * 3 * 2  # rounds, scenarios, metrics


def test_a_start_has_its_phases_in_order(measured: tuple[Run, Run]) -> None:
    for run in measured:
        traces = [trace for trace in run.traces if trace.name == "startup"]
        assert len(traces) == 3
        for trace in traces:
            order = [mark.name for mark in trace.marks]
            phases = ["created", "started", "exec", "imported", "listening", "ready", "first_answer", "settled"]
            assert [name for name in order if name in phases] == phases


def test_the_scale_of_shortened_waits_is_named(measured: tuple[Run, Run]) -> None:
    for run in measured:
        assert any("TIME_SCALE = 0.015" in note for note in run.notes)
