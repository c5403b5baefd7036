"""Starts the load generator as processes of its own, watches it, and reads what it wrote. `drive` is for scenarios."""

import importlib.util
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import harness
from harness.errors import ExitCode, HarnessError
from harness.load.job import Job, Request, to_json
from harness.load.plan import Plan
from harness.load.records import Record, WorkerEnd, from_lines
from harness.load.summary import LATE, SHORTFALL, Summary, summarize
from harness.measure.environment import LOAD_WORKERS
from harness.measure.process import ServiceProcess
from harness.measure.service import RunningService
from harness.measure.watchdog import Watchdog

LOAD_MASTER = "HARNESS_LOAD_MASTER"
PROGRAM = Path(__file__).with_name("program.py")
HOST = "127.0.0.1"
STARTED_WITHIN = 30.0
"""Seconds until a generator drives, at most; importing locust takes most of one."""
_STOP_WITHIN = 0.0
"""Seconds for an orderly end: a generator has nothing left to do, its lines are written as they come."""
_LOOK_EVERY = 0.02


@dataclass(frozen=True)
class Load:
    """What one load showed."""

    plan: Plan
    records: tuple[Record, ...]
    """In the order in which they were written."""
    workers: tuple[WorkerEnd, ...]
    late: float

    @cached_property
    def summary(self) -> Summary:
        """Of the whole load."""
        return summarize(self.plan, self.records, late=self.late)

    def segment(self, name: str) -> Summary:
        """Of one segment. KeyError when the plan has none of that name."""
        return summarize(self.plan, self.records, name, self.late)

    @property
    def generator_cpu(self) -> float:
        """Processor seconds that the generator used in all."""
        return sum(worker.cpu for worker in self.workers)

    @property
    def busiest(self) -> float:
        """The share of a core that the busiest worker used."""
        return max(worker.cpu for worker in self.workers) / self.plan.seconds


def drive(
    service: RunningService,
    plan: Plan,
    requests: Sequence[Request],
    *,
    late: float = LATE,
    shortfall: float | None = SHORTFALL,
    timeout: float = 60.0,
    drain: float = 5.0,
    keep: Path | None = None,
) -> Load:
    """Put the load of ``plan`` on ``service`` and wait for its end.

    Raises HarnessError when the generator fell short of the plan (more than a share ``shortfall`` of the starts came
    later than ``late`` seconds, or never), when nothing was answered, or when the service or the generator died.
    ``shortfall`` None: the caller judges, as a search for a limit does, where a load that is too much is a finding.
    ``timeout`` and ``drain`` as in `harness.load.job.Job`. There are as many workers as ``--load-workers`` says,
    started here, or awaited where the environment variable HARNESS_LOAD_MASTER says. ``keep`` is a folder that keeps a
    line for every request (``records.jsonl``) and what locust printed (``load.log``).
    """
    load = run(
        service.url,
        plan,
        requests,
        workers=workers(),
        master=master(),
        late=late,
        timeout=timeout,
        drain=drain,
        alive=service.check_alive,
        keep=keep,
    )
    if shortfall is not None:
        load.summary.check(shortfall)
    return load


def workers() -> int:
    """What ``--load-workers`` asked for; 0: one process does it all."""
    return int(os.environ.get(LOAD_WORKERS, "0"))


def master() -> tuple[str, int] | None:
    """Where workers of other machines are awaited, by HARNESS_LOAD_MASTER=HOST:PORT; None: they are started here."""
    host, _, port = os.environ.get(LOAD_MASTER, "").rpartition(":")
    if host and port.isdecimal() and workers():
        return host, int(port)
    if LOAD_MASTER in os.environ:
        raise HarnessError(f"{LOAD_MASTER}: HOST:PORT is needed, and --load-workers", ExitCode.USAGE)
    return None


