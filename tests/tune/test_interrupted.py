"""A search that is cut short while it measures leaves nothing running."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from harness.errors import ExitCode
from tests.e2e.conftest import environment
from tests.tune.conftest import ROOT


def test_an_interrupted_search_stops_what_it_has_started(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text(f'system = "{ROOT}/fixtures/reference/system.toml"\n', "utf-8")
    measuring = tmp_path / "reports" / "out" / "tune-retry" / "logs" / "tune-backend-2.log"
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "tune", "retry"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not measuring.exists() and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert len(started) >= 4, "a watchdog, ClickHouse, the provider, the backend"
    assert process.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in told
    _, left = psutil.wait_procs(started, timeout=30)
    assert left == []
