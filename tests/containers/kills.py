"""The harness is killed somewhere in a whole run with services in containers; tests and the bench share this."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker

from harness.errors import HarnessError
from harness.files.journal import read_journal
from harness.files.records import Value
from tests.containers.engine_proxy import EngineProxy
from tests.containers.project import left, write_project

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PHASES = (
    "before the engine is asked", "images looked at", "network made", "container created", "service starting",
    "control arms", "scenario measuring", "containers stopping", "results written",
)  # fmt: skip
WATCHED = 10.0
"""Seconds after the kill after which nothing may be left."""
GIVEN_UP = 60.0
_BOUND = 180.0
_STACKS = 3
"""Of both variants and of the control arms, each with a network."""
_SCENARIO = """
import os, time
from pathlib import Path
import pytest
from harness.model import Metric
LATENCY = Metric("latency", "s")

@pytest.mark.scenario(rounds=2, pairs=4)
def test_work(turn):
    backend = turn.service("backend")
    with turn.timed(LATENCY):
        assert backend.get("/work", deadline=5).status == 200
        time.sleep(0.05)
    with Path(os.environ["KILLS_FINISHED"]).open("a") as file:
        file.write("x")
"""
_DOING = re.compile(rb"(starting (?:before|after|control)|first start of|control arms\s|speed/work|pulling)")


@dataclass(frozen=True, slots=True)
class Killed:
    """What became of a run that was killed."""

    phase: str
    signal: signal.Signals
    at: float
    """Seconds from the start of the harness to the kill."""
    code: int
    """Exit code, negative: the signal that ended it."""
    ended: float
    """Seconds from the kill to the end of the harness: killed in order, it writes its results and the report first."""
    finished: int
    """Samples that the scenario had finished."""
    kept: int
    """Samples that can be read from the journal."""
    runs: int
    """Run files."""
    gone: float
    """Seconds from the kill until nothing was left, apart from a harness that still writes its report."""
    left: tuple[str, ...]
    """What was left after ``WATCHED`` seconds."""
    said: str
    """The end of what it printed."""


class _Running:
    """A harness that measures, and what it is at."""

    def __init__(self, folder: Path, proxy: EngineProxy) -> None:
        self.folder, self._proxy = folder, proxy
        self.text = b""
        self._end, near = pty.openpty()  # on a terminal it says all that it does
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV", "CI", "HARNESS"))}
        (folder / "tmp").mkdir()
        extra = {"DOCKER_HOST": proxy.url, "KILLS_FINISHED": str(folder / "finished"), "TMPDIR": str(folder / "tmp")}
        self.begun = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness", "run", "--stack", "docker", "--no-gate"],
            cwd=folder, env=kept | extra | {"COLUMNS": "200"}, stdin=subprocess.DEVNULL, stdout=near, stderr=near,
            start_new_session=True,
        )  # fmt: skip
        os.close(near)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: nobody has the other end any more
            while chunk := os.read(self._end, 65536):
                self.text += chunk

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self._reader.join(GIVEN_UP)
        os.close(self._end)

    def phase(self) -> str:
        """What it does now, by what it asks of the engine, and else by what it says."""
        asked = self._proxy.asked
        if sum(request.startswith("DELETE /networks") for request in asked) >= _STACKS and not self._proxy.pending:
            return "results written"
        pending = " ".join(list(self._proxy.pending.values()))
        for pattern, phase in (
            (r"POST /networks/create", "network made"),
            (r"POST /containers/(create|\w+/start)", "container created"),
            (r"POST /containers/\w+/stop|DELETE", "containers stopping"),
        ):
            if re.search(pattern, pending):
                return phase
        if not asked:
            return "before the engine is asked"
        if not any(request.startswith("POST") for request in asked):
            return "images looked at"
        said = _DOING.findall(self.text[-4000:])
        doing = said[-1].strip() if said else b""
        return {b"control arms": "control arms", b"speed/work": "scenario measuring"}.get(doing, "service starting")


When = Callable[[_Running], bool]


def at(seconds: float) -> When:
    """The moment so many seconds after the start."""
    return lambda run: time.monotonic() - run.begun >= seconds


def in_phase(name: str, times: int = 1) -> When:
    """The moment at which a phase begins for the ``times``-th time."""
    seen = 0
    last = ""

    def reached(run: _Running) -> bool:
        nonlocal seen, last
        now = run.phase()
        seen += now == name != last
        last = now
        return seen >= times

    return reached


def whole(image: str) -> float:
    """Seconds that a run takes which nobody kills."""
    with _run(image) as (run, _):
        run.process.wait(_BOUND)
        return time.monotonic() - run.begun


def kill(number: signal.Signals, when: When, image: str) -> Killed | None:
    """Run the harness, kill it, see what it leaves; None when it ended before."""
    with _run(image) as (run, client):
        while not when(run):
            if run.process.poll() is not None:
                return None
            time.sleep(0.002)
        phase, moment = run.phase(), time.monotonic()
        run.process.send_signal(number)
        watch = _Watch(run, client, moment)
        code = run.process.wait(_BOUND)
        ended = time.monotonic() - moment
        watch.join()
        out = run.folder / "reports" / "out"
        runs = sum(not path.parent.is_symlink() for path in out.glob("*/*.json"))
        finished = run.folder / "finished"
        return Killed(
            phase, number, moment - run.begun, code, ended, finished.stat().st_size if finished.exists() else 0,
            _kept(run.folder), runs, watch.gone, watch.left, run.text[-2000:].decode("utf-8", "replace"),
        )  # fmt: skip


@contextmanager
def _run(image: str) -> Iterator[tuple[_Running, docker.DockerClient]]:
    with (
        tempfile.TemporaryDirectory(prefix="kill-") as name,
        closing(docker.from_env()) as client,
        EngineProxy() as proxy,
    ):
        folder = Path(name).resolve()
        write_project(folder, {"image": image}, {}, _SCENARIO, controls=True)
        with closing(_Running(folder, proxy)) as run:
            yield run, client


class _Watch:
    """Looks what is left of a run, from the kill on until nothing is, in a thread of its own."""

    def __init__(self, run: _Running, client: docker.DockerClient, moment: float) -> None:
        self._run, self._client, self._moment = run, client, moment
        self.gone = float("inf")
        self.left: tuple[str, ...] = ()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _look(self) -> None:
        """The sweep's processes are among what is looked for: nothing is made anew after they have ended."""
        while (since := time.monotonic() - self._moment) < GIVEN_UP:
            found = (*_processes(self._run), *left(self._client, self._run.process.pid), *_folders(self._run))
            if since >= WATCHED and not self.left:
                self.left = found
            if not found:
                self.gone = since
                return
            time.sleep(0.05)


def _processes(run: _Running) -> Iterator[str]:
    """Its watchdog and all that was started besides work in the project's folder, as the harness does."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended, or is a zombie
            if (entry / "cwd").readlink() == run.folder and int(entry.name) != run.process.pid:
                yield f"process {entry.name}"


def _folders(run: _Running) -> Iterator[str]:
    return (f"folder {path.name}" for path in (run.folder / "tmp").iterdir())


def _kept(folder: Path) -> int:
    """Samples of the scenario that its journal holds."""
    count = 0
    for journal in (folder / "reports" / "out").glob("*/journal.jsonl"):
        if journal.parent.is_symlink():
            continue
        with contextlib.suppress(HarnessError):
            records = read_journal(journal).records
            count += sum(isinstance(record, Value) and record.scenario.startswith("speed") for record in records)
    return count
