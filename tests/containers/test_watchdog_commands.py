"""What the watchdog runs at the end: after the services are dead, before the folders go, and never for long."""

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from harness.measure import watchdog
from harness.measure.watchdog import Watchdog

PARENT = textwrap.dedent("""
    import json, subprocess, sys, time
    from harness.measure.watchdog import Watchdog
    dog = Watchdog()
    service = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    dog.started(service.pid)
    dog.folder(sys.argv[1])
    for command in sys.argv[2:]:
        dog.at_end([argument.replace("SERVICE", str(service.pid)) for argument in json.loads(command)])
    print(dog._child.pid, flush=True)
    time.sleep(600)
""")

REPORT = textwrap.dedent("""
    import json, pathlib, sys
    result, folder, service, *rest = sys.argv[1:]
    stat = pathlib.Path("/proc", service, "stat")
    ended = not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
    pathlib.Path(result).write_text(json.dumps([pathlib.Path(folder).exists(), ended, rest]))
    print("nobody reads this")
""")


def test_commands_run_when_the_harness_is_killed(tmp_path: Path) -> None:
    data, result, second = tmp_path / "data", tmp_path / "result", tmp_path / "second"
    data.mkdir()
    odd = ["two words", "line\nbreak", 'quote"', "grüße", "\udcff", ""]
    commands = [
        ["/nonexistent/program"],
        [sys.executable, "-c", REPORT, str(result), str(data), "SERVICE", *odd],
        [sys.executable, "-c", "import sys; open(sys.argv[1], 'x')", str(second)],
    ]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(data), *map(json.dumps, commands)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
    finally:
        parent.kill()
    out, err = parent.communicate(timeout=30)
    psutil.wait_procs([child], timeout=10)
    assert json.loads(result.read_text()) == [True, True, odd]
    assert second.exists()
    assert not data.exists()
    assert (out, err) == ("", "")


def test_commands_run_when_the_harness_ends_in_order(tmp_path: Path) -> None:
    done = tmp_path / "done"
    with Watchdog() as dog:
        dog.at_end([sys.executable, "-c", "import sys; open(sys.argv[1], 'x')", str(done)])
        time.sleep(0.3)
        assert not done.exists()
    assert done.exists()


def test_the_end_in_order_waits_for_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "_OWN_WORK_SECONDS", 0.5)
    done = tmp_path / "done"
    with Watchdog() as dog:
        dog.at_end([sys.executable, "-c", "import sys, time; time.sleep(2); open(sys.argv[1], 'x')", str(done)])
    assert done.exists()


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "COMMAND_SECONDS", 2.0)
    pids, done, data = tmp_path / "pids", tmp_path / "done", tmp_path / "data"
    data.mkdir()
    hanging = (
        "import os, subprocess, sys, time; child = subprocess.Popen(['sleep', '600'])\n"
        "open(sys.argv[1], 'w').write(f'{os.getpid()} {child.pid}'); time.sleep(600)"
    )
    lines = [
        f"folder {data}\n",
        f"at end {json.dumps([sys.executable, '-c', hanging, str(pids)])}\n",
        f"at end {json.dumps([sys.executable, '-c', 'import sys; open(sys.argv[1], chr(120))', str(done)])}\n",
    ]
    start = time.monotonic()
    watchdog._watch(lines, "HARNESS_WATCHDOG=of nobody")
    assert time.monotonic() - start < 10
    assert done.exists()
    assert not data.exists()
    assert not any(_runs(int(pid)) for pid in pids.read_text().split())


def _runs(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("line", ["at end ", 'at end ["/bin/tou', "at end 7", "at end []", "at end [7]", "at end null"])
def test_a_line_that_the_harness_could_not_finish_is_passed_over(line: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    watchdog._watch([f"folder {data}\n", line], "HARNESS_WATCHDOG=of nobody")
    assert not data.exists()
