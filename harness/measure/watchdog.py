"""Outlives the harness: a child process that kills what is left when the harness dies, however it dies.

The harness holds the writing end of the child's standard input and tells it, a line each, which process groups
(``+123`` started, ``-123`` gone) and which temporary folder (``folder PATH``) are its own, and what has to be run at
the end (``at end ["program", "argument"]``). When the pipe ends, the child kills the groups that are left, runs those
commands - what is not a process of this machine, such as a container, is removed by them - and removes the folders. It
is in a session of its own, so that no signal meant for the harness reaches it.

A harness that is killed between starting a service and telling of it leaves that to the mark: each service has the
watchdog's mark in its environment, and what still carries it at the end (Linux: ``/proc/PID/environ``) is killed too.
A service that is forked but not yet executed cannot be missed: until then it holds the writing end of the pipe itself.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

COMMAND_SECONDS = 60.0
"""The longest that one command may take at the end."""
_OWN_WORK_SECONDS = 30.0


class Watchdog:
    """The harness's end of the pipe."""

    def __init__(self) -> None:
        self.mark: Mapping[str, str] = {"HARNESS_WATCHDOG": os.urandom(16).hex()}
        """What each process that is ours must have in its environment."""
        self._commands = 0
        (mark,) = (f"{name}={token}" for name, token in self.mark.items())
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, mark], stdin=subprocess.PIPE, start_new_session=True, text=True
        )

    def started(self, group: int) -> None:
        """A process group is ours from now on."""
        self._tell(f"+{group}")

    def gone(self, group: int) -> None:
        """A process group has ended."""
        self._tell(f"-{group}")

    def folder(self, path: str) -> None:
        """A temporary folder is ours: it is removed at the end."""
        self._tell(f"folder {path}")

    def at_end(self, argv: Sequence[str]) -> None:
        """Run ``argv`` at the end, in order or not, once our processes are dead and before the folders go.

        It gets the environment and the working folder of the harness, no input, and at most COMMAND_SECONDS; what it
        writes to standard output is dropped.
        """
        self._commands += 1
        self._tell(f"at end {json.dumps(list(argv))}")

    def _tell(self, line: str) -> None:
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(line + "\n")
            self._child.stdin.flush()

    def close(self) -> None:
        """Let the watchdog do its last work and wait for it."""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.close()
        self._child.wait(timeout=_OWN_WORK_SECONDS + self._commands * COMMAND_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


def _watch(lines: Iterable[str], mark: str) -> None:
    groups: dict[int, None] = {}
    commands: list[str] = []
    folders: list[str] = []
    for line in lines:
        text = line.rstrip("\n")
        if text.startswith("folder "):
            folders.append(text.removeprefix("folder "))
        elif text.startswith("at end "):
            commands.append(text.removeprefix("at end "))
        elif text.startswith("+"):
            groups[int(text[1:])] = None
        elif text.startswith("-"):
            groups.pop(int(text[1:]), None)
    _kill(groups, mark)
    for command in commands:
        _run(command)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _kill(groups: Iterable[int], mark: str) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    for pid in _marked(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _run(command: str) -> None:
    """Run a command, given as a JSON list, whatever comes of it; it and its children are killed when it takes long."""
    try:
        child = subprocess.Popen(
            json.loads(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
    ):  # no such program, or a line that the harness could not finish
        return
    try:
        child.wait(COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _marked(mark: str) -> list[int]:
    """Processes with ``mark`` in their environment."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # another user's, or it has just ended
            if mark.encode() in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
    return found


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _watch(sys.stdin, sys.argv[1])
