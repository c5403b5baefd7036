"""Where the recordings are made: one core, the program under test, a ClickHouse server, perhaps a neighbour."""

import contextlib
import http.client
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.services.clickhouse_process import Server, running

CORE = max(os.sched_getaffinity(0))
START_LOOPS, WORK_LOOPS, QUERY_ROWS = 300_000, 15_000, 1_500_000
WAITS = (20.0, 40.0)
"""Milliseconds."""
QUERY = "SELECT sum(cityHash64(number)) FROM numbers({rows}) SETTINGS max_threads = 1"

_NEIGHBOUR = """
import random, time
while True:
    until = time.monotonic() + random.expovariate(0.5)
    while time.monotonic() < until:
        bytes(bytearray(4_000_000))
        sum(range(20_000))
    time.sleep(random.expovariate(0.5))
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What something took, in seconds: on the wall, and of the serving process's processor time."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Load:
    """What one slot is asked to do."""

    start_loops: int = START_LOOPS
    work_loops: int = WORK_LOOPS
    query_rows: int = QUERY_ROWS
    waits: tuple[float, float] = WAITS


def cpu_seconds(pid: int) -> float:
    """Processor time of all threads of a process so far: its CPU clock, as clock_getcpuclockid(3) names it."""
    return time.clock_gettime((~pid << 3) | 2)


def reading(action: Callable[[], object], pid: int) -> Reading:
    """What ``action`` takes of the wall clock and of the processor time of ``pid``."""
    cpu, wall = cpu_seconds(pid), time.perf_counter()
    action()
    return Reading(time.perf_counter() - wall, cpu_seconds(pid) - cpu)


@contextlib.contextmanager
def pinned(core: int = CORE) -> Iterator[None]:
    """This process, and all that it starts meanwhile, on one core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextlib.contextmanager
def neighbour() -> Iterator[None]:
    """Another process on this core, busy with processor and memory, on and off for about 2 s each."""
    process = subprocess.Popen([sys.executable, "-c", _NEIGHBOUR])
    try:
        yield
    finally:
        process.kill()
        process.wait()


class Started:
    """One fresh start of the program under test."""

    def __init__(self, load: Load, *, core: int = CORE, hash_seed: str = "random") -> None:
        command = [
            sys.executable, "-m", "bench.decisions.server", "--start-loops", str(load.start_loops),
            "--work-loops", str(load.work_loops), "--waits", *map(str, load.waits),
        ]  # fmt: skip
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        with pinned(core):  # inherited: moved afterwards, it would begin on another core than it is measured on
            self._created = time.monotonic_ns()
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        self.pid = self._process.pid
        self._marks: dict[str, int] = {}
        self.start = Reading(0, 0)
        self._connection: http.client.HTTPConnection | None = None

    def wait(self) -> "Started":
        """Until it is ready; ``start`` is then what its start took. Raises ChildProcessError when it ends before."""
        assert self._process.stdout is not None
        while "ready" not in self._marks:
            name, _, value = self._process.stdout.readline().partition(" ")
            if not name:
                raise ChildProcessError(f"the program under test ended with {self._process.wait()} before it was ready")
            self._marks[name] = int(value)
        self.start = Reading((self._marks["ready"] - self._created) / 1e9, cpu_seconds(self.pid))
        return self

    def phases(self) -> tuple[float, float, float]:
        """Seconds from creation to ``exec``, from there to ``imported``, from there to ``ready``."""
        marks = [self._created, *(self._marks[name] for name in ("exec", "imported", "ready"))]
        first, second, third = ((b - a) / 1e9 for a, b in pairwise(marks))
        return first, second, third

    def get(self, path: str) -> None:
        """One request on a connection that stays open."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._marks["port"], timeout=60)
        self._connection.request("GET", path)
        if self._connection.getresponse().read() != b"done\n":
            raise ConnectionError("a wrong answer")

    def stop(self) -> None:
        """End it."""
        if self._connection is not None:
            self._connection.close()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@dataclass(frozen=True, slots=True)
class ClickHouse:
    """The server of the session, shared by all slots."""

    server: Server
    connection: http.client.HTTPConnection

    @property
    def pid(self) -> int:
        return self.server.process.pid

    def query(self, rows: int) -> None:
        """A statement whose cost grows with ``rows``."""
        self.connection.request("POST", "/", QUERY.format(rows=rows).encode())
        answer = self.connection.getresponse()
        if not answer.read() or answer.status != 200:
            raise ConnectionError("the query failed")


@contextlib.contextmanager
def clickhouse() -> Iterator[ClickHouse]:
    """A ClickHouse server of our own, in a process."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "data") as server,
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection,
    ):
        yield ClickHouse(server, connection)


def calibrated(slower: float, database: ClickHouse, times: int = 60) -> Load:
    """What has to be asked for so that everything takes ``1 + slower`` times as long, measured here and now.

    By processor time, as the wall clock of a busy machine would spoil the calibration. What a request takes besides the
    work of its server stays the same, so on the wall an effect is a little smaller.
    """
    if not slower:
        return Load()
    base = Started(Load()).wait()
    try:
        work = _slope(lambda loops: reading(lambda: base.get(f"/work/{loops}"), base.pid), WORK_LOOPS, times)
        rows = _slope(lambda count: reading(lambda: database.query(count), database.pid), QUERY_ROWS, times)
    finally:
        base.stop()
    start = statistics.median(_start_seconds() for _ in range(8))
    first, second = WAITS
    return Load(
        start_loops=START_LOOPS + round(slower * start / work["second per unit"]),
        work_loops=WORK_LOOPS + round(slower * work["seconds"] / work["second per unit"]),
        query_rows=QUERY_ROWS + round(slower * rows["seconds"] / rows["second per unit"]),
        waits=(first * (1 + slower), second * (1 + slower)),
    )


def _start_seconds() -> float:
    started = Started(Load()).wait()
    started.stop()
    return started.start.cpu


def _slope(take: Callable[[int], Reading], base: int, times: int) -> Mapping[str, float]:
    """Seconds for ``base`` units of work, and for one more: medians, both amounts in turn in drawn order."""
    seconds: dict[int, list[float]] = {base: [], 2 * base: []}
    order = list(seconds)
    for _ in range(times):
        random.shuffle(order)
        for units in order:
            seconds[units].append(take(units).cpu)
    low, high = (statistics.median(values) for values in seconds.values())
    return {"seconds": low, "second per unit": (high - low) / base}
