"""Files that are whole, old or new, whatever happens while they are written."""

import contextlib
import errno
import os
import re
from pathlib import Path

from harness.errors import ExitCode, HarnessError
from harness.files.strict_json import shown

_TEMPORARY = re.compile(r"\.harness-(\d+)-(\d+)-[0-9a-f]{16}\.tmp")


def not_saved(path: Path, error: OSError) -> HarnessError:
    """The error for a path that could not be written."""
    return HarnessError(f"cannot save {shown(path)}: {error.strerror or error}", ExitCode.NOT_SAVED)


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644, overwrite: bool = True) -> None:
    """Put ``data`` at ``path`` in one step, on the disk when this returns; ``mode`` holds whatever the umask is.

    Raises HarnessError (14) when it cannot be saved; then what was at ``path`` is untouched. Raises FileExistsError
    when ``overwrite`` is False and something is there already, even if it appeared just now.
    """
    temporary = temporary_beside(path)
    try:
        _write_synced(temporary, data, mode)
        if overwrite:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)
        sync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise not_saved(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # usually renamed away; otherwise the error above is the one to report
            temporary.unlink()


def _write_synced(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot, and need not
            raise
    finally:
        os.close(descriptor)


def temporary_beside(path: Path) -> Path:
    """A fresh name in the folder of ``path`` that says which process owns it."""
    pid = os.getpid()
    return path.with_name(f".harness-{pid}-{_start_time(pid)}-{os.urandom(8).hex()}.tmp")


def sweep_temporaries(folder: Path) -> tuple[Path, ...]:
    """Remove what killed processes left half-written in ``folder``, and return it. Files of living ones stay."""
    swept = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in sorted(folder.iterdir()):
            owner = _TEMPORARY.fullmatch(path.name)
            if owner and _start_time(int(owner[1])) != owner[2]:
                path.unlink(missing_ok=True)
                swept.append(path)
    return tuple(swept)


def _start_time(pid: int) -> str:
    """When a process started, in clock ticks since boot (proc(5), field 22 of stat); empty when there is none.

    A process id alone would not do: it is given away again.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    return stat.rpartition(b")")[2].split()[19].decode("ascii")
