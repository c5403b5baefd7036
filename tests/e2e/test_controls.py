"""Control arms, looks and the self-test, as a user meets them: real processes of a backend that nobody has seen."""

import re
import signal
from pathlib import Path
from statistics import median

import psutil
import pytest

from harness.files.journal import read_journal
from harness.files.records import Looked, Value
from harness.files.runfile import read_run
from harness.model import INJECTED, PLACEBO, SPIKE_IN
from tests.e2e.conftest import Harness, processes_of
from tests.e2e.test_run import Started, verdicts


def with_configuration(tiny: Path, old: str, new: str) -> None:
    file = tiny / "harness.toml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def test_the_control_arms_certify_a_session_in_every_report(harness: Harness, tiny: Path) -> None:
    with_configuration(tiny, "enabled = false", "enabled = true")
    with_configuration(tiny, "WORK = 0.002,", 'WORK = 0.002, MARKS = "1",')  # so that each backend has a log
    done = harness("run", "-k", "work")
    output = " ".join(done.stdout.split())
    # A busy machine may leave it undecided; a spike-in that got lost is MISSED there as well, and the session void.
    told = re.search(
        r"controls: placebo (unchanged|inconclusive) \(\S+ %\), spike-in of \+20\.0 % (found|undecided) \([^)]*\)",
        output,
    )
    assert told, done.stdout + done.stderr
    assert done.returncode == 10, done.stdout + done.stderr
    folder = tiny / "reports" / "out" / "latest"
    assert "spike-in of" in (folder / "report.md").read_text("utf-8")
    assert "spike-in of" in (folder / "report.html").read_text("utf-8")
    assert set(verdicts(done.stdout)) == {"speed/work:latency"}
    for side in ("before", "after"):
        run = read_run(folder / f"{side}.json")
        rounds = {sample.scenario: len(set(sample.rounds)) for sample in run.samples}
        assert rounds == {"speed/work": 12, PLACEBO: 12, SPIKE_IN: 12}
    assert 1.08 < median_ratio(folder, SPIKE_IN) < 1.4
    assert 0.9 < median_ratio(folder, PLACEBO) < 1.1
    assert {path.name for path in (folder / "logs").iterdir()} == {
        "before-backend.log", "after-backend.log", "control-backend.log",
    }  # fmt: skip
    assert processes_of(tiny) == []


def median_ratio(folder: Path, scenario: str) -> float:
    """Of all pairs of ``scenario``, after by before."""
    before, after = (
        {
            (r, p): v
            for s in run.samples
            if s.scenario == scenario
            for r, p, v in zip(s.rounds, s.pairs, s.values, strict=True)
        }
        for run in (read_run(folder / f"{side}.json") for side in ("before", "after"))
    )
    return median(after[pair] / value for pair, value in before.items())


@pytest.mark.parametrize("how", ["option", "configuration"])
def test_without_control_arms_the_report_says_so(harness: Harness, tiny: Path, how: str) -> None:
    if how == "option":
        with_configuration(tiny, "enabled = false", "enabled = true")
    with_configuration(tiny, "WORK = 0.002,", 'WORK = 0.002, MARKS = "1",')  # so that each backend has a log
    done = harness("run", "-k", "work", "--rounds", "1", *(["--no-controls"] if how == "option" else []))
    assert "no control arms" in done.stdout
    logs = {path.name for path in (tiny / "reports" / "out" / "latest" / "logs").iterdir()}
    assert logs == {"before-backend.log", "after-backend.log"}


def test_a_scenario_with_the_name_of_a_control_arm_is_refused(harness: Harness, tiny: Path) -> None:
    suite = tiny / "scenarios" / "control"
    suite.mkdir()
    text = (tiny / "scenarios" / "speed" / "test_speed.py").read_text("utf-8")
    (suite / "test_placebo.py").write_text(text.replace("def test_work", "def test_placebo"), "utf-8")
    done = harness("run", "--rounds", "1")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "two scenarios are called control/placebo: the harness's own control arm and " in done.stdout + done.stderr


def planned(tiny: Path, looks: str) -> None:
    """Let the looks of the configuration decide how many rounds there are."""
    with_configuration(tiny, "[controls]", f"[rounds]\nlooks = {looks}\n[controls]")
    file = tiny / "scenarios" / "speed" / "test_speed.py"
    file.write_text(file.read_text("utf-8").replace("rounds=12, pairs=2", "pairs=2"), "utf-8")


