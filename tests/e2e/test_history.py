"""``harness run`` with a history: added when everything is measured, and never in its way."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.history.lock import locked
from tests.e2e.conftest import Harness, processes_of


@pytest.fixture
def with_history(tiny: Path) -> Path:
    with (tiny / "harness.toml").open("a") as file:
        file.write("\n[history]\nenabled = true\n")
    return tiny


def test_runs_are_added_and_what_was_postponed_follows(harness: Harness, with_history: Path) -> None:
    with locked(with_history / "reports" / "history"):
        first = harness("run", "-k", "work", "--rounds", "2", "--no-gate", "--before", "before", "--after", "before")
    assert first.returncode == 0, first.stdout + first.stderr
    (warning,) = (line for line in first.stdout.splitlines() if line.startswith("warning: "))
    assert "not all runs are in the history: harness: history is open in pid" in warning
    second = harness("run", "-k", "work", "--rounds", "2", "--no-gate", "--before", "before", "--after", "before")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "history: 4 runs added" in second.stdout.splitlines()
    assert "4 runs" in harness("history", "show", "speed/work:latency", "--variant", "before").stdout
    assert processes_of(with_history) == []


def test_without_being_asked_there_is_none(harness: Harness, tiny: Path) -> None:
    done = harness("run", "-k", "work", "--rounds", "2", "--no-gate", "--before", "before", "--after", "before")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "history" not in done.stdout
    assert not (tiny / "reports" / "history").exists()


def test_measuring_loads_nothing_of_it() -> None:
    probe = (
        "import sys, harness.scenarios, harness.cli.run\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'chdb', 'clickhouse_connect', 'ruptures'}"
        " | {m for m in sys.modules if m.startswith('harness.history')}))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
