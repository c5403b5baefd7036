"""Whole processes against each other: started in drawn order, round by round; time and peak memory from the kernel."""

import os
import random
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process took."""

    seconds: float
    """From before its start until its end was seen."""
    cpu: float
    """Seconds of processor time, its children's included."""
    peak: int
    """Bytes of memory at most. Linux counts what the parent held at the fork as well: keep the bench itself small."""


def use(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Usage:
    """Run ``command`` to its end, its output thrown away. Raises CalledProcessError when it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Usage(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def interleaved(commands: Mapping[str, Sequence[str]], folder: Path, rounds: int) -> dict[str, list[Usage]]:
    """Every command once a round, in an order drawn for the round, after one round that does not count."""
    usages: dict[str, list[Usage]] = {name: [] for name in commands}
    order = list(commands)
    for number in range(rounds + 1):
        random.shuffle(order)
        for name in order:
            usage = use(commands[name], folder)
            if number:
                usages[name].append(usage)
    return usages


def spread(values: Sequence[float], form: str = ".1f") -> str:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:{form}} [{low:{form}}, {high:{form}}]"
