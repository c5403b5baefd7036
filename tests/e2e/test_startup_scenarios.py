"""The scenarios of the background optimization on the real reference system, one round: what is certain must come out.

Nothing here is about how long anything took.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.files.runfile import read_run
from harness.model import Run
from tests.e2e.conftest import environment, processes_of

ROOT = Path(__file__).parents[2]
CHOSEN = "(test_optimization and (slow or failing_then_ok)) or (test_orderly_stop and running) or test_interference"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("startup")
    (folder / "harness.toml").write_text(f'system = "{ROOT}/fixtures/reference/system.toml"\n', "utf-8")
    given = ["--config", str(folder / "harness.toml"), "--rounds", "1", "--no-gate", "--no-controls", "--tag", "full"]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", str(ROOT / "scenarios" / "startup"), "-k", CHOSEN, *given],
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


def values(run: Run, scenario: str, metric: str) -> list[float]:
    (found,) = (s for s in run.samples if (s.scenario, s.metric.name) == (f"startup/{scenario}", metric))
    return list(found.values)


def both(runs: tuple[Run, Run], scenario: str, metric: str) -> list[list[float]]:
    return [values(run, scenario, metric) for run in runs]


def test_a_shorter_timeout_ends_what_the_longer_one_lets_be_done(runs: tuple[Run, Run]) -> None:
    slow = "optimization[slow]"
    assert both(runs, slow, "optimized") == [[1], [0]]
    assert both(runs, slow, "attempts") == [[1], [2]]
    assert both(runs, slow, "timeouts") == [[0], [2]]


def test_a_retry_saves_what_fails_once_in_an_instance_that_lives_long_enough(runs: tuple[Run, Run]) -> None:
    once = "optimization[failing_then_ok]"
    assert both(runs, once, "optimized") == [[0], [1]]
    assert both(runs, once, "attempts") == [[1], [2]]
    assert both(runs, once, "retry_within_300_s") == [[0], [0]]
    assert values(runs[0], once, "retry_within_600_s") == [0]


def test_requests_are_answered_whatever_becomes_of_the_optimization(runs: tuple[Run, Run]) -> None:
    for scenario in ("optimization[slow]", "optimization[failing_then_ok]", "interference[busy]"):
        for served in both(runs, scenario, "served"):
            assert len(served) >= 5
            assert set(served) == {1}


def test_every_request_of_the_interference_is_early_or_late(runs: tuple[Run, Run]) -> None:
    for run in runs:
        early, late, all_of_them = (
            values(run, "interference[busy]", f"disturbed{part}") for part in ("_early", "_late", "")
        )
        assert len(early) + len(late) == len(all_of_them) > 50
        assert sum(early) + sum(late) == sum(all_of_them)
        assert values(run, "interference[busy]", "disturbed_requests") == [sum(all_of_them)]


def test_what_is_said_when_it_is_told_to_stop_is_counted(runs: tuple[Run, Run]) -> None:
    assert both(runs, "orderly_stop[running]", "errors") == [[0], [0]]
