"""Who has the embedded history open. The engine's own message for a second process says nothing of the kind."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import ExitCode, HarnessError
from harness.files.strict_json import shown

LOCK = "lock.json"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create ``folder`` if needed and own it; the lock ends with the process, however that ends.

    Raises HarnessError: 12 when another process owns it, with who and since when; 14 when it cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        _take(lock, folder)
        yield
    finally:
        os.close(lock)


def _take(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(os.pread(lock, 4096, 0), datetime.now(UTC))
        raise HarnessError(f"history is open in {holder}", ExitCode.ENVIRONMENT) from None
    record = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat()}
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, json.dumps(record).encode(), 0)
        os.fsync(lock)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _holder(record: bytes, now: datetime) -> str:
    """``pid 123 since 10:04 UTC``; the day where it is another one, the host where it is another one."""
    try:
        match json.loads(record):
            case {"pid": int(pid), "host": str(host), "since": str(since)}:
                start = datetime.fromisoformat(since).astimezone(UTC)
            case _:
                return "another process"
    except ValueError:  # the other process is just writing it, or it was damaged
        return "another process"
    place = "" if host == socket.gethostname() else f" on {shown(host)}"
    day = "" if start.date() == now.date() else f"{start:%Y-%m-%d} "
    return f"pid {pid}{place} since {day}{start:%H:%M} UTC"


def _unwritable(folder: Path, error: OSError) -> HarnessError:
    return HarnessError(f"history in {shown(folder)} cannot be written: {error.strerror}", ExitCode.NOT_SAVED)
