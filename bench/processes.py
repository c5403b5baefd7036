"""Whole processes against each other: started in drawn order, round by round.

Times come from the kernel. Memory is counted over all processes that a command has alive at once: their proportional
set sizes (PSS: a page that n processes share counts 1/n in each), summed every few milliseconds, the largest sum of a
run. A peak shorter than that can be missed. Looking slows down what is looked at, so memory has runs of its own.
"""

import os
import random
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_EVERY = 0.003
"""Seconds between two looks at the memory."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process took."""

    seconds: float
    """From before its start until its end was seen."""
    cpu: float
    """Seconds of processor time, its children's included."""


def use(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Usage:
    """Run ``command`` to its end, its output thrown away. Raises CalledProcessError when it fails."""
    started = time.perf_counter()
    process = _start(command, folder, environment)
    used = _end(process, command, 0)
    assert used is not None
    return Usage(time.perf_counter() - started, used.ru_utime + used.ru_stime)


def peak_memory(command: Sequence[str], folder: Path) -> int:
    """Run ``command`` as ``use`` does; the most bytes that it and its descendants held at once."""
    process, most = _start(command, folder), 0
    while _end(process, command, os.WNOHANG) is None:
        most = max(most, sum(map(_proportional, _family(process.pid))))
        time.sleep(_EVERY)
    return most


def _start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    nothing = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=nothing, stderr=nothing)


def _end(process: "subprocess.Popen[bytes]", command: Sequence[str], options: int) -> resource.struct_rusage | None:
    """What a process took that has ended; None for one that has not."""
    pid, status, used = os.wait4(process.pid, options)
    if not pid:
        return None
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return used


def _family(pid: int) -> Iterator[int]:
    """A process and its descendants; orphans among them are not found."""
    yield pid
    try:
        children = [child for task in Path(f"/proc/{pid}/task").iterdir() for child in _words(task / "children")]
    except OSError:  # it has ended
        return
    for child in children:
        yield from _family(int(child))


def _proportional(pid: int) -> int:
    """The proportional set size of a process, in bytes; 0 once it has ended."""
    try:
        words = _words(Path(f"/proc/{pid}/smaps_rollup"))
    except OSError:
        return 0
    return 1024 * int(words[words.index("Pss:") + 1]) if "Pss:" in words else 0


def _words(file: Path) -> list[str]:
    return file.read_text(encoding="ascii").split()


def interleaved(
    commands: Mapping[str, Sequence[str]], folder: Path, rounds: int, measure: Callable[[Sequence[str], Path], T]
) -> dict[str, list[T]]:
    """``measure`` of every command once a round, in an order drawn for the round, after one that does not count."""
    measured: dict[str, list[T]] = {name: [] for name in commands}
    order = list(commands)
    for number in range(rounds + 1):
        random.shuffle(order)
        for name in order:
            result = measure(commands[name], folder)
            if number:
                measured[name].append(result)
    return measured


def spread(values: Sequence[float], form: str = ".1f") -> str:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:{form}} [{low:{form}}, {high:{form}}]"
