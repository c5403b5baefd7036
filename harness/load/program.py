"""What locust runs: an open-loop user. ``python -m locust -f program.py --headless -u 1`` with HARNESS_LOAD_JOB set.

One user in each worker starts every request of its share of the schedule in a greenlet of its own when it is due,
whatever is still in flight; at most ``in_flight`` at once. Each one is told to the master (without workers: to itself),
which writes a line for it. The master gives each worker its number and one moment at which all begin. Workers of the
same machine share its monotonic clock; others begin when the message has come, as long ahead as the master says. Times
in records are relative to that moment on the worker's own clock, so no clock of another machine is ever compared.

Nobody imports this: locust patches the process that does.
"""

import contextlib
import gc
import importlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import gevent.pool
from locust import FastHttpUser, events, task
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from harness.load.job import NUMBER, Job, Request, from_json, mixed
from harness.load.plan import Start, planned, share
from harness.load.records import Record, WorkerEnd, to_line

AHEAD = 0.1
"""Seconds from giving out the work to its beginning, without workers."""
AHEAD_WORKERS = 1.0
"""The same with workers, whose users come one after the other."""
TOLD_EVERY = 0.2
"""Seconds between two messages about what happened."""
ERROR_LENGTH = 200
CLIENT = "geventhttpclient.client"
"""The HTTP client within locust's."""

log = logging.getLogger("harness.load")
_FOREVER = 1e6
_taken = gevent.event.Event()
_work: "gevent.event.AsyncResult[tuple[Job, int, float]]" = gevent.event.AsyncResult()


class Shares:
    """The master's side (and without workers the only one's): gives out the work, writes down what became of it."""

    def __init__(self, environment: Environment, job: Job) -> None:
        self._environment = environment
        self._job = job
        self._file = Path(job.records).open("a", encoding="utf-8")  # noqa: SIM115 - open as long as the process
        self._done = 0
        self._recorded = 0

    def give_out(self, **_: Any) -> None:
        """Tell every worker its number and when to begin."""
        with _fatal():
            self._give_out()

    def _give_out(self) -> None:
        runner = self._environment.runner
        assert runner is not None
        several = isinstance(runner, MasterRunner)
        ahead = AHEAD_WORKERS if several else AHEAD
        ids = [client.id for client in runner.clients.ready] if isinstance(runner, MasterRunner) else [None]
        about = {"job": Path(os.environ["HARNESS_LOAD_JOB"]).read_text("utf-8"), "boot": _boot(), "ahead": ahead}
        begin = time.monotonic() + ahead
        for number, client in enumerate(ids[: self._job.workers]):
            runner.send_message("harness-work", {**about, "worker": number, "begin": begin}, client)

    def told(self, environment: Environment, msg: Any, **_: Any) -> None:
        """Write down what a worker tells."""
        with _fatal():
            self._write(environment, msg)

    def _write(self, environment: Environment, msg: Any) -> None:
        lines: list[str] = msg.data["lines"]
        self._file.write("".join(f"{line}\n" for line in lines))
        self._file.flush()
        ends = sum('"complete":' in line for line in lines)  # quotes within texts are escaped
        self._recorded += len(lines) - ends
        self._done += ends
        if self._done >= self._job.workers:
            gevent.spawn_later(0, environment.runner.quit)  # type: ignore[union-attr]

    def progress(self) -> None:
        """A line now and then, for the log."""
        starts = planned(self._job.plan)
        while True:
            gevent.sleep(1.0)
            log.warning("progress: %d of %d starts recorded", self._recorded, starts)


def take_on(environment: Environment, msg: Any, **_: Any) -> None:
    """A worker's side: what it has to do has come."""
    with _fatal():
        job = from_json(msg.data["job"])
        OpenLoopUser.host = job.url
        OpenLoopUser.concurrency = job.in_flight
        OpenLoopUser.network_timeout = OpenLoopUser.connection_timeout = job.timeout
        _send_once()
        here = msg.data["boot"] == _boot()
        begin = msg.data["begin"] if here else time.monotonic() + msg.data["ahead"]
        _work.set((job, msg.data["worker"], begin))


def on_init(environment: Environment, runner: Any, **_: Any) -> None:
    """Say who listens to what, once locust knows whether this is a master, a worker or both."""
    if not isinstance(runner, MasterRunner):
        runner.register_message("harness-work", take_on)
    if not isinstance(runner, WorkerRunner):
        shares = Shares(environment, from_json(Path(os.environ["HARNESS_LOAD_JOB"]).read_text("utf-8")))
        runner.register_message("harness-told", shares.told)
        environment.events.test_start.add_listener(shares.give_out)  # type: ignore[no-untyped-call]
        gevent.spawn(shares.progress)


events.init.add_listener(on_init)  # type: ignore[no-untyped-call]


