"""One line of JSON for every request, and one at the end of each worker. Pure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from harness.errors import HarnessError

_encode = json.JSONEncoder(separators=(",", ":")).encode
Outcome = Literal["answered", "failed", "unanswered"]


@dataclass(frozen=True, slots=True)
class Record:
    """What became of one start. Times in seconds from the start of the plan, on the generator's monotonic clock."""

    number: int
    name: str
    """Of the request."""
    segment: str
    worker: int
    intended: float
    began: float
    ended: float
    """When the answer was there in full, or the failure known; of an unanswered one when nobody waited any longer."""
    outcome: Outcome
    """``answered``: with the status and the text that were asked for. ``unanswered``: in flight at the end."""
    status: int = 0
    bytes: int = 0
    error: str = ""

    @property
    def latency(self) -> float:
        """Seconds from the intended start to the end; of an unanswered one its age, which it takes at least."""
        return self.ended - self.intended

    @property
    def lag(self) -> float:
        """Seconds by which it began late: the generator's part."""
        return self.began - self.intended


@dataclass(frozen=True, slots=True)
class WorkerEnd:
    """The last line of a worker."""

    worker: int
    cpu: float
    """Processor seconds that it used while it drove."""
    complete: bool
    """False: it was stopped before its share was done."""


def to_line(record: Record | WorkerEnd) -> str:
    """A line, without its end."""
    return _encode({field: getattr(record, field) for field in record.__slots__})


def from_lines(lines: Iterable[str]) -> tuple[list[Record], list[WorkerEnd]]:
    """Read lines; a HarnessError names one that is none of ours. A last line without its end is left out by the
    caller: its writer was killed within it."""
    records, ends = [], []
    for line in lines:
        try:
            fields = json.loads(line)
            if "complete" in fields:
                ends.append(WorkerEnd(**fields))
            else:
                records.append(Record(**fields))
        except (ValueError, TypeError):
            raise HarnessError(f"load generator: not a record: {line[:200]!r}") from None
    return records, ends
