"""One service as a local process: start it, read its marks, ask the kernel what it used, stop it."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.measure.signals import uninterrupted
from harness.measure.watchdog import Watchdog
from harness.output import Output


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
        heard: Callable[[str, bool], None] = lambda _line, _stopping: None,
    ) -> None:
        """Start ``command``; raises HarnessError when it cannot be started. ``created`` and ``started`` are monotonic
        times in seconds, just before and after the start."""
        self.name = name
        self._watchdog = watchdog
        self.output = Output(log, heard)
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
        self._reader = threading.Thread(target=self._read, name=f"log of {name}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Keep reading whatever happens to the log: a service whose output nobody reads would stop."""
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self.output.feed(line)
        self.output.end()

    @property
    def moments(self) -> Mapping[str, float]:
        """``started``: the monotonic time in seconds just after the start."""
        return {"started": self.started}

    def check_alive(self) -> None:
        """Raise a HarnessError that names the cause and the last log lines if the process has ended."""
        code = self._popen.poll()
        if code is None:
            return
        self._reader.join(1.0)
        cause = f"exited with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        after = time.monotonic() - self.created
        raise HarnessError(f"{self.name} {cause} after {after:.1f} s; its last lines:{self.output.last_lines}")

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
            self.output.stopping = True
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
