"""The data folder: who owns it, and the engine's configuration in it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import ExitCode, HarnessError

LOCK = "lock.json"
CONFIGURATION = "config.xml"
STORE = "store"
SOURCE = f"{STORE}?config-file={CONFIGURATION}"
"""What the engine opens, relative to the data folder: an absolute path would need escaping in this syntax."""

_PATTERN = "?*{}"
_CONFIGURATION_TEXT = """<clickhouse>
  <query_log>
    <database>system</database>
    <table>query_log</table>
    <flush_interval_milliseconds>500</flush_interval_milliseconds>
  </query_log>
  <profiles><default><log_queries>1</log_queries></default></profiles>
</clickhouse>
"""


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Create ``folder`` if needed, own it, and write the engine's configuration; the lock ends with the process.

    Raises ``HarnessError`` when the folder cannot be written, another process owns it, or its name is a pattern.
    """
    if any(character in str(folder.resolve()) for character in _PATTERN):
        message = f"--data {str(folder)!r}: the engine takes a path with one of {_PATTERN} for a pattern: rename it"
        raise HarnessError(message, ExitCode.USAGE)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        _prepare(lock, folder)
        yield
    finally:
        os.close(lock)


def _prepare(lock: int, folder: Path) -> None:
    try:
        _own(lock, folder)
        (folder / CONFIGURATION).write_text(_CONFIGURATION_TEXT, encoding="utf-8")
    except OSError as error:
        raise _unwritable(folder, error) from error


def _own(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = _holder(os.pread(lock, 4096, 0))
        raise HarnessError(f"--data {str(folder)!r} is in use by {holder}: stop it or use another folder") from error
    os.ftruncate(lock, 0)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    os.pwrite(lock, json.dumps({"pid": os.getpid(), "since": since}).encode(), 0)


def _holder(record: bytes) -> str:
    try:
        match json.loads(record):
            case {"pid": int(pid), "since": str(since)}:
                return f"process {pid} since {datetime.fromisoformat(since).isoformat()}"
            case _:
                return "another process"
    except ValueError:  # the other process is just writing it, or it was damaged
        return "another process"


def _unwritable(folder: Path, error: OSError) -> HarnessError:
    return HarnessError(f"--data {str(folder)!r}: {error.strerror}: use a folder that can be written")
