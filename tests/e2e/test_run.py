"""``harness run`` from end to end on real processes of a backend that the harness has never seen."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.files.journal import read_journal
from harness.files.records import RoundDone, Value
from harness.files.runfile import read_run
from tests.e2e.conftest import Harness, environment, processes_of

SLOWER = 10
"""Exit code: the tiny project's `after` works ten times as long."""


def verdicts(output: str) -> dict[str, str]:
    (line,) = (line for line in output.splitlines() if line.startswith("HARNESS-VERDICT "))
    found: dict[str, str] = json.loads(line.removeprefix("HARNESS-VERDICT "))["verdicts"]
    return found


def test_a_slower_variant_fails_the_gate_and_everything_is_written(harness: Harness, tiny: Path) -> None:
    done = harness("run")
    assert done.returncode == SLOWER, done.stdout + done.stderr
    assert verdicts(done.stdout)["speed/work:latency"] == "regressed"
    folder = tiny / "reports" / "out" / "latest"
    assert {path.name for path in folder.iterdir()} >= {
        "journal.jsonl", "before.json", "after.json", "report.md", "report.html", "logs",
    }  # fmt: skip
    after = read_run(folder / "after.json")
    (latency,) = (sample for sample in after.samples if sample.metric.name == "latency")
    assert len(latency.values) == 24
    assert min(latency.values) >= 0.02
    assert processes_of(tiny) == []


def test_without_the_gate_the_same_is_told_but_exits_0(harness: Harness) -> None:
    done = harness("run", "--no-gate", "-k", "work")
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdicts(done.stdout) == {"speed/work:latency": "regressed"}


def test_plain_pytest_does_the_same(harness: Harness) -> None:
    done = harness("scenarios", "-k", "work", program="pytest")
    assert done.returncode == SLOWER, done.stdout + done.stderr
    assert verdicts(done.stdout) == {"speed/work:latency": "regressed"}
    assert "1 passed" in done.stdout


def test_a_variant_against_itself_is_neither_faster_nor_slower(harness: Harness, tiny: Path) -> None:
    """Both metrics gated, with one false alarm in a thousand sessions. Those that are not gated are called by chance in
    up to one session of twenty, as they should be: nothing can be asked of them in a single one."""
    file = tiny / "harness.toml"
    strict = '[gate]\nerror_budget = 0.001\n\n[metrics."speed/start:ready"]\ngated = true\n\n'
    file.write_text(strict + file.read_text("utf-8"), "utf-8")
    done = harness("run", "--before", "before", "--after", "before")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(verdicts(done.stdout)) == {"speed/work:latency", "speed/start:ready"}
    assert not {"improved", "regressed"} & set(verdicts(done.stdout).values())


def test_what_cannot_be_decided_is_inconclusive_and_strict_fails_on_it(harness: Harness, tiny: Path) -> None:
    file = tiny / "harness.toml"
    never_small_enough = '[metrics."speed/work:latency"]\nsmallest_effect = 1e-9\n\n'
    file.write_text(never_small_enough + file.read_text("utf-8"), "utf-8")
    arguments = ("run", "-k", "work", "--before", "before", "--after", "before")
    done = harness(*arguments, "--strict")
    assert done.returncode == 11, done.stdout + done.stderr
    assert verdicts(done.stdout) == {"speed/work:latency": "inconclusive"}
    assert harness(*arguments).returncode == 0


