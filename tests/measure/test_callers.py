"""Calls that begin together or on a schedule, whatever becomes of the others."""

import threading
from itertools import pairwise
from pathlib import Path

import pytest

from harness.configuration.load import Project
from harness.measure.callers import Call, at_once, open_loop
from harness.measure.http import Client
from harness.measure.service import RunningService
from tests.measure.conftest import Stacks


@pytest.fixture
def backend(project: Project, stacks: Stacks) -> RunningService:
    stack = stacks.open(project)
    stack.restart()
    return stack.service("backend")


def test_calls_at_once_are_in_flight_together(backend: RunningService) -> None:
    together = threading.Barrier(6)

    def call(client: Client, index: int) -> int:
        together.wait(20)  # breaks unless all six are there
        return index * client.get("/work").status

    made = at_once(backend, 6, call)
    assert [one.result for one in made] == [0, 200, 400, 600, 800, 1000]
    assert len({one.intended for one in made}) == 1
    assert all(one.intended <= one.began <= one.ended and one.error is None for one in made)


def test_a_schedule_does_not_wait_for_answers(backend: RunningService) -> None:
    last = threading.Event()

    def call(client: Client, index: int) -> str:
        if index == 0:
            assert last.wait(20), "the first call kept the last one from beginning"
        if index == 9:
            last.set()
        return client.get("/ready").text

    made = open_loop(backend, rate=100, seconds=0.1, call=call)
    assert [one.result for one in made] == ["ready"] * 10
    steps = [later.intended - one.intended for one, later in pairwise(made)]
    assert steps == pytest.approx([0.01] * 9)
    assert made[0].latency >= made[9].began - made[0].intended


def test_what_a_call_raises_is_its_own(backend: RunningService, tmp_path: Path) -> None:
    def call(client: Client, index: int) -> None:
        if index == 1:
            raise ValueError(str(tmp_path))

    good, bad = at_once(backend, 2, call)
    assert (good.error, bad.result) == (None, None)
    assert isinstance(bad.error, ValueError)


def test_latency_counts_from_the_intended_start() -> None:
    call = Call(0, intended=10.0, began=10.5, ended=11.0, result=None)
    assert (call.latency, call.late) == (1.0, 0.5)


def test_callers_that_cannot_all_be_there_leave_nobody_waiting(
    backend: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        if len(started) == 3:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(RuntimeError, match="new thread"):
        at_once(backend, 5, lambda client, _: client.get("/ready"))
    assert len(started) == 3
    for thread in started:
        thread.join(20)
    assert not any(thread.is_alive() for thread in started)
