"""The longer scenarios on the real reference system, one round: what is certain must come out as it is.

Nothing here is about how long anything took. Where a loaded machine may turn an outcome, only what holds anyway is.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.files.runfile import read_run
from harness.model import Run
from tests.e2e.conftest import environment, processes_of

ROOT = Path(__file__).parents[2]
SUITES = [str(ROOT / "scenarios" / name) for name in ("analytics", "cache", "errors", "pool", "retry", "startup")]
"""All but load, which a busy machine makes invalid: tests/load has its own."""
ATTEMPTS = {"before": 3, "after": 2}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("full")
    (folder / "harness.toml").write_text(f'system = "{ROOT}/fixtures/reference/system.toml"\n', "utf-8")
    given = ["--config", str(folder / "harness.toml"), "--rounds", "1", "--no-gate", "--no-controls", "--tag", "full"]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", *SUITES, "-k", "not 10000000", *given],
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


@pytest.fixture(params=["before", "after"])
def run(request: pytest.FixtureRequest, runs: tuple[Run, Run]) -> Run:
    return runs[request.param == "after"]


def values(run: Run, scenario: str, metric: str) -> list[float]:
    scenario = scenario if "/" in scenario else f"retry/{scenario}"
    (found,) = (s for s in run.samples if (s.scenario, s.metric.name) == (scenario, metric))
    return list(found.values)


def test_both_variants_are_measured_alike(runs: tuple[Run, Run]) -> None:
    before, after = ({sample.scenario for sample in run.samples} for run in runs)
    assert not any(run.failures or run.unmeasured for run in runs)
    assert before - {"errors/backend"} == after - {"errors/backend"}  # counted beside them
    assert {scenario.partition("/")[0] for scenario in before} == {Path(suite).name for suite in SUITES}


def test_a_fault_is_recovered_from_once_and_given_up_for_ever(run: Run) -> None:
    attempts = ATTEMPTS[run.variant.name]
    assert values(run, "fault[500]", "recovered") == [1]
    assert [values(run, "fault[500]", name) for name in ("answered", "fallback", "error")] == [[0], [1], [0]]
    assert values(run, "fault[500]", "attempts") == [attempts]
    assert values(run, "fallback[structured]", "fallback") == [1]


def test_every_request_has_one_outcome(run: Run) -> None:
    outcomes = [values(run, "slow_fault[slow_body_40s]", name)[0] for name in ("answered", "fallback", "error")]
    assert sorted(outcomes) == [0, 0, 1]


def test_what_the_backend_was_told_is_in_effect(run: Run) -> None:
    assert values(run, "settings_in_effect", "different") == [0]
    assert values(run, "settings_in_effect", "unknown") == [0]


def test_one_setting_alone_is_changed(runs: tuple[Run, Run]) -> None:
    """The cap changes nothing, the number of attempts both attempts and outcome."""
    cap, most = "ablation[LLM_MAX_DELAY]", "ablation[LLM_MAX_RETRIES]"
    for run in runs:
        assert values(run, cap, "attempts") == [3] * 5
        assert values(run, most, "attempts") == [ATTEMPTS[run.variant.name]] * 5
        assert 3.3 <= values(run, cap, "planned")[0] <= 3.9
        assert values(run, cap, "answered_after_two") == [1]
    before, after = runs
    assert 3.3 <= values(before, most, "planned")[0] <= 3.9
    assert 1.1 <= values(after, most, "planned")[0] <= 1.3, "one wait of the base delay before, not after"
    assert values(after, most, "answered_after_two") == [0]


def test_attempts_for_a_caller_that_left_are_counted(run: Run) -> None:
    """On a loaded machine an attempt may meet its limit, 150 ms, before the provider has heard of it."""
    seen = [values(run, "caller_leaves", f"attempts_{when}")[0] for when in ("in_time", "in_vain")]
    assert 1 <= sum(seen) <= ATTEMPTS[run.variant.name]


def test_a_storm_multiplies_every_request(run: Run) -> None:
    assert values(run, "storm[1.0]", "calls_per_request") == [ATTEMPTS[run.variant.name]] * 24
    assert values(run, "storm[1.0]", "answered") == [0] * 24
    assert values(run, "storm[1.0]", "peak")[0] >= 2


def test_an_outage_is_over_for_whoever_comes_later(run: Run) -> None:
    assert len(values(run, "outage[10]", "answered_during")) == 20
    calls = values(run, "outage[10]", "calls_per_request")
    assert len(calls) == 24
    assert max(calls) <= ATTEMPTS[run.variant.name]


def test_a_breaker_spares_the_provider_and_closes_again(run: Run) -> None:
    assert values(run, "breaker", "trips")[0] >= 1
    assert values(run, "breaker", "spared")[0] >= 1
    assert values(run, "breaker", "open_for")[0] > 0
    assert len(values(run, "breaker", "calls_per_request")) == 36


def test_retry_after_is_honoured_only_when_switched_on(run: Run) -> None:
    assert values(run, "retry_after_switched_on", "honoured") == [1]
    assert values(run, "retry_after_switched_on", "first_wait")[0] > 0.36


def test_what_is_computed_beforehand_comes_out(run: Run) -> None:
    assert values(run, "cache/access", "not_as_computed") == [0]
    assert values(run, "cache/stampede[single_flight]", "reached_clickhouse") == [1]
    assert values(run, "pool/size[2]", "answered") == [32]
    assert values(run, "startup/optimization[failing]", "optimized") == [0]


def test_what_is_missing_before_and_there_after(runs: tuple[Run, Run]) -> None:
    assert both(runs, "errors/agents", "method_not_found") == [[11], [0]]
    assert both(runs, "analytics/truth_table", "true_cases") == [[0], [30]]


def both(runs: tuple[Run, Run], scenario: str, metric: str) -> list[list[float]]:
    return [values(run, scenario, metric) for run in runs]


def test_a_shorter_timeout_ends_what_the_longer_one_lets_be_done(runs: tuple[Run, Run]) -> None:
    slow = "startup/optimization[slow]"
    before, after = runs
    assert values(before, slow, "timeouts")[0] <= 1  # a busy machine may bring even the longer one to its end
    assert values(after, slow, "optimized") == [0]
    assert values(after, slow, "attempts") == values(after, slow, "timeouts") == [2]


def test_a_retry_saves_what_fails_once_in_an_instance_that_lives_long_enough(runs: tuple[Run, Run]) -> None:
    once = "startup/optimization[failing_then_ok]"
    assert both(runs, once, "optimized") == [[0], [1]]
    assert both(runs, once, "attempts") == [[1], [2]]
    assert both(runs, once, "retry_within_300_s") == [[0], [0]]
    assert values(runs[0], once, "retry_within_600_s") == [0]


def test_requests_are_answered_whatever_becomes_of_the_optimization(runs: tuple[Run, Run]) -> None:
    for scenario in ("optimization[slow]", "optimization[failing_then_ok]", "interference[busy]"):
        for served in both(runs, f"startup/{scenario}", "served"):
            assert len(served) >= 5
            assert set(served) == {1}


def test_every_request_of_the_interference_is_early_or_late(runs: tuple[Run, Run]) -> None:
    for run in runs:
        early, late, all_of_them = (
            values(run, "startup/interference[busy]", f"disturbed{part}") for part in ("_early", "_late", "")
        )
        assert len(early) + len(late) == len(all_of_them) > 50
        assert sum(early) + sum(late) == sum(all_of_them)
        assert values(run, "startup/interference[busy]", "disturbed_requests") == [sum(all_of_them)]


def test_what_is_said_when_it_is_told_to_stop_is_counted(runs: tuple[Run, Run]) -> None:
    assert both(runs, "startup/orderly_stop[running]", "errors") == [[0], [0]]