def test_too_few_rounds_to_call_anything_are_no_pass(harness: Harness) -> None:
    done = harness("run", "-k", "work", "--rounds", "3")
    assert done.returncode == 13, done.stdout + done.stderr
    assert "3 rounds cannot show any change within the error budget, it takes at least 8" in " ".join(
        done.stdout.split()
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("    pytest.skip('not today')\n", "a scenario that skips is not measured: not today"),
        ("    pytest.fail('wrong')\n", "wrong"),
        ("    with pytest.raises(KeyError):\n        pass\n", "DID NOT RAISE"),
        ("    return\n", "the scenario recorded no value"),
    ],
)
def test_a_scenario_that_measures_nothing_has_failed_and_is_measured_once(
    harness: Harness, tiny: Path, change: str, told: str
) -> None:
    file = tiny / "scenarios" / "speed" / "test_speed.py"
    text = file.read_text("utf-8").replace("    turn.record(READY", change + "    turn.record(READY")
    file.write_text(text, "utf-8")
    done = harness("run", "--rounds", "8")
    assert done.returncode == 12, done.stdout + done.stderr
    assert told in done.stdout
    assert "1 failed, 1 passed" in done.stdout
    assert len([path for path in (tiny / "reports" / "out").iterdir() if not path.is_symlink()]) == 1


def test_scenarios_that_are_all_skipped_are_no_pass(harness: Harness, tiny: Path) -> None:
    file = tiny / "scenarios" / "speed" / "test_speed.py"
    file.write_text(
        file.read_text("utf-8").replace("@pytest.mark.scenario", "@pytest.mark.skip\n@pytest.mark.scenario")
    )
    done = harness("run")
    assert done.returncode == 13, done.stdout + done.stderr
    assert "nothing was measured" in done.stdout


def test_a_coroutine_is_refused(harness: Harness, tiny: Path) -> None:
    file = tiny / "scenarios" / "speed" / "test_speed.py"
    file.write_text(file.read_text("utf-8").replace("def test_start", "async def test_start"))
    done = harness("run")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "a scenario is a plain function" in done.stdout + done.stderr


def test_the_seed_decides_the_order(harness: Harness, tiny: Path) -> None:
    orders = []
    for _ in range(2):
        harness("run", "-k", "work", "--rounds", "4", "--seed", "11")
        records = read_journal(tiny / "reports" / "out" / "latest" / "journal.jsonl").records
        orders.append([record.side for record in records if isinstance(record, Value)])
    assert orders[0] == orders[1]
    assert len(set(orders[0])) == 2


def test_a_wrong_answer_fails_the_scenario_with_its_traceback(harness: Harness, tiny: Path) -> None:
    file = tiny / "scenarios" / "speed" / "test_speed.py"
    file.write_text(file.read_text("utf-8").replace("status == 200", "status == 201"), "utf-8")
    done = harness("run", "--rounds", "4")
    assert done.returncode == 12, done.stdout + done.stderr
    assert "assert answer.status == 201" in done.stdout
    assert "1 failed, 1 passed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--after", "afterr"], "no variant 'afterr'; there are after, before"),
        (["--config", "nowhere.toml"], "nowhere.toml: cannot be read: No such file or directory"),
        (["--resume", "20200101T000000Z-00000000"], "20200101T000000Z-00000000"),
    ],
)
def test_a_users_mistake_is_one_line_and_no_traceback(harness: Harness, arguments: list[str], told: str) -> None:
    done = harness("run", *arguments)
    assert done.returncode in (4, 13), done.stdout + done.stderr
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_scenario_that_asks_for_a_fixture_is_refused(harness: Harness, tiny: Path) -> None:
    file = tiny / "scenarios" / "speed" / "test_speed.py"
    file.write_text(
        file.read_text("utf-8").replace("def test_start(turn: Turn)", "def test_start(turn: Turn, tmp_path)")
    )
    done = harness("run")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "a scenario takes `turn` and parametrized values, not tmp_path" in done.stdout + done.stderr


def test_two_scenarios_of_one_name_are_refused(harness: Harness, tiny: Path) -> None:
    folder = tiny / "scenarios" / "speed"
    (folder / "test_again.py").write_text((folder / "test_speed.py").read_text("utf-8"), "utf-8")
    done = harness("run", "--rounds", "1")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "two scenarios are called speed/" in done.stdout + done.stderr


