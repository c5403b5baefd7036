"""``harness history`` as a user runs it, on an embedded history that things happen to."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import ExitCode
from harness.files.baselines import save
from harness.files.runfile import write_run
from tests.history.build import LATENCY, START, run, sample, save_run, save_session, session_name
from tests.history.conftest import BOUND, Harness

HOLDER = """
import sys
from pathlib import Path
from harness.history.client import connected
from harness.history.location import Folder
with connected(Folder(Path(sys.argv[1]))):
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(reports: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has the history open."""
    command = [sys.executable, "-c", HOLDER, str(reports / "history")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


def parts_of(reports: Path, table: str) -> list[Path]:
    """The data files of a table, also of parts that were merged since."""
    (metadata,) = (reports / "history" / "store").glob(f"store/*/*/{table}.sql")
    uuid = metadata.read_text().partition("UUID '")[2][:36]
    return sorted((reports / "history" / "store" / "store" / uuid[:3] / uuid).glob("all_*/data.bin"))


def test_add_show_check(harness: Harness, reports: Path) -> None:
    for number in range(12):
        save_session(reports, number, 0.05 if number < 7 else 0.06)
    save(reports / "baselines", "main", run(3))
    added = harness("add")
    assert (added.returncode, added.stdout) == (0, "history: 24 runs added\n"), added.stderr
    assert harness("add").stdout == "history: nothing new\n"
    checked = harness("check")
    assert (checked.returncode, checked.stdout) == (0, "25 of 25 run files are in the history as they are\n")
    shown = harness("show", "*:latency")
    assert shown.stderr == ""
    assert shown.stdout.splitlines() == [
        "speed/lookup:latency · after · 12 runs",
        "  ▁▁▁▁▁▁▁█████  60 ms · 60 ms · 60 ms · 60 ms · 60 ms",
        f"  step +20.0 % at {session_name(7)} (2026-01-08T12:00:00+00:00, commit c7): 50 ms → 60 ms",
        "  baseline main: 50 ms",
    ]
    picture = harness("show", "*", "--format", "svg").stdout
    assert picture.count("<svg") == 3
    assert "+20.0 %" in picture
    assert "main" in picture


def test_one_session_is_added_by_its_name(harness: Harness, reports: Path) -> None:
    for number in range(3):
        save_session(reports, number)
    assert harness("add", session_name(1)).stdout == "history: 2 runs added\n"
    unknown = harness("add", session_name(9))
    assert unknown.returncode == ExitCode.BASELINE
    assert "no session" in unknown.stderr


def test_nothing_to_show_is_said(harness: Harness) -> None:
    shown = harness("show", "a\x1b[2J*")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert shown.stderr == 'nothing matches "a\\x1b[2J*" of variant "after"\n'


def test_without_ruptures_one_line_says_so(harness: Harness, reports: Path) -> None:
    save_session(reports, 1)
    assert harness("add").returncode == 0
    shown = harness("show", "*:latency", without="ruptures")
    assert shown.returncode == 0
    assert "speed/lookup:latency" in shown.stdout
    assert shown.stderr == "no change points: they need ruptures, the extra [changepoints], and Python < 3.14\n"


def test_without_the_extra_one_line_says_so(harness: Harness) -> None:
    for module in ("clickhouse_connect", "chdb"):
        done = harness("add", without=module)
        assert done.returncode == ExitCode.ENVIRONMENT
        assert (
            done.stderr == "harness: the history needs clickhouse-connect and chdb-core: install the extra [history]\n"
        )


def test_the_engine_alone_is_enough(harness: Harness, reports: Path) -> None:
    save_session(reports, 1)
    for module in ("pandas", "pyarrow", "numpy"):
        done = harness("rebuild", without=module)
        assert done.returncode == 0, done.stderr


def test_a_second_process_is_told_who_has_it_open(
    harness: Harness, reports: Path, holder: "subprocess.Popen[str]"
) -> None:
    save_session(reports, 1)
    done = harness("add")
    assert done.returncode == ExitCode.ENVIRONMENT
    assert done.stderr.startswith(f"harness: history is open in pid {holder.pid} since ")
    assert done.stderr.count("\n") == 1
    holder.send_signal(signal.SIGKILL)
    holder.wait(BOUND)
    assert harness("add").stdout == "history: 2 runs added\n"


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (b"", "another process"),
        (b'{"pid": "x"}', "another process"),
        (b'{"pid": 1, "host": "h\\u001b[2J", "since": "soon"}', "another process"),
        (
            json.dumps({"pid": 7, "host": "elsewhere\x1b[2J", "since": START.isoformat()}).encode(),
            "pid 7 on elsewhere\\x1b[2J since 2026-01-01 12:00 UTC",
        ),
    ],
)
def test_a_lock_of_anybody(
    record: bytes, told: str, harness: Harness, reports: Path, holder: "subprocess.Popen[str]"
) -> None:
    (reports / "history" / "lock.json").write_bytes(record)
    assert harness("add").stderr == f"harness: history is open in {told}\n"


def test_a_truncated_part_is_named_and_repaired(harness: Harness, reports: Path) -> None:
    folder = save_session(reports, 1)
    assert harness("add").returncode == 0
    for part in parts_of(reports, "harness_samples"):
        os.truncate(part, 100)
    checked = harness("check")
    assert checked.returncode == ExitCode.INTEGRITY
    assert f"{folder / 'before.json'}: the history has 0 of 9 values" in checked.stderr
    assert checked.stdout == "0 of 2 run files are in the history as they are\n"
    assert f"values are gone of {session_name(1)}" in harness("show").stderr
    assert harness("rebuild").stdout == "history: 2 runs repaired\n"
    assert harness("check").returncode == 0


def test_a_damaged_block_is_moved_aside_by_rebuild(harness: Harness, reports: Path) -> None:
    save_session(reports, 1)
    assert harness("add").returncode == 0
    for part in parts_of(reports, "harness_samples"):
        content = bytearray(part.read_bytes())
        content[len(content) // 2] ^= 0xFF
        part.write_bytes(content)
    assert harness("check").returncode == ExitCode.INTEGRITY
    rebuilt = harness("rebuild")
    assert (rebuilt.returncode, rebuilt.stdout) == (0, "history: 2 runs added\n"), rebuilt.stderr
    assert harness("check").returncode == 0
    (aside,) = reports.glob("history.broken-*")
    assert str(aside) in rebuilt.stderr


def test_damaged_metadata_are_moved_aside_at_the_next_add(harness: Harness, reports: Path) -> None:
    for number in range(2):
        save_session(reports, number)
    assert harness("add").returncode == 0
    (metadata,) = (reports / "history" / "store").glob("store/*/*/harness_samples.sql")
    metadata.write_text("garbage")
    for reading in ("show", "check"):
        done = harness(reading)
        assert done.returncode == ExitCode.INTEGRITY
        assert "is damaged" in done.stderr
    assert not list(reports.glob("history.broken-*"))
    added = harness("add")
    assert (added.returncode, added.stdout) == (0, "history: 4 runs added\n"), added.stderr
    (aside,) = reports.glob("history.broken-*")
    assert list(aside.glob("store/*/*/harness_samples.sql"))


def test_a_broken_run_file_is_named_and_the_rest_goes_on(harness: Harness, reports: Path) -> None:
    folder = save_session(reports, 1)
    text = (folder / "after.json").read_text()
    (folder / "after.json").write_text(text.replace('"rounds": 5', '"rounds": 6'))
    added = harness("add")
    assert added.returncode == ExitCode.INTEGRITY
    assert added.stdout == "history: 1 run added\n"
    assert f"left out: {folder / 'after.json'}: the content hash differs" in added.stderr


def test_times_are_utc_wherever_the_machine_stands(harness: Harness, reports: Path) -> None:
    save_session(reports, 1)
    environment = {"TZ": "Pacific/Kiritimati"}
    assert harness("add", environment=environment).returncode == 0
    save_session(reports, 2)
    assert harness("add").returncode == 0
    dates = [harness("show", "--format", "svg", environment=other).stdout for other in (environment, {"TZ": "UTC"})]
    assert dates[0] == dates[1]
    assert "2026-01-02" in dates[0]
    assert "2026-01-03" in dates[0]


def test_a_large_run_takes_bounded_memory(project: Path, reports: Path) -> None:
    """Above what reading the run file takes, and the engine as it is."""
    values = 100_000
    save_run(reports, run(1))
    large = [sample(f"s/{number}", LATENCY, *[0.1] * (values // 10)) for number in range(10)]
    peaks = [peak(project, "rebuild")]
    folder = reports / "out" / session_name(2)
    folder.mkdir()
    write_run(replace(run(2), samples=tuple(large)), folder / "after.json")
    peaks.append(peak(project, "rebuild"))
    assert peaks[1] - peaks[0] < 200 * 2**20


def peak(project: Path, command: str) -> int:
    """The most memory that a command had, in bytes."""
    code = """import resource, sys
from harness.cli import cli
cli(sys.argv[1:], standalone_mode=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"""
    done = subprocess.run(
        [sys.executable, "-c", code, "history", command],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=True,
    )
    return int(done.stdout.split()[-1])
