"""The journal: what is measured is on the disk before the next thing is measured.

One line a record: CRC-32 of the JSON as 8 hex digits, a space, compact JSON, a newline; written by a single ``write``
to a file opened for appending. A process killed anywhere loses at most the record it was writing, and that is noticed.
"""

import fcntl
import os
from binascii import crc32
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.errors import ExitCode, HarnessError
from harness.files.atomic import not_saved, sync_folder
from harness.files.codec import decode, encode
from harness.files.json_text import compact
from harness.files.records import SCHEMA, TYPES, Failed, Record
from harness.files.strict_json import Mismatch, describe, open_regular, parse_object, shown

MAX_LINE = 2**20
"""Bytes. A line beyond this was not written by us."""
MAX_MESSAGE = 10_000
"""Characters of a failure's message that are kept: it may come from the system under test."""
_TAGS = {kind: tag for tag, kind in TYPES.items()}


class Journal:
    """The writing end. Only one process can hold it; made by ``create`` or ``reopen``."""

    def __init__(self, path: Path, descriptor: int, *, torn: bool) -> None:
        self.path = path
        self._descriptor = descriptor
        self._torn = torn
        """The file may not end in a newline: the next record starts with one, so that nothing is glued to the rest."""

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new journal, readable by its owner only. Raises HarnessError (14), also when the file exists."""
        try:
            journal = cls(path, _open(path, os.O_CREAT | os.O_EXCL), torn=False)
            sync_folder(path.parent)
        except OSError as error:
            raise not_saved(path, error) from error
        return journal

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Go on with a journal. Raises HarnessError (14), also when another process still writes it."""
        try:
            descriptor = _open(path, 0)
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        except OSError as error:
            raise not_saved(path, error) from error
        return cls(path, descriptor, torn=torn)

    def write(self, record: Record) -> None:
        """Append ``record``. It survives the process; after ``sync`` also the machine.

        Raises HarnessError (14) when it could not be written, ValueError when it cannot be stored (a number that is not
        finite, a record beyond ``MAX_LINE``).
        """
        line = (b"\n" if self._torn else b"") + line_of(record)
        self._torn = True
        try:
            while line:  # one write does it, unless the disk is full: then the second one says so
                line = line[os.write(self._descriptor, line) :]
        except OSError as error:
            raise not_saved(self.path, error) from error
        self._torn = False

    def sync(self) -> None:
        """Wait until everything written is on the disk: for the time between turns, never inside a timed section.

        Raises HarnessError (14).
        """
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise not_saved(self.path, error) from error

    def close(self) -> None:
        """Sync and give the journal back. Raises HarnessError (14)."""
        if self._descriptor < 0:
            return
        try:
            self.sync()
        finally:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open(path: Path, flags: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise OSError(None, "another process is writing it") from None
    return descriptor


def line_of(record: Record) -> bytes:
    """The line that stands for ``record``, with its newline. Raises ValueError."""
    if isinstance(record, Failed):
        record = replace(record, failure=replace(record.failure, message=_cut(record.failure.message)))
    body = compact({"type": _TAGS[type(record)]} | encode(record))
    line = b"%08x %s\n" % (crc32(body), body)
    if len(line) > MAX_LINE:
        raise ValueError(f"a record of {len(line)} bytes is too long for the journal, allowed: {MAX_LINE}")
    return line


def _cut(message: str) -> str:
    if len(message) <= MAX_MESSAGE:
        return message
    return f"{message[:MAX_MESSAGE]}… ({len(message)} characters)"


@dataclass(frozen=True, slots=True)
class JournalContents:
    """What could be read of a journal."""

    records: tuple[Record, ...]
    bad_lines: tuple[int, ...] = ()
    """Numbers of the lines that are torn or damaged, counted from 1."""


def read_journal(path: Path) -> JournalContents:
    """Every record that is exactly as it was written; the numbers of all other lines.

    Raises HarnessError (13) when there is no such file, or a newer version wrote it.
    """
    records: list[Record] = []
    bad: list[int] = []
    number = 0
    with os.fdopen(open_regular(path), "rb") as file:
        while line := file.readline(MAX_LINE):
            number += 1
            record = _record(line, path)
            if record is not None:
                records.append(record)
            elif line != b"\n":  # an empty line is where a later write ended a torn one
                bad.append(number)
            while line and not line.endswith(b"\n"):  # the rest of a line that is too long
                line = file.readline(MAX_LINE)
    return JournalContents(tuple(records), tuple(bad))


def _record(line: bytes, path: Path) -> Record | None:
    head, body = line[:9], line[9:].removesuffix(b"\n")
    if head != b"%08x " % crc32(body):
        return None
    try:
        members = parse_object(body)
        tag, schema = members.pop("type", None), members.get("schema", SCHEMA)
        if schema != SCHEMA:
            what = f"schema {describe(schema)}, allowed: {SCHEMA}; a newer version wrote it"
            raise HarnessError(f"{shown(path)}: found {what}", ExitCode.BASELINE)
        return decode(TYPES[tag], members) if isinstance(tag, str) and tag in TYPES else None
    except Mismatch:
        return None
