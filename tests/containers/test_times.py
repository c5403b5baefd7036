"""Times of engine and kernel on the monotonic clock, held against a process that we started ourselves."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.containers import times
from harness.containers.times import monotonic, nanoseconds, process_start


@given(st.integers(0, 2**32), st.integers(0, 999_999_999))
def test_a_time_comes_back_to_the_nanosecond(second: int, nanosecond: int) -> None:
    text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert nanoseconds(f"{text}.{nanosecond:09}Z") == second * 10**9 + nanosecond


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T01:00:00.25+01:00", 250_000_000),
        ("0001-01-01T00:00:00Z", None),
        ("yesterday", None),
    ],
)
def test_forms_that_engines_write(text: str, expected: int | None) -> None:
    assert nanoseconds(text) == expected


def test_wall_time_and_monotonic_time_are_the_same_moment() -> None:
    before = time.monotonic()
    now = monotonic(time.time_ns())
    assert before - 1e-3 <= now <= time.monotonic() + 1e-3


def test_a_reading_that_was_interrupted_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([(0, 10**9, 5_000_000), *[(10**8, 10**9 + 10**8, 10**8 + 2)] * 4])
    monkeypatch.setattr(times, "_clocks", lambda: next(readings))
    assert monotonic(10**9 + 10**8) == pytest.approx(0.1, abs=1e-8)


def test_the_kernel_tells_when_a_process_was_made() -> None:
    tick = 1 / os.sysconf("SC_CLK_TCK")
    before = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        after = time.monotonic()
        start = process_start(child.pid)
        child.communicate()
    assert start is not None
    assert before - 2 * tick <= start <= after + tick
    assert process_start(2**30) is None
