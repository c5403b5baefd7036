"""Two processes at once: the answers and errors of one, whatever becomes of the other; and nothing left of it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness import both as module
from harness.both import both, halves
from harness.errors import ExitCode, HarnessError


@pytest.fixture(autouse=True)
def _nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Threads of pytest-xdist must not decide what is tested. Every test ends without a child and without a pipe."""
    monkeypatch.setattr(module, "_possible", lambda: True)
    before, others = descriptors(), children()  # other tests' services are children of this process, too
    yield
    assert children() <= others  # which may end meanwhile
    assert descriptors() <= before


def children() -> set[int]:
    """Processes of ours, ended ones that nobody has asked for as well."""
    return {child.pid for child in psutil.Process().children()}


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def elsewhere(parent: int, there: Callable[[], object], here: object) -> object:
    """``there`` in the other process, ``here`` in this one."""
    return there() if os.getpid() != parent else here


def test_both_are_called_in_a_process_each() -> None:
    here, there = both(os.getpid, os.getpid)
    assert here == os.getpid() != there


def test_they_run_at_the_same_time() -> None:
    receiving, sending = os.pipe()  # each half would wait for ever for the other, were they called in turn
    answered, answering = os.pipe()

    def first() -> bytes:
        os.write(sending, b"1")
        return os.read(answered, 1)

    def second() -> bytes:
        os.write(answering, b"2")
        return os.read(receiving, 1)

    assert both(first, second) == (b"2", b"1")
    for descriptor in (receiving, sending, answered, answering):
        os.close(descriptor)


def test_large_results_arrive_whole() -> None:
    assert both(lambda: 0, lambda: [number / 7 for number in range(10**6)])[1] == [n / 7 for n in range(10**6)]


def test_an_error_of_the_second_is_raised_here_as_it_is() -> None:
    def broken() -> None:
        raise HarnessError("x.json: no", ExitCode.INTEGRITY)

    with pytest.raises(HarnessError, match=r"x\.json: no") as raised:
        both(lambda: 1, broken)
    assert raised.value.code is ExitCode.INTEGRITY


def test_an_error_of_the_first_ends_the_other() -> None:
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        both(lambda: (_ for _ in ()).throw(KeyboardInterrupt), lambda: time.sleep(60))
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    "end",
    [
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        lambda: os._exit(0),  # without an answer
        lambda: sys.exit(0),
        lambda: threading.Lock(),  # cannot be pickled
        lambda: [0] * 10**5 + [threading.Lock()],  # nor can this, once much of it has been sent
        lambda: (_ for _ in ()).throw(MemoryError),
    ],
    ids=["killed", "silent", "exit", "unpicklable", "torn", "memory"],
)
def test_whatever_becomes_of_the_other_process_the_answer_is_there(end: Callable[[], object]) -> None:
    parent = os.getpid()
    assert both(lambda: 1, lambda: elsewhere(parent, end, "here")) == (1, "here")


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_halves_are_a_map_in_order(count: int) -> None:
    assert halves(lambda number: number * 2, range(count)) == [number * 2 for number in range(count)]


def test_there_is_one_process_only_where_two_are_no_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert both(os.getpid, os.getpid) == (os.getpid(),) * 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert both(os.getpid, os.getpid)[1] != os.getpid()
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert both(os.getpid, os.getpid) == (os.getpid(),) * 2


PROGRAM = """
import atexit, os, sys, time
from harness import both
both._possible = lambda: True
atexit.register(print, "left")
mine = os.getpid()
print("waiting in the buffer", end=" ")
print(both.both(lambda: "first", lambda: {second}))
"""


def start(second: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", PROGRAM.format(second=second)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("second", ["'second'", "os.getpid() == mine or 1 / 0"])
def test_output_comes_once(second: str) -> None:
    with start(second) as process:
        out, err = process.communicate(timeout=60)
    assert out.startswith("waiting in the buffer ('first', ")
    assert out.count("waiting") == out.count("left") == 1
    assert err == ""


def test_a_killed_process_leaves_none_behind() -> None:
    with start("print(os.getpid(), file=sys.stderr, flush=True) or time.sleep(1) or bytes(10**7)") as process:
        assert process.stderr is not None
        other = int(process.stderr.readline())
        process.kill()
        process.wait()
    for _ in range(600):
        if gone(other):
            return
        time.sleep(0.05)
    pytest.fail(f"{other} is still there")


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"  # ended; whoever adopted it has not asked yet
