"""The engine's and the kernel's times on our clock: seconds of CLOCK_MONOTONIC."""

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def monotonic(wall: int) -> float:
    """The wall-clock time ``wall``, in nanoseconds since 1970, as monotonic seconds.

    Exact as far as nobody has set the clock in between; both clocks tick at the same rate otherwise. Of five readings
    the fastest counts: in the others this process may have waited for a core.
    """
    before, now, after = min(_clocks(), _clocks(), _clocks(), _clocks(), _clocks(), key=lambda read: read[2] - read[0])
    return (wall - now + (before + after) / 2) / 1e9


def _clocks() -> tuple[int, int, int]:
    return time.monotonic_ns(), time.time_ns(), time.monotonic_ns()


def nanoseconds(text: str) -> int | None:
    """An engine's time (RFC 3339, to the nanosecond) in nanoseconds since 1970; None for what is none, or year 1."""
    found = _TIME.fullmatch(text)
    if found is None or text.startswith("0001-"):
        return None
    second = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00")).astimezone(UTC)
    return int(second.timestamp()) * 10**9 + int((found[2] or "0").ljust(9, "0"))


def process_start(pid: int) -> float | None:
    """When the kernel made process ``pid``, in monotonic seconds, to one tick (10 ms); None when it is not here.

    /proc counts since boot with the time that the machine slept (CLOCK_BOOTTIME), monotonic time leaves that out.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return since_boot - (time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic())