def test_what_is_decided_at_a_look_is_not_measured_on(harness: Harness, tiny: Path) -> None:
    planned(tiny, "[12, 40]")
    done = harness("run", "-k", "work")
    assert done.returncode == 10, done.stdout + done.stderr
    records = read_journal(tiny / "reports" / "out" / "latest" / "journal.jsonl").records
    assert [record for record in records if isinstance(record, Looked)] == [Looked(12, ())]
    run = read_run(tiny / "reports" / "out" / "latest" / "after.json")
    assert (run.state, run.rounds, run.looks) == ("complete", 12, (12, 40))


def test_a_session_is_not_resumed_with_other_looks(harness: Harness, tiny: Path) -> None:
    planned(tiny, "[12, 40]")
    started = Started(tiny, "-k", "work")
    started.wait_for_rounds(2)
    started.process.kill()
    started.process.communicate()
    with_configuration(tiny, "[12, 40]", "[12, 41]")
    assert harness("run", "-k", "work", "--resume", "latest").returncode == 15
    with_configuration(tiny, "[12, 41]", "[12, 40]")
    resumed = harness("run", "-k", "work", "--resume", "latest")
    assert resumed.returncode == 10, resumed.stdout + resumed.stderr
    assert read_run(started.journal.parent / "after.json").rounds == 12


def test_the_self_test_holds_where_the_gate_works(harness: Harness, tiny: Path) -> None:
    done = harness("selftest", "-k", "work", "--slowdown", "400")
    assert done.returncode == 0, done.stdout + done.stderr
    quiet, found = done.stdout.splitlines()
    assert quiet.startswith("holds  before against itself  exit  0  0 of 1 called a change")
    assert found.startswith("holds  slowed down            exit 10  1 of 1 called regressed")
    run = read_run(tiny / "reports" / "out" / "latest" / "after.json")
    assert f"{INJECTED}every timed block of after was lengthened by 400 %." in run.notes
    refused = harness("baseline", "save", "main")
    assert refused.returncode == 13
    assert "the run was slowed down on purpose" in refused.stderr
    assert processes_of(tiny) == []


def test_the_self_test_fails_where_the_gate_sees_nothing(harness: Harness, tiny: Path) -> None:
    with_configuration(tiny, "[controls]", '[metrics."*:latency"]\nfloor = 9\nsmallest_effect = 9.5\n[controls]')
    done = harness("selftest", "-k", "work", "--slowdown", "100")
    assert done.returncode == 15, done.stdout + done.stderr
    _, found, why = done.stdout.splitlines()
    assert found.startswith("FAILS  slowed down            exit  0  0 of 1 called regressed")
    assert "speed/work:latency" in why


def test_the_self_test_fails_where_nothing_is_timed(harness: Harness, tiny: Path) -> None:
    with_configuration(tiny, "[controls]", '[metrics."*:ready"]\ngated = true\n[controls]')
    done = harness("selftest", "-k", "start", "--rounds", "2")
    assert done.returncode == 15, done.stdout + done.stderr
    assert "no gated metric is timed by turn.timed, so nothing could be slowed down" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--slowdown", "much"], 4, "slowdown: found 'much', allowed: auto, or per cent above 0 up to 1000"),
        (["-k", "nothing"], 5, "self-test: nothing was measured"),
    ],
)
def test_a_self_test_that_cannot_be_done_says_why(harness: Harness, arguments: list[str], code: int, told: str) -> None:
    done = harness("selftest", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_self_test_that_is_ended_leaves_nothing(tiny: Path, number: signal.Signals) -> None:
    started = Started(tiny, "-k", "work", command="selftest")
    started.wait_for_rounds(1)
    started.process.send_signal(number)
    started.process.communicate(timeout=60)
    _, alive = psutil.wait_procs(processes_of(tiny), timeout=20)
    assert alive == []


def test_a_value_of_an_injected_session_is_longer_by_what_was_injected(harness: Harness, tiny: Path) -> None:
    done = harness(
        "scenarios", "-k", "work", "--harness-after", "before", "--harness-inject", "900", "--harness-rounds", "2",
        program="pytest",
    )  # fmt: skip
    records = read_journal(tiny / "reports" / "out" / "latest" / "journal.jsonl").records
    after = [record.value for record in records if isinstance(record, Value) and record.side == "after"]
    assert min(after) >= 10 * 0.002, done.stdout
