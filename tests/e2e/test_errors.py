"""Errors by kind in a session: counted although no scenario asks, 0 where a variant showed none."""

import subprocess
import sys
from pathlib import Path

from harness.files.runfile import read_run
from harness.judge.compare import compare_runs
from harness.judge.comparison import Verdict
from harness.judge.policy import Policy
from harness.model import Run
from tests.e2e.conftest import Harness, environment

ROOT = Path(__file__).parents[2]
LATEST = Path("reports/out/latest")
KIND, REFUSED = "row <n> gone", "status 500: row <n> gone"
SCENARIO = '''
import pytest

from harness.model import Metric

GONE = Metric("gone", "1", kind="count")


@pytest.mark.scenario
def test_asks(turn):
    """Answers of 500 are what this one is about."""
    answer = turn.service("backend").get("/row")
    turn.record(GONE, float(answer.status == 500))
'''


def project(folder: Path) -> None:
    """One variant refuses a request and says so, and says something else when it is told to stop."""
    service = folder / "service.py"
    text = service.read_text("utf-8").replace(
        'case "/environment":',
        'case "/row" if os.environ.get("REFUSE"):\n'
        "                number = time.monotonic_ns()\n"
        '                print(f"ERROR: row {number} gone", flush=True)\n'
        '                return 500, f"row {number} gone".encode()\n'
        '            case "/row":\n'
        '                return 200, b"row"\n'
        '            case "/environment":',
    )
    text = text.replace(
        'mark("exec")',
        'mark("exec")\n'
        '    if os.environ.get("REFUSE"):\n'
        "        import signal\n"
        '        signal.signal(signal.SIGTERM, lambda *_: (print("ERROR: left behind", flush=True), os._exit(0)))',
    )
    service.write_text(text, "utf-8")
    file = folder / "harness.toml"
    file.write_text(file.read_text("utf-8").replace("WORK = 0.02\n", 'WORK = 0.02\nREFUSE = "1"\n'), "utf-8")
    (folder / "scenarios" / "speed" / "test_asks.py").write_text(SCENARIO, "utf-8")


def errors(run: Run, service: str = "backend") -> dict[str, tuple[float, ...]]:
    return {s.metric.name: tuple(s.values) for s in run.samples if s.scenario == f"errors/{service}"}


def test_a_kind_that_one_variant_never_shows_is_0_there(tiny: Path, harness: Harness) -> None:
    project(tiny)
    done = harness("run", "-k", "asks", "--rounds", "3", "--no-gate")
    assert done.returncode == 0, done.stdout + done.stderr
    before, after = (read_run(tiny / LATEST / f"{side}.json") for side in ("before", "after"))
    kinds = ("total", KIND, REFUSED, "at shutdown: left behind")
    assert errors(before) == dict.fromkeys(kinds, (0, 0, 0))
    assert errors(after) == {**dict.fromkeys(kinds, (1, 1, 1)), "total": (3, 3, 3)}
    compared = {c.metric.name: c for c in compare_runs(before, after, Policy()) if c.scenario == "errors/backend"}
    assert set(compared) == set(kinds)
    assert all(c.verdict is not Verdict.MISSING and not c.metric.gated for c in compared.values())
    report = (tiny / LATEST / "report.md").read_text("utf-8")
    assert "status 500" in report


def test_a_session_without_errors_says_nothing_of_them(tiny: Path, harness: Harness) -> None:
    done = harness("run", "-k", "start", "--rounds", "2", "--no-gate")
    assert done.returncode == 0, done.stdout + done.stderr
    assert errors(read_run(tiny / LATEST / "after.json")) == {}


def test_a_mistake_in_the_pattern_is_told(tiny: Path, harness: Harness) -> None:
    file = tiny / "harness.toml"
    file.write_text(file.read_text("utf-8").replace("stop_within = 2", 'errors = "(["'), "utf-8")
    done = harness("list")
    assert done.returncode != 0
    assert "no regular expression" in done.stdout + done.stderr


def test_a_scenario_cannot_be_called_as_the_errors_of_a_service(tiny: Path, harness: Harness) -> None:
    folder = tiny / "scenarios" / "errors"
    folder.mkdir()
    (folder / "test_backend.py").write_text(SCENARIO.replace("test_asks", "test_backend"), "utf-8")
    done = harness("run")
    assert done.returncode == 4, done.stdout + done.stderr
    told = "two scenarios are called errors/backend: the harness's own count of the errors of backend"
    assert told in " ".join((done.stdout + done.stderr).split())


def test_what_agents_are_refused_is_what_the_harness_counts(tmp_path: Path) -> None:
    """The seed's eleven: by the scenario, by the backend's log, by its answers."""
    (tmp_path / "harness.toml").write_text(f'system = "{ROOT}/fixtures/reference/system.toml"\n', "utf-8")
    options = ["--config", str(tmp_path / "harness.toml"), "--rounds", "2", "--no-gate", "--no-controls"]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", str(ROOT / "scenarios"), "-k", "agents", *options],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    before, after = (read_run(tmp_path / LATEST / f"{side}.json") for side in ("before", "after"))
    agents = {s.metric.name: set(s.values) for s in before.samples if s.scenario == "errors/agents"}
    assert agents == {"method_not_found": {11}, "other_errors": {0}, "answered": {0}, "logged": {11}}
    kinds = (
        "ClickHouse operation failed: method not found: analyze_performance_metrics",
        "status 501: method not found: analyze_performance_metrics",
    )
    assert errors(before) == {**dict.fromkeys(kinds, (11, 11)), "total": (22, 22)}
    assert errors(after) == dict.fromkeys((*kinds, "total"), (0, 0))
