"""The main job in small: this project's own scenarios on the reference backend, with real services, few rounds; the
same from processes and from containers."""

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


EXPRESSION = "presence or truth or 10000 or always or once or twice or cold"
Pair = tuple[Run, Run]


def run_reference(folder: Path, *arguments: str) -> Pair:
    (folder / "harness.toml").write_text(f'system = "{ROOT}/fixtures/reference/system.toml"\n', "utf-8")
    given = ["--config", str(folder / "harness.toml"), "--rounds", "3", "--no-gate", *arguments]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", str(ROOT / "scenarios"), "-k", EXPRESSION, *given],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert processes_of(folder) == []
    latest = folder / "reports" / "out" / "latest"
    return read_run(latest / "before.json"), read_run(latest / "after.json")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return run_reference(tmp_path_factory.mktemp("local"))


@pytest.fixture(scope="module")
def in_docker(tmp_path_factory: pytest.TempPathFactory, images: dict[str, str]) -> Pair:
    folder = tmp_path_factory.mktemp("docker")
    return run_reference(folder, "--stack", "docker", "--image", f"clickhouse={images['clickhouse']}")


@pytest.fixture(params=["local", "in_docker"])
def measured(request: pytest.FixtureRequest) -> Pair:
    return request.getfixturevalue(request.param)


def values(run: Run, scenario: str, metric: str) -> tuple[float, ...]:
    return next((s.values for s in run.samples if (s.scenario, s.metric.name) == (scenario, metric)), ())


def test_the_method_is_missing_before_and_true_after(measured: Pair) -> None:
    before, after = measured
    assert set(values(before, "analytics/presence", "available")) == {0}
    assert set(values(before, "analytics/presence", "method_not_found")) == {1}
    assert set(values(after, "analytics/presence", "method_not_found")) == {0}
    assert set(values(after, "analytics/truth", "true")) == {1}
    assert values(before, "analytics/cost[10000]", "cost") == ()
    assert len(values(after, "analytics/cost[10000]", "cost")) == 3


def test_two_failures_are_survived_before_and_never_after(measured: Pair) -> None:
    before, after = measured
    assert set(values(before, "retry/fails_twice", "answered")) == {1}
    assert set(values(after, "retry/fails_twice", "answered")) == {0}
    comparisons = {(c.scenario, c.metric.name): c for c in compare_runs(before, after, Policy())}
    assert comparisons["retry/fails_once", "answered"].verdict is Verdict.UNCHANGED
    lost, fewer = comparisons["retry/fails_twice", "answered"], comparisons["retry/always_fails", "attempts"]
    assert set(values(before, "retry/always_fails", "attempts")) == {3}
    assert set(values(after, "retry/always_fails", "attempts")) == {2}
    for comparison in (lost, fewer):
        assert comparison.verdict is Verdict.INCONCLUSIVE, "three rounds show it and are too few to call it"
        assert not comparison.enough


def test_what_the_policy_predicts_is_what_the_backend_does(measured: Pair) -> None:
    for run in measured:
        checked = 0
        for prediction in run.predictions:
            if prediction.metric in ("planned", "attempts", "answered", "fallback", "error"):
                for value in values(run, prediction.scenario, prediction.metric):
                    assert prediction.low - 1e-9 <= value <= prediction.high + 1e-9, prediction
                    checked += 1
        assert checked == 3 * 3 * 5  # rounds, scenarios, metrics


def test_a_start_has_its_phases_in_order(measured: Pair) -> None:
    for run in measured:
        traces = [trace for trace in run.traces if trace.name == "startup"]
        assert len(traces) == 3
        for trace in traces:
            order = [mark.name for mark in trace.marks]
            phases = ["created", "started", "exec", "imported", "listening", "ready", "first_answer", "settled"]
            assert [name for name in order if name in phases] == phases


def test_the_scale_of_shortened_waits_is_named(measured: Pair) -> None:
    for run in measured:
        assert any("TIME_SCALE = 0.01 " in note for note in run.notes)


def test_the_report_says_how_the_services_ran(measured: Pair) -> None:
    for run in measured:
        stable, volatile = run.environment.stable, run.environment.volatile
        if stable["stack"] == "docker":
            assert {"docker", "limits of backend", "limits of clickhouse", "limits of llm"} <= stable.keys()
            assert volatile["image of backend"].startswith("before-after/backend:local sha256:")
        else:
            assert stable["stack"] == "local"
            assert not {"docker", "limits of backend"} & stable.keys()


def test_counts_and_shares_are_the_same_on_both_stacks(local: Pair, in_docker: Pair) -> None:
    compared = 0
    for here, there in zip(local, in_docker, strict=True):
        for sample in here.samples:
            if sample.metric.kind != "noisy":
                assert values(there, sample.scenario, sample.metric.name) == sample.values, sample.scenario
                compared += 1
    assert compared > 20


def test_runs_of_different_stacks_are_not_compared(local: Pair, in_docker: Pair) -> None:
    comparisons = compare_runs(local[0], in_docker[1], Policy())
    noisy = [c for c in comparisons if c.metric.kind == "noisy" and c.before and c.after]
    assert noisy
    assert {c.verdict for c in noisy} == {Verdict.INCOMPARABLE}
    assert all("stack" in c.reason for c in noisy)
