"""The retry scenarios in depth on the real reference system, one round: what is certain must come out as it is.

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
CHOSEN = (
    "(test_fault and 500) or slow_body or structured or test_caller_leaves or in_effect or MAX_DELAY or MAX_RETRIES "
    "or (test_outage and 10) or (test_storm and 1.0) or test_breaker or switched_on"
)
ATTEMPTS = {"before": 3, "after": 2}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("retry")
    (folder / "harness.toml").write_text(f'system = "{ROOT}/fixtures/reference/system.toml"\n', "utf-8")
    given = ["--config", str(folder / "harness.toml"), "--rounds", "1", "--no-gate", "--no-controls", "--tag", "full"]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", str(ROOT / "scenarios" / "retry"), "-k", CHOSEN, *given],
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


@pytest.fixture(params=["before", "after"])
def run(request: pytest.FixtureRequest, runs: tuple[Run, Run]) -> Run:
    return runs[request.param == "after"]


def values(run: Run, scenario: str, metric: str) -> list[float]:
    (found,) = (s for s in run.samples if (s.scenario, s.metric.name) == (f"retry/{scenario}", metric))
    return list(found.values)


def test_both_variants_are_measured_alike(runs: tuple[Run, Run]) -> None:
    before, after = ({(s.scenario, s.metric.name) for s in run.samples} for run in runs)
    assert before == after
    assert len({scenario for scenario, _ in before if scenario.startswith("retry/")}) == 11


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
