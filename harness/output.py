"""What a service prints while it runs: its marks, its last lines for messages, the rest in a log of bounded size."""

import contextlib
import re
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from harness import marks
from harness.masking import redact

MAX_LOG = 16 * 2**20
"""Bytes kept of one service's log, over all its starts."""
_TAIL_LINES = 20
_MAX_LINE = 2**20
"""A longer line is cut in two."""
_SHOWN = 300
"""Characters that are shown of a line."""
_COMMAND = re.compile(r"^(?=\s*::)|(?<=#)(?=#\w*\[)")
"""Where CI systems would take a line for an order to them: ``::error``, ``##[error]``, ``##vso[task]``."""


def quoted(line: str) -> str:
    """A line that somebody else has printed, for messages: cut, without credentials, nothing in it takes effect."""
    line = redact(line[: 2 * _SHOWN].rstrip().expandtabs(4))
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    return _COMMAND.sub(lambda _: "\\", line)[:_SHOWN]


class Output:
    """Fed by one thread, asked by others."""

    def __init__(self, log: Path, heard: Callable[[str, bool], None] = lambda _line, _stopping: None) -> None:
        """``log`` is appended to, as far as it can be written; what cannot be written is left out. ``heard`` is told
        every line that is no mark, and whether the service was being stopped."""
        self._log = log
        self._heard = heard
        self.stopping = False
        """Set by whoever asks the service to stop, just before."""
        self._room = MAX_LOG
        with contextlib.suppress(OSError):
            self._room -= log.stat().st_size
        self._begun = b""
        self._marks: dict[str, int] = {}
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._changed = threading.Condition()
        self._ended = False

    def feed(self, chunk: bytes) -> None:
        """Take in what was read, which may be part of a line or several."""
        if self._room > 0:
            kept = chunk[: self._room]
            self._room -= len(kept)
            with contextlib.suppress(OSError), self._log.open("ab", buffering=0) as file:
                file.write(kept)
        *lines, self._begun = (self._begun + chunk).split(b"\n")
        if len(self._begun) > _MAX_LINE:
            lines, self._begun = [*lines, self._begun], b""
        for line in lines:
            self._notice(line)

    def end(self) -> None:
        """Nothing more will come."""
        if self._begun:
            self._notice(self._begun)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _notice(self, raw: bytes) -> None:
        line = raw.decode("utf-8", "backslashreplace").rstrip()
        mark = marks.parse(line)
        with self._changed:
            if mark is None:
                self._tail.append(line[: 2 * _SHOWN])
            else:
                self._marks.setdefault(*mark)
                self._changed.notify_all()
        if mark is None:
            self._heard(line, self.stopping)

    @property
    def marks(self) -> dict[str, float]:
        """The marks seen so far: name -> monotonic time in seconds."""
        with self._changed:
            return {name: at / 1e9 for name, at in self._marks.items()}

    def wait_for_mark(self, name: str, within: float) -> bool:
        """Wait for a mark for up to ``within`` seconds; False when it did not come or the output ended."""
        with self._changed:
            self._changed.wait_for(lambda: name in self._marks or self._ended, within)
            return name in self._marks

    @property
    def last_lines(self) -> str:
        """The last lines that are no marks, each quoted on a line of its own; ``none`` when there are none."""
        with self._changed:
            return "".join(f"\n    {quoted(line)}" for line in self._tail) or " none"
