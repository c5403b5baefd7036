"""What marks a container, network or volume as ours: the session it serves, and the process that answers for it.

An owner is named so that it can be told from another process with the same number: by the boot of the machine, the
process id, the time at which that process started, and the namespace in which the number counts - a harness inside a
container has numbers of its own.
"""

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness.errors import HarnessError

SESSION = "before-after.session"
"""Label: the random token of one measuring session."""
OWNER = "before-after.owner"
"""Label: the harness process, as `Owner` prints it."""
IMAGES = "before-after.session"
"""Repositories of images that live as long as a session: their tag says whose they are. A label would be part of the
image: then the same files would give another one in every session."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_OWNER = re.compile(r"([0-9a-f-]{8,40})/([1-9][0-9]{0,9})/([0-9]{1,20})/([0-9]{1,20})")
_SESSION = re.compile(r"[0-9a-f]{16,64}")
_ENDED = frozenset({"Z", "X", "x"})
"""States of a process that has ended, though nobody may have asked for its exit code yet."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that answers for what it started. ``start`` is in clock ticks since the boot."""

    boot: str
    pid: int
    start: int
    namespace: int

    @classmethod
    def here(cls) -> Self:
        """This process. Raises HarnessError where the kernel does not tell (not Linux, no /proc)."""
        stat, boot, namespace = _stat(os.getpid()), _boot(), _namespace()
        if stat is None or boot is None or namespace is None:
            raise HarnessError("services in containers need Linux's /proc: it tells whose a container is")
        return cls(boot, os.getpid(), stat[1], namespace)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The owner that a label names; None when ``text`` is nothing that we write."""
        match = _OWNER.fullmatch(text)
        return None if match is None else cls(match[1], int(match[2]), int(match[3]), int(match[4]))

    def alive(self, *, local: bool = True) -> bool:
        """Whether the process may still run: False only when it is certain that it does not.

        ``local``: the engine serves this machine alone. With a remote one, another boot may be another machine.
        """
        here = _boot()
        if here is None:
            return True
        if here != self.boot:
            return not local
        if _namespace() != self.namespace:
            return True
        stat = _stat(self.pid)
        if stat is None:
            return _exists(self.pid)
        return stat[0] not in _ENDED and stat[1] == self.start

    def __str__(self) -> str:
        return f"{self.boot}/{self.pid}/{self.start}/{self.namespace}"


def labels(session: str) -> dict[str, str]:
    """The labels of everything that this process starts for ``session``. Raises HarnessError without Linux's /proc."""
    if not is_session(session):
        raise ValueError(f"a session's token is 16 to 64 hexadecimal digits, not {session!r}")
    return {SESSION: session, OWNER: str(Owner.here())}


def image_tag(name: str, session: str) -> str:
    """The tag of an image that this process builds for ``session`` alone. Raises HarnessError without Linux's /proc."""
    return f"{IMAGES}/{name}:{session}_{str(Owner.here()).replace('/', '_')}"


def of_tag(tag: str) -> tuple[str, Owner | None]:
    """The session and the owner of an image by its tag, without the repository; empty and None for what is no such."""
    session, _, owner = tag.partition("_")
    return (session, Owner.parse(owner.replace("_", "/"))) if is_session(session) else ("", None)


def is_session(text: str) -> bool:
    """Whether ``text`` can be a session's token."""
    return _SESSION.fullmatch(text) is not None


def _boot() -> str | None:
    try:
        return _BOOT.read_text("ascii").strip()
    except (OSError, UnicodeError):
        return None


def _namespace() -> int | None:
    """The number of our process namespace."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/self/ns/pid").readlink().name.removeprefix("pid:[").removesuffix("]"))
    return None


def _exists(pid: int) -> bool:
    """Whether there is such a process; /proc may hide those of other users (hidepid)."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _stat(pid: int) -> tuple[str, int] | None:
    """State and start time (ticks since the boot) of a process; None when none of that number can be seen."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = text.rpartition(b")")[2].split()  # the name before it may hold anything, spaces and parentheses too
    return fields[0].decode("ascii"), int(fields[19])
