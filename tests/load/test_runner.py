"""The generator: real processes of locust against a real service."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from harness.errors import HarnessError
from harness.load.job import Job, Request, mixed
from harness.load.plan import Plan, constant, planned, spike
from harness.load.records import from_lines
from harness.load.runner import PROGRAM, STARTED_WITHIN, Load, drive, master, run, workers
from tests.load.conftest import Serve
from tests.reference.backend_process import free_port, until

ROOT = Path(__file__).parents[2]
WORK = Request("work", "/work", expects="done")
LIVE = Request("live", "/live", expects="live")
EARLY = 0.002
"""Seconds by which a timer may wake before its time."""


def generators(folder: Path) -> list[psutil.Process]:
    """Running processes of the generator whose own folder is in ``folder``."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            if "harness/load/program.py" in command and str(folder) in " ".join(process.environ().values()):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


@pytest.fixture(autouse=True)
def own_generators(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], list[psutil.Process]]:
    """The generators of this test alone: their folder is in a temporary folder of its own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return partial(generators, tmp_path)


def expected(plan: Plan, *requests: Request) -> list[tuple[int, str, str, float]]:
    return [(s.number, r.name, s.segment, s.at) for s, r in mixed(Job("", plan, requests, ""))]


def recorded(load: Load) -> list[tuple[int, str, str, float]]:
    return sorted((one.number, one.name, one.segment, one.intended) for one in load.records)


def test_every_planned_start_is_made_checked_and_recorded(serve: Serve, tmp_path: Path) -> None:
    plan = Plan(spike(40, 200, before=0.3, seconds=0.2, after=0.3), "poisson", seed=5)
    told: list[int] = []
    load = run(serve(work=0.005).url, plan, [WORK, LIVE], tell=told.append, keep=tmp_path / "kept")
    kept = (tmp_path / "kept" / "records.jsonl").read_text("utf-8").splitlines()
    assert from_lines(kept) == (list(load.records), list(load.workers))
    assert recorded(load) == expected(plan, WORK, LIVE)
    assert {one.outcome for one in load.records} == {"answered"}, load.summary.failures
    assert {one.status for one in load.records} == {200}
    assert all(one.intended - EARLY <= one.began <= one.ended for one in load.records)
    assert min(one.latency for one in load.records if one.name == "work") >= 0.005 - EARLY
    assert told[-1] == planned(plan)
    assert load.generator_cpu > 0
    assert load.segment("spike").planned == planned(plan, "spike")


def test_starts_do_not_wait_for_answers(serve: Serve) -> None:
    load = run(serve(work=0.5).url, Plan(constant(20, 0.5)), [WORK])
    assert len(load.summary.answered) == 10
    ordered = sorted(load.records, key=lambda one: one.number)
    assert any(later.began < earlier.ended for earlier, later in itertools.pairwise(ordered))
    assert load.summary.quantile(0.0).seconds >= 0.5 - EARLY


def test_wrong_answers_are_failures_and_no_latency(serve: Serve) -> None:
    wrong = Request("wrong", "/work", expects="something else")
    lost = Request("lost", "/nowhere")
    plan = Plan(constant(60, 0.5))
    summary = run(serve().url, plan, [WORK, wrong, lost]).summary
    asked = [name for _, name, _, _ in expected(plan, WORK, wrong, lost)]
    assert summary.failures == {
        "the answer does not contain what it should": asked.count("wrong"), "status 404": asked.count("lost"),
    }  # fmt: skip
    assert len(summary.answered) == asked.count("work")


def test_what_is_in_flight_at_the_end_is_recorded_with_its_age(serve: Serve) -> None:
    load = run(serve(work=30).url, Plan(constant(10, 0.5)), [WORK], drain=0.3)
    assert [one.outcome for one in load.records] == ["unanswered"] * 5
    assert load.summary.unanswered[0] >= 0.3 + 0.1 - EARLY  # the last start is 0.1 s before the plan's end
    with pytest.raises(HarnessError, match="no request of 5 got a good answer"):
        load.summary.check(1.0)


def test_a_generator_that_cannot_keep_up_makes_the_result_invalid(serve: Serve) -> None:
    # one at a time, each 0.1 s: of 20 starts within half a second most come late
    load = run(serve(work=0.1).url, Plan(constant(40, 0.5)), [WORK], in_flight=1)
    assert load.summary.worst_lag > 1.0
    with pytest.raises(HarnessError, match="invalid: the load generator fell short"):
        load.summary.check()


def test_a_service_that_is_stuck_ends_with_the_plan_and_is_told_as_such(serve: Serve) -> None:
    began = time.monotonic()
    load = run(serve(work=60).url, Plan(constant(40, 0.5)), [WORK], in_flight=5, drain=0.5)
    assert time.monotonic() - began < STARTED_WITHIN
    assert [one.outcome for one in load.records] == ["unanswered"] * 5
    with pytest.raises(HarnessError, match=r"15 of 20 starts .* 5 were unanswered"):
        load.summary.check()


def test_a_request_is_sent_once_when_the_service_hangs_up() -> None:
    asked: list[bytes] = []

    def hang_up(server: socket.socket) -> None:
        with suppress(OSError):  # the server is closed at the end
            while True:
                connection, _ = server.accept()
                asked.append(connection.recv(4096))
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=hang_up, args=(server,), daemon=True).start()
        load = run(f"http://127.0.0.1:{server.getsockname()[1]}", Plan(constant(10, 0.4)), [LIVE])
        server.shutdown(socket.SHUT_RDWR)
    assert [one.outcome for one in load.records] == ["failed"] * 4
    assert len(asked) == 4, asked[:5]


def test_a_search_for_a_limit_is_not_ended_by_a_load_that_was_too_much(serve: Serve) -> None:
    lost = drive(serve(), Plan(constant(10, 0.4)), [Request("lost", "/nowhere")], late=-1.0, shortfall=None)
    assert lost.summary.failures == {"status 404": 4}
    assert not lost.summary.keeps(0.95, 60.0)


def test_a_scenario_hears_of_an_invalid_load(serve: Serve) -> None:
    with pytest.raises(HarnessError, match=r"invalid: .* 10 of 10 starts"):
        drive(serve(), Plan(constant(20, 0.5)), [LIVE], late=-1.0)


def test_two_workers_share_the_starts_and_begin_together(serve: Serve) -> None:
    plan = Plan(constant(60, 1.0), "poisson", seed=2)
    load = run(serve().url, plan, [WORK, LIVE], workers=2)
    assert recorded(load) == expected(plan, WORK, LIVE)
    assert {one.number % 2 == one.worker for one in load.records} == {True}
    assert {end.worker for end in load.workers} == {0, 1}
    assert all(end.complete for end in load.workers)
    assert all(one.began >= one.intended - EARLY for one in load.records)


def test_workers_may_be_started_elsewhere(serve: Serve) -> None:
    port = free_port()
    command = [sys.executable, "-m", "locust", "-f", PROGRAM, "--worker", "--master-host", "127.0.0.1"]
    with ExitStack() as cleanup:
        for _ in range(2):
            worker = subprocess.Popen([*command, "--master-port", str(port)], cwd=ROOT, stderr=subprocess.DEVNULL)
            cleanup.callback(worker.wait)
            cleanup.callback(worker.kill)
        plan = Plan(constant(40, 0.5))
        load = run(serve().url, plan, [LIVE], workers=2, master=("127.0.0.1", port))
    assert recorded(load) == expected(plan, LIVE)


@pytest.mark.parametrize(
    ("address", "number", "expected"),
    [(None, "2", None), ("10.0.0.5:5557", "2", ("10.0.0.5", 5557)), ("10.0.0.5:5557", "0", "--load-workers"),
     ("10.0.0.5", "2", "HOST:PORT"), ("10.0.0.5:x", "2", "HOST:PORT")],
)  # fmt: skip
def test_where_workers_of_other_machines_are_awaited(
    address: str | None, number: str, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_LOAD_WORKERS", number)
    if address is not None:
        monkeypatch.setenv("HARNESS_LOAD_MASTER", address)
    if isinstance(expected, str):
        with pytest.raises(HarnessError, match=expected):
            master()
    else:
        assert (master(), workers()) == (expected, int(number))


def test_a_worker_that_dies_is_named(serve: Serve, own_generators: Callable[[], list[psutil.Process]]) -> None:
    def kill(_: int) -> None:
        next(process for process in own_generators() if "--worker" in process.cmdline()).kill()

    with pytest.raises(HarnessError, match=r"load worker \d was ended by SIGKILL"):
        run(serve().url, Plan(constant(20, 60)), [LIVE], workers=2, tell=kill)
    assert own_generators() == []


def test_a_killed_generator_is_named_and_leaves_nothing(
    serve: Serve, own_generators: Callable[[], list[psutil.Process]], tmp_path: Path
) -> None:
    def kill(_: int) -> None:
        for process in own_generators():
            process.kill()

    with pytest.raises(HarnessError, match="load generator was ended by SIGKILL"):
        run(serve().url, Plan(constant(20, 60)), [LIVE], tell=kill)
    assert own_generators() == []
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_dies_ends_the_load(serve: Serve, own_generators: Callable[[], list[psutil.Process]]) -> None:
    seen = threading.Event()

    def alive() -> None:
        if seen.is_set():
            raise HarnessError("backend exited with code 7")

    with pytest.raises(HarnessError, match="exited with code 7"):
        run(serve().url, Plan(constant(20, 60)), [LIVE], alive=alive, tell=lambda _: seen.set())
    assert own_generators() == []


def test_whoever_is_killed_leaves_no_generator(
    serve: Serve, own_generators: Callable[[], list[psutil.Process]], tmp_path: Path
) -> None:
    program = (
        "from harness.load.runner import run; from harness.load.plan import *; from harness.load.job import Request\n"
        f"run({serve().url!r}, Plan(constant(20, 60)), [Request('live', '/live')], "
        "tell=lambda _: print('on', flush=True))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT, env=dict(os.environ)
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"on\n"
        assert own_generators()
        running.send_signal(signal.SIGKILL)
    until(lambda: not own_generators())
    until(lambda: list(tmp_path.iterdir()) == [])