def run(
    url: str,
    plan: Plan,
    requests: Sequence[Request],
    *,
    workers: int = 0,
    master: tuple[str, int] | None = None,
    late: float = LATE,
    alive: Callable[[], None] = lambda: None,
    tell: Callable[[int], None] = lambda _: None,
    timeout: float = 60.0,
    drain: float = 5.0,
    in_flight: int = 1000,
    keep: Path | None = None,
) -> Load:
    """The same for any address, and without a judgement of the result.

    With ``master``, an address of this machine, that many ``workers`` are awaited there and none is started. ``alive``
    is asked all the time and raises to cut the load short; ``tell`` hears how many requests are recorded so far.
    """
    _check_installed()
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="harness-load-")))
        watchdog = cleanup.enter_context(Watchdog())
        watchdog.folder(str(folder))
        kept = keep or folder
        kept.mkdir(parents=True, exist_ok=True)
        file = str(kept / "records.jsonl")
        asked = Job(url, plan, tuple(requests), file, max(workers, 1), in_flight, timeout, drain)
        (folder / "job.json").write_text(to_json(asked), "utf-8")
        Path(asked.records).write_bytes(b"")
        processes = cleanup.enter_context(_running(asked, folder, kept / "load.log", watchdog, workers, master))
        records, ends = _watched(asked, processes, alive, tell)
    return Load(plan, tuple(records), tuple(ends), late)


def _watched(
    job: Job, processes: Sequence[ServiceProcess], alive: Callable[[], None], tell: Callable[[int], None]
) -> tuple[list[Record], list[WorkerEnd]]:
    """Wait until every worker has ended; what was recorded."""
    end = time.monotonic() + STARTED_WITHIN + job.plan.seconds + job.drain
    records: list[Record] = []
    ends: list[WorkerEnd] = []
    with Path(job.records).open(encoding="utf-8") as file:
        begun = ""
        while len(ends) < job.workers:
            alive()
            _check_alive(processes, file.name, job.workers)
            *lines, begun = (begun + file.read()).split("\n")
            new_records, new_ends = from_lines(lines)
            records.extend(new_records)
            ends.extend(new_ends)
            if new_records:
                tell(len(records))
            if time.monotonic() > end:
                said = processes[0].output.last_lines
                raise HarnessError(
                    f"load generator: {len(ends)} of {job.workers} workers ended in time; it said:{said}"
                )
            time.sleep(_LOOK_EVERY)
    return records, ends


def _check_alive(processes: Sequence[ServiceProcess], records: str, workers: int) -> None:
    """Raise HarnessError when a generator's process has ended before its last line was there."""
    for process in processes:
        try:
            process.check_alive()
        except HarnessError:
            if Path(records).read_text("utf-8").count('"complete"') < workers:
                raise


@contextmanager
def _running(
    job: Job, folder: Path, log: Path, watchdog: Watchdog, workers: int, master: tuple[str, int] | None
) -> Iterator[Sequence[ServiceProcess]]:
    processes: list[ServiceProcess] = []

    def start(name: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "locust", "-f", str(PROGRAM), "-L", "WARNING", *arguments]
        processes.append(
            ServiceProcess(name, command, folder=folder, settings=_settings(folder), log=log, watchdog=watchdog)
        )

    users = (
        "--headless",
        "-u",
        str(job.workers),
        "-r",
        str(job.workers),
        "--exit-code-on-error",
        "0",
        "--only-summary",
    )
    try:
        if not workers:
            start("load generator", *users)
        else:
            host, port = master or (HOST, _free_port())
            bound = ("--master-bind-host", host, "--master-bind-port", str(port), "--expect-workers", str(workers))
            start("load master", "--master", *bound, *users)
            for number in range(0 if master else workers):
                start(f"load worker {number}", "--worker", "--master-host", host, "--master-port", str(port))
        yield processes
    finally:
        for process in reversed(processes):
            process.stop(_STOP_WITHIN)


def _settings(folder: Path) -> Mapping[str, str]:
    """What locust's processes see: no settings of locust of the user's, and this harness."""
    package = str(Path(harness.__file__).parents[1])
    return {"HOME": str(folder), "PYTHONPATH": package, "HARNESS_LOAD_JOB": str(folder / "job.json")}


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _check_installed() -> None:
    """Without importing it."""
    with suppress(ImportError, ValueError):
        if importlib.util.find_spec("locust") is not None:
            return
    message = "load needs locust, which is not installed: pip install 'pytest-before-after[load]'"
    raise HarnessError(message, ExitCode.USAGE)
