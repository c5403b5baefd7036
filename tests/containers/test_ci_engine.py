"""`.ci/docker` with a stand-in for dockerd: what it starts it stops, and nothing else. CI starts the real one."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT

_STAND_IN = """#!{python}
import http.server, os, socketserver, sys, time
mode = os.environ.get("STAND_IN", "")
path = sys.argv[sys.argv.index("--host") + 1].removeprefix("unix://")
if mode == "fails":
    sys.exit("failed to start daemon: no such driver")
time.sleep(0.3)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/_ping" else 404)
        self.end_headers()
        self.wfile.write(b"OK")
    def address_string(self):
        return "someone"

socketserver.UnixStreamServer(path, Handler).serve_forever()
"""


class Checkout:
    """A folder with the script in it, and a PATH on which dockerd is the stand-in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "engine.sock"
        (folder / ".ci").mkdir()
        shutil.copy(ROOT / ".ci" / "docker", folder / ".ci" / "docker")
        (folder / "bin").mkdir()
        program = folder / "bin" / "dockerd"
        program.write_text(_STAND_IN.format(python=sys.executable))
        program.chmod(0o755)

    def call(self, action: str, **settings: str) -> subprocess.CompletedProcess[str]:
        self.socket.parent.mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "DOCKER_HOST": f"unix://{self.socket}",
            **settings,
        }
        return subprocess.run(
            [self.folder / ".ci" / "docker", action],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def engines(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _is_of(process, str(self.folder))]


def _is_of(process: psutil.Process, folder: str) -> bool:
    try:
        return any(f"{folder}/bin/dockerd" == part for part in process.cmdline())
    except psutil.Error:
        return False


@pytest.fixture
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    one = Checkout(tmp_path_factory.mktemp("ci"))
    yield one
    for process in one.engines():
        process.kill()


def test_what_it_starts_it_stops(checkout: Checkout) -> None:
    done = checkout.call("start")
    assert done.returncode == 0, done.stderr
    assert len(checkout.engines()) == 1
    assert checkout.call("stop").returncode == 0
    assert checkout.engines() == []
    assert checkout.call("stop").returncode == 0


def test_an_engine_that_answers_is_neither_started_again_nor_stopped(checkout: Checkout) -> None:
    environment = {**os.environ, "DOCKER_HOST": ""}
    with subprocess.Popen(
        [checkout.folder / "bin" / "dockerd", "--host", f"unix://{checkout.socket}"], env=environment
    ) as other:
        try:
            _until(checkout.socket.exists)
            assert checkout.call("start").stdout == "an engine answers\n"
            assert checkout.call("stop").returncode == 0
            assert other.poll() is None
            assert len(checkout.engines()) == 1
        finally:
            other.kill()


def test_a_number_that_is_another_process_by_now_is_left_alone(checkout: Checkout) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        try:
            (checkout.folder / ".ci" / ".docker").mkdir()
            (checkout.folder / ".ci" / ".docker" / "started").write_text(f"{other.pid} 1\n")
            assert checkout.call("stop").returncode == 0
            assert other.poll() is None
        finally:
            other.kill()


def test_an_engine_that_does_not_start_is_told_with_the_end_of_its_log(checkout: Checkout) -> None:
    started = time.monotonic()
    done = checkout.call("start", STAND_IN="fails")
    assert done.returncode == 12
    assert "no such driver" in done.stderr
    assert done.stderr.endswith("the engine did not start; the end of its log is above\n")
    assert time.monotonic() - started < 20


def test_a_stale_pid_file_is_no_obstacle(checkout: Checkout) -> None:
    (checkout.folder / ".ci" / ".docker").mkdir()
    stale = checkout.folder / ".ci" / ".docker" / "dockerd.pid"
    stale.write_text(str(os.getpid()))
    assert checkout.call("start").returncode == 0
    assert not stale.exists()  # the stand-in writes none; dockerd refuses to start where one names a living process
    assert checkout.call("stop").returncode == 0


def test_an_engine_elsewhere_is_not_replaced(checkout: Checkout) -> None:
    done = checkout.call("start", DOCKER_HOST="tcp://127.0.0.1:9")
    assert done.returncode == 12
    assert done.stderr == "docker: no engine answers at DOCKER_HOST=tcp://127.0.0.1:9\n"
    assert checkout.engines() == []


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
