"""Whether the machine let a round run: it may have slept, or given the processors to somebody else."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SLEPT = 1.0
"""Seconds by which the clock that counts sleep may run ahead of the one that does not."""
TAKEN_SHARE = 0.10
"""Share of a round's processor time that a hypervisor (steal) or a quota (throttling) may take away. A healthy virtual
machine loses far below 1 %; from a tenth on, which variant is hit is a matter of luck."""
TAKEN_LEAST = 0.1
"""Seconds; less than that is the grain of the counters, not a disturbance."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The machine's counters at one moment, in seconds; None where the kernel does not tell."""

    monotonic: float
    boottime: float
    """Like ``monotonic``, but counts the time asleep as well."""
    cores: int
    """Of the whole machine."""
    allowed: float
    """So many of them our processes may use at once: by their affinity, and by the tightest quota."""
    steal: float | None = None
    """Processor time that the hypervisor gave to others, all cores together."""
    throttled: float | None = None
    """Time in which a quota kept our processes from running, all of the cores on which they were together."""


def disturbance(before: Snapshot, after: Snapshot) -> str:
    """What the machine did to the time between two snapshots, in a few words; empty when it is to be trusted. Pure."""
    elapsed = after.monotonic - before.monotonic
    asleep = (after.boottime - before.boottime) - elapsed
    if asleep > SLEPT:
        return f"the machine slept {asleep:.0f} s"
    # A hypervisor takes from all cores of the machine; a quota of two processors leaves two, on a host of 64 as well.
    for what, old, new, processors in (
        ("the hypervisor took", before.steal, after.steal, after.cores),
        ("a processor quota took", before.throttled, after.throttled, max(before.allowed, after.allowed)),
    ):
        taken = 0.0 if old is None or new is None else new - old
        share = taken / (elapsed * processors) if elapsed > 0 else 0.0
        if taken >= TAKEN_LEAST and share > TAKEN_SHARE:
            return f"{what} {min(share, 1.0):.0%} of the processor time"
    return ""


def snapshot() -> Snapshot:
    """The counters of this machine now."""
    monotonic = time.monotonic()
    boottime = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else monotonic
    cores, groups = os.cpu_count() or 1, tuple(_groups())
    return Snapshot(monotonic, boottime, cores, _allowed(_affinity(cores), groups), _steal(), _throttled(groups))


def _affinity(cores: int) -> int:
    """On how many cores we may run, sched_getaffinity(2)."""
    return min(len(os.sched_getaffinity(0)), cores) if hasattr(os, "sched_getaffinity") else cores


def _steal() -> float | None:
    """The eighth counter of the line ``cpu`` of /proc/stat (proc_stat(5)), in clock ticks."""
    with suppress(OSError, ValueError, IndexError), Path("/proc/stat").open(encoding="ascii") as file:
        return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")
    return None


def _allowed(cores: int, groups: Sequence[Path]) -> float:
    """How many processors the tightest quota of our control group and those above it leaves of ``cores``."""
    return min([float(cores), *(quota for folder in groups if (quota := _quota(folder)) is not None)])


def _quota(group: Path) -> float | None:
    """Processors: version 2 has ``cpu.max``, quota and period in one; version 1 a file for each (kernel: cgroup-v2,
    sched-bwc). Without a quota they say ``max`` and -1."""
    with suppress(OSError, ValueError, ZeroDivisionError):
        if (both := group / "cpu.max").exists():
            quota, period = both.read_text("ascii").split()
        else:
            quota, period = ((group / f"cpu.cfs_{what}_us").read_text("ascii") for what in ("quota", "period"))
        return float(quota) / float(period) if quota != "max" and float(quota) > 0 else None
    return None


def _throttled(groups: Sequence[Path]) -> float | None:
    """The most that our control group or one above it was held back.

    Version 2 counts ``throttled_usec``, version 1 ``throttled_time`` in nanoseconds (cgroups(7)).
    """
    found = [seconds for folder in groups if (seconds := _held_back(folder / "cpu.stat")) is not None]
    return max(found, default=None)


def _groups(own: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> Iterator[Path]:
    """The folders of our group for processor time, and of all groups above it."""
    with suppress(OSError):
        for line in own.read_text("utf-8", "replace").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            root = mount / controllers
            group = root / path.lstrip("/")
            yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(root))


def _held_back(file: Path) -> float | None:
    with suppress(OSError, ValueError):
        counters = dict(line.split() for line in file.read_text("ascii").splitlines())
        if "throttled_usec" in counters:
            return int(counters["throttled_usec"]) / 1e6
        return int(counters["throttled_time"]) / 1e9 if "throttled_time" in counters else None
    return None
