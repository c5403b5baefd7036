"""One service as a local process: start it, read its marks, ask the kernel what it used, stop it."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import marks
from harness.errors import HarnessError
from harness.measure.signals import uninterrupted
from harness.measure.watchdog import Watchdog

MAX_LOG = 16 * 2**20
"""Bytes kept of one service's log."""
_TAIL_LINES = 20


class ServiceProcess:
    """A running process in a process group of its own."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        settings: Mapping[str, str],
        log: Path,
        watchdog: Watchdog,
    ) -> None:
        """Start ``command``; raises HarnessError when it cannot be started. ``created`` and ``started`` are monotonic
        times in seconds, just before and after the start."""
        self.name = name
        self._watchdog = watchdog
        self._marks: dict[str, int] = {}
        self._changed = threading.Condition()
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self.created = time.monotonic()
        try:
            with uninterrupted():  # a process that the watchdog does not know would stay behind
                self._popen = subprocess.Popen(
                    list(command),
                    cwd=folder,
                    env=_environment(settings) | dict(watchdog.mark),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                self.started = time.monotonic()
                watchdog.started(self._popen.pid)
        except OSError as error:
            raise HarnessError(f"{name}: cannot start {command[0]!r} in {folder}: {error.strerror}") from None
        self.pid = self._popen.pid
        self._reader = threading.Thread(target=self._read, args=(log,), name=f"log of {name}", daemon=True)
        self._reader.start()

    def _read(self, log: Path) -> None:
        """Keep reading whatever happens to the log: a service whose output nobody reads would stop."""
        assert self._popen.stdout is not None
        room = MAX_LOG
        for line in self._popen.stdout:
            if room > 0:
                room -= len(line)
                with contextlib.suppress(OSError), log.open("ab", buffering=0) as file:
                    file.write(line)
            self._notice(line.decode("utf-8", "backslashreplace").rstrip())
        with self._changed:
            self._changed.notify_all()

    def _notice(self, line: str) -> None:
        mark = marks.parse(line)
        with self._changed:
            if mark is None:
                self._tail.append(line)
            else:
                self._marks.setdefault(*mark)
                self._changed.notify_all()

    def marks(self) -> dict[str, float]:
        """The marks seen so far: name -> monotonic time in seconds."""
        with self._changed:
            return {name: at / 1e9 for name, at in self._marks.items()}

    def wait_for_mark(self, name: str, within: float) -> bool:
        """Wait for a mark for up to ``within`` seconds; False when it did not come or the process ended."""
        with self._changed:
            self._changed.wait_for(lambda: name in self._marks or not self._reader.is_alive(), within)
            return name in self._marks

    def check_alive(self) -> None:
        """Raise a HarnessError that names the cause and the last log lines if the process has ended."""
        code = self._popen.poll()
        if code is None:
            return
        self._reader.join(1.0)
        cause = f"exited with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        after = time.monotonic() - self.created
        with self._changed:
            lines = "".join(f"\n    {line:.300}" for line in self._tail)
        raise HarnessError(f"{self.name} {cause} after {after:.1f} s; its last lines:{lines or ' none'}")

    def cpu_seconds(self) -> float | None:
        """Processor time of the process and its living descendants so far, in seconds; None where the kernel does
        not tell.

        Reads the processes' CPU clocks (clock_getcpuclockid(3)), which count nanoseconds and keep ended threads.
        """
        try:
            return sum(time.clock_gettime(_process_clock(pid)) for pid in _family(self.pid))
        except OSError:
            return None

    def peak_memory(self) -> float | None:
        """Largest resident sets so far of the process and its living descendants, added up, in bytes; None where /proc
        does not tell."""
        try:
            return sum(map(_high_water, _family(self.pid)))
        except OSError:
            return None

    def stop(self, within: float) -> None:
        """Ask for an orderly stop, kill the whole group after ``within`` seconds."""
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(within)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        self._watchdog.gone(self.pid)
        self._reader.join(2.0)
        assert self._popen.stdout is not None
        if not self._reader.is_alive():
            self._popen.stdout.close()


def _family(pid: int) -> list[int]:
    """``pid`` and its living descendants, where the kernel lists children (CONFIG_PROC_CHILDREN)."""
    family = [pid]
    for parent in family:
        for listed in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                family += map(int, listed.read_text("ascii").split())
    return family


def _high_water(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) * 1024
    return 0.0


def _process_clock(pid: int) -> int:
    """The id of a process's CPU clock, as Linux's MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) makes it."""
    return (~pid << 3) | 2


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """What a service sees: its settings and what any program needs, nothing else of the caller's environment."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
    return {name: os.environ[name] for name in kept if name in os.environ} | dict(settings)