def test_results_that_cannot_be_saved_end_with_14_before_anything_is_measured(harness: Harness, tiny: Path) -> None:
    (tiny / "reports").write_text("not a folder", "utf-8")
    done = harness("run", "--rounds", "1")
    assert done.returncode == 14, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert processes_of(tiny) == []


def test_the_scenarios_are_listed_and_nothing_else(harness: Harness) -> None:
    done = harness("list")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().splitlines() == [
        "speed/work  quick  12 rounds × 2  How long one piece of work takes.",
        "speed/start  quick  12 rounds × 1  How long a start takes.",
    ]


def test_a_service_that_dies_ends_the_session_with_its_name(harness: Harness, tiny: Path) -> None:
    file = tiny / "scenarios" / "speed" / "test_speed.py"
    file.write_text(file.read_text("utf-8").replace('get("/work")', 'get("/die" if turn.round == 2 else "/work")'))
    done = harness("run", "-k", "work")
    assert done.returncode == 12, done.stdout + done.stderr
    assert "backend exited with code 7" in done.stdout
    assert "about to die" in done.stdout
    run = read_run(tiny / "reports" / "out" / "latest" / "before.json")
    assert run.state == "interrupted"
    assert {number for sample in run.samples for number in sample.rounds} >= {0, 1}
    assert processes_of(tiny) == []

    file.write_text(file.read_text("utf-8").replace('"/die" if turn.round == 2 else "/work"', '"/work"'))
    resumed = harness("run", "-k", "work", "--resume", "latest")
    assert resumed.returncode == SLOWER, resumed.stdout + resumed.stderr
    assert "note Ended early: backend exited with code 7" in resumed.stdout


def test_scenarios_are_not_measured_in_xdist_workers(harness: Harness) -> None:
    done = harness("scenarios", "-n", "2", program="pytest")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "scenarios are not measured in pytest-xdist workers: run them without -n" in done.stdout


class Started:
    """A ``harness run`` in the background, and its journal."""

    def __init__(self, tiny: Path, *arguments: str, command: str = "run") -> None:
        self.tiny = tiny
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness", command, *arguments],
            cwd=tiny,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def journal(self) -> Path:
        return self.tiny / "reports" / "out" / "latest" / "journal.jsonl"

    def wait_for_rounds(self, count: int) -> None:
        """Wait until so many rounds are in the journal."""
        end = time.monotonic() + 120
        while time.monotonic() < end and self.process.poll() is None:
            if self.journal.exists() and self.rounds() >= count:
                return
            time.sleep(0.02)
        pytest.fail(
            f"no {count} rounds: {self.process.communicate()[0] if self.process.poll() is not None else 'slow'}"
        )

    def rounds(self) -> int:
        return sum(isinstance(record, RoundDone) for record in read_journal(self.journal).records)

    def values(self) -> list[Value]:
        return [record for record in read_journal(self.journal).records if isinstance(record, Value)]


def test_kill_9_loses_nothing_leaves_nothing_and_can_be_resumed(harness: Harness, tiny: Path) -> None:
    started = Started(tiny, "-k", "work")
    started.wait_for_rounds(3)
    started.process.kill()
    started.process.communicate()
    kept = started.values()
    assert len(kept) >= 3 * 4
    _, alive = psutil.wait_procs(processes_of(tiny), timeout=10)
    assert alive == []

    reported = harness("report")
    assert reported.returncode == 0, reported.stdout + reported.stderr
    assert read_run(started.journal.parent / "after.json").state == "interrupted"
    files = [str(started.journal.parent / f"{side}.json") for side in ("before", "after")]
    assert harness("compare", *files, "--gate").returncode == 13

    resumed = harness("run", "-k", "work", "--resume", "latest")
    assert resumed.returncode == SLOWER, resumed.stdout + resumed.stderr
    assert started.values()[: len(kept)] == kept
    assert started.rounds() == 12
    run = read_run(started.journal.parent / "after.json")
    assert run.state == "complete"
    (sample,) = run.samples
    assert len(sample.values) >= 24
    of_after = [value.value for value in kept if value.side == "after"]
    assert of_after == list(sample.values[: len(of_after)])