class OpenLoopUser(FastHttpUser):
    """Starts requests by the clock."""

    host = "http://set.by.the.job"
    max_retries = 0
    max_redirects = 0
    _job: Job
    _worker: int
    _begin: float

    @task
    def drive(self) -> None:
        """The whole share of this worker; once, whatever users locust moves here when another worker is gone."""
        if _taken.is_set():
            gevent.sleep(_FOREVER)
        _taken.set()
        with _fatal():
            self._drive()
        gevent.sleep(_FOREVER)  # until the master quits: locust would begin the task again

    def _drive(self) -> None:
        self._job, self._worker, self._begin = _work.get()
        self._lines: list[str] = []
        self._open: dict[int, tuple[Start, Request, float]] = {}
        telling = gevent.spawn(self._tell_now_and_then)
        _prefer()
        gc.freeze()  # what was imported is not looked through again and again
        cpu, complete = time.process_time(), False
        try:
            self._start_all()
            complete = True
        finally:  # also when locust is told to stop
            telling.kill()
            for start, request, began in list(self._open.values()):
                self._note(start, request, began, "unanswered")
            self._lines.append(to_line(WorkerEnd(self._worker, time.process_time() - cpu, complete)))
            self._tell()

    def _now(self) -> float:
        return time.monotonic() - self._begin

    def _start_all(self) -> None:
        pool = gevent.pool.Pool(self._job.in_flight)
        end = self._job.plan.seconds + self._job.drain
        for start, request in share(mixed(self._job), self._worker, self._job.workers):
            if (wait := start.at - self._now()) > 0:
                gevent.sleep(wait)
            if not pool.wait_available(max(0.0, end - self._now())):
                return  # a service that answers nothing: the rest was never started
            pool.spawn(self._exchange, start, request)
        pool.join(max(0.0, end - self._now()))

    def _exchange(self, start: Start, request: Request) -> None:
        began = self._now()
        self._open[start.number] = start, request, began
        number = str(start.number)
        body = None if request.json is None else _filled(request.json, number)
        answer = self.client.request(
            request.method,
            request.path.replace(NUMBER, number),
            name=request.name,
            json=body,
            headers={"Accept-Encoding": "identity", **request.headers},
        )
        content = answer.content or b""
        if answer.status_code != request.status:
            error = f"status {answer.status_code}" if answer.status_code else str(answer.error)  # type: ignore[attr-defined]
        else:
            error = "" if request.expects.encode() in content else "the answer does not contain what it should"
        self._note(start, request, began, "failed" if error else "answered", answer.status_code, len(content), error)

    def _note(
        self,
        start: Start,
        request: Request,
        began: float,
        outcome: Any,
        status: int = 0,
        size: int = 0,
        error: str = "",
    ) -> None:
        ended = self._now()
        if self._open.pop(start.number, None) is None:
            return  # it was unanswered when all was over, and has been told as that
        self._lines.append(
            to_line(
                Record(
                    start.number, request.name, start.segment, self._worker,
                    start.at, began, ended, outcome, status, size, error[:ERROR_LENGTH],
                )
            )
        )  # fmt: skip

    def _tell_now_and_then(self) -> None:
        while True:
            gevent.sleep(TOLD_EVERY)
            self._tell()

    def _tell(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            runner = self.environment.runner
            assert runner is not None
            runner.send_message("harness-told", {"lines": lines})


def _send_once() -> None:
    """Without this, a GET whose connection is closed before an answer is sent again, up to ``in_flight`` + 1 times: a
    failure is hidden as a slow answer, and the service gets a thousand requests for one start."""
    client = vars(importlib.import_module(CLIENT))
    if "IDEMPOTENT_METHODS" not in client:
        raise RuntimeError(f"{CLIENT}: this version cannot be kept from sending a request twice")
    client["IDEMPOTENT_METHODS"] = frozenset()


def _prefer() -> None:
    """Run before anything else that is ready, where that is allowed: who waits for what he loads is late, and sees
    answers late. A nice value would not do: Linux weighs sessions against each other first (sched_autogroup(7))."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


@contextlib.contextmanager
def _fatal() -> Iterator[None]:
    """End the process when something goes wrong: locust logs what a listener or a task raises, and goes on."""
    try:
        yield
    except Exception:
        log.exception("load generator failed")
        os._exit(3)


def _filled(value: Any, number: str) -> Any:
    """``value`` with the number of the start in its texts."""
    if isinstance(value, str):
        return value.replace(NUMBER, number)
    if isinstance(value, dict):
        return {key: _filled(inner, number) for key, inner in value.items()}
    return [_filled(inner, number) for inner in value] if isinstance(value, list) else value


def _boot() -> str:
    """Which start of which machine this is; its monotonic clock is the same for all processes."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return os.urandom(16).hex()
