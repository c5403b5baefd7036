"""``--load-workers`` on its way to the scenarios, and into what has to agree for a comparison."""

from pathlib import Path

from harness.files.runfile import read_run
from tests.e2e.conftest import Harness

SCENARIO = """
import pytest
from harness.load.runner import workers
from harness.model import Metric

WORKERS = Metric("workers", "1", kind="count", gated=False)

@pytest.mark.scenario(rounds=1, pairs=2)
def test_workers(turn):
    turn.record(WORKERS, workers())
"""


def workers_of(tiny: Path) -> tuple[set[float], str | None]:
    after = read_run(tiny / "reports" / "out" / "latest" / "after.json")
    (sample,) = after.samples
    return set(sample.values), after.environment.stable.get("load workers")


def test_scenarios_and_the_run_file_know_the_number_of_load_workers(harness: Harness, tiny: Path) -> None:
    (tiny / "scenarios" / "speed" / "test_speed.py").write_text(SCENARIO, "utf-8")
    done = harness("run", "--load-workers", "2", "--no-gate", "--rounds", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert workers_of(tiny) == ({2.0}, "2")
    refused = harness("scenarios", "--harness-load-workers", "-1", program="pytest")
    assert refused.returncode == 4
    assert "a whole number from 0 on is needed" in refused.stderr