def test_a_session_is_not_resumed_with_other_settings(harness: Harness, tiny: Path) -> None:
    started = Started(tiny, "-k", "work")
    started.wait_for_rounds(1)
    started.process.kill()
    started.process.communicate()
    file = tiny / "harness.toml"
    file.write_text(file.read_text("utf-8").replace("WORK = 0.02", "WORK = 0.03"), "utf-8")
    done = harness("run", "-k", "work", "--resume", "latest")
    assert done.returncode == 15, done.stdout + done.stderr
    assert (
        "was measured with other variants, settings, commands, images, addresses or scenarios"
        in done.stdout + done.stderr
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_session_in_order(tiny: Path, number: signal.Signals) -> None:
    started = Started(tiny, "-k", "work")
    started.wait_for_rounds(2)
    os.kill(started.process.pid, number)
    output, _ = started.process.communicate(timeout=60)
    assert started.process.returncode == 2, output
    assert "HARNESS-VERDICT" in output
    assert read_run(started.journal.parent / "before.json").state == "interrupted"
    assert processes_of(tiny) == []


def test_longer_scenarios_wait_for_their_tag(harness: Harness, tiny: Path) -> None:
    scenario = tiny / "scenarios" / "speed" / "test_speed.py"
    text = scenario.read_text("utf-8").replace("(rounds=12, pairs=2)", '(rounds=2, tag="full")')
    scenario.write_text(text.replace("(rounds=12)", "(rounds=2)"), "utf-8")
    same = ("--before", "before", "--after", "before", "--no-gate")

    quick = harness("run", *same)
    assert quick.returncode == 0, quick.stdout + quick.stderr
    assert "1 deselected" in quick.stdout
    runs = tiny / "reports" / "out" / "latest"
    run = read_run(runs / "after.json")
    assert run.left_out == ("speed/work",)
    assert "speed/work" not in {sample.scenario for sample in run.samples}

    full = harness("run", *same, "--tag", "full")
    assert full.returncode == 0, full.stdout + full.stderr
    run = read_run(runs / "after.json")
    assert run.left_out == ()
    assert "speed/work" in {sample.scenario for sample in run.samples}

    listed = harness("list")
    assert "speed/work  full  2 rounds" in listed.stdout
    only = harness("run", *same, "-k", "work")
    assert only.returncode == 4
    assert "the selected scenario is tagged full: --tag full measures them" in only.stdout + only.stderr

    scenario.write_text(text.replace('tag="full"', 'tag="nightly"'), "utf-8")
    wrong = harness("run", *same)
    assert wrong.returncode == 4
    assert "and tag: quick, full, soak" in " ".join((wrong.stdout + wrong.stderr).split())


def test_no_scenario_that_is_left_is_no_pass(harness: Harness, tiny: Path) -> None:
    """An ordinary test beside the scenarios passes; that says nothing of what was to be measured."""
    scenario = tiny / "scenarios" / "speed" / "test_speed.py"
    text = scenario.read_text("utf-8").replace("(rounds=12", '(tag="full", rounds=12')
    scenario.write_text(text + "\n\ndef test_plain() -> None:\n    pass\n", "utf-8")

    left_out = harness("run")
    assert left_out.returncode == 4, left_out.stdout + left_out.stderr
    assert "all 2 selected scenarios are tagged full: --tag full measures them" in left_out.stdout + left_out.stderr
    none = harness("run", "-k", "plain", "--tag", "full")
    assert none.returncode == 13, none.stdout + none.stderr
    assert "nothing was measured" in none.stdout
    (tiny / "pytest.ini").write_text("[pytest]\naddopts = --harness-config=harness.toml\n", "utf-8")
    everything = harness("scenarios", program="pytest")
    assert everything.returncode == 0, everything.stdout + everything.stderr
    assert "1 passed, 2 deselected" in everything.stdout
