"""What is left when the harness dies is killed, however it dies."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from harness.measure.watchdog import Watchdog

PARENT = textwrap.dedent("""
    import signal, subprocess, sys, time
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup had it ignored
    from harness.measure.watchdog import Watchdog
    dog = Watchdog()
    service = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    dog.started(service.pid)
    dog.folder(sys.argv[1])
    print(service.pid, dog._child.pid, flush=True)
    time.sleep(600)
""")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_services_and_folders_go_when_the_harness_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    data = tmp_path / "data"
    data.mkdir()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(data)], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        service, watchdog = (psutil.Process(int(pid)) for pid in parent.stdout.readline().split())
        os.kill(parent.pid, number)
        parent.wait(10)
        _, alive = psutil.wait_procs([service, watchdog], timeout=10)
    finally:
        parent.kill()
        parent.communicate()
    assert alive == []
    assert not data.exists()


FORGETFUL = textwrap.dedent("""
    import os, subprocess, sys, time
    from harness.measure.watchdog import Watchdog
    dog = Watchdog()
    service = [sys.executable, "-c", "import time; time.sleep(600)"]
    service = subprocess.Popen(service, start_new_session=True, env=dict(os.environ) | dict(dog.mark))
    print(service.pid, flush=True)
    time.sleep(600)
""")


def test_a_service_goes_that_the_harness_could_not_tell_of_before_it_was_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", FORGETFUL], stdout=subprocess.PIPE, text=True)
    alive = []
    try:
        assert parent.stdout is not None
        service = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait(10)
        _, alive = psutil.wait_procs([service], timeout=10)
    finally:
        for process in (parent, *alive):  # what lives holds the pipe that is read to its end next
            process.kill()
        parent.communicate()
    assert alive == []


def test_what_was_reported_gone_is_left_alone(tmp_path: Path) -> None:
    service = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        with Watchdog() as dog:
            dog.started(service.pid)
            dog.gone(service.pid)
        assert service.poll() is None
    finally:
        service.kill()
        service.wait()
