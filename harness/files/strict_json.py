"""JSON from files that nobody vouches for: bounded, unambiguous, and refused with one line that names the place."""

import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

from harness.errors import ExitCode, HarnessError
from harness.files.number_lists import PLACEHOLDER, NumberList, cut_out

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 32
MAX_CONTAINERS = 500_000
"""Objects and lists in one file: bounds what a file of nothing but brackets costs."""
MAX_NUMBER = 1e18
MAX_INTEGER = 2**64
_LARGE = 2**16
"""Bytes from which on long lists of numbers are read apart."""
_SHOWN = 60


class Mismatch(ValueError):
    """A value that does not belong where it is. ``path`` grows outwards, step by step: ``benchmarks[3].stats``."""

    def __init__(self, found: str, allowed: str, path: str = "") -> None:
        super().__init__(found, allowed)
        self.found, self.allowed, self.path = found, allowed, path

    def under(self, step: str) -> "Mismatch":
        """The same mismatch, seen from the container that holds it under ``step`` (a key, or ``[index]``)."""
        joint = "" if not self.path or self.path.startswith("[") else "."
        return Mismatch(self.found, self.allowed, f"{shown(step)}{joint}{self.path}")

    def __str__(self) -> str:
        return f"{self.path or 'document'}: found {self.found}, allowed: {self.allowed}"


def shown(text: object) -> str:
    """``text`` for one line of an error message: control and direction characters escaped, cut when long."""
    raw = str(text)
    cut = raw if len(raw) <= _SHOWN * 4 else raw[: _SHOWN * 4] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)


def describe(node: object) -> str:
    """What a JSON value is, in a few words."""
    match node:
        case None | bool():
            return json.dumps(node)
        case str():
            return f'"{shown(node[:_SHOWN])}"' + ("…" if len(node) > _SHOWN else "")
        case list() | NumberList():
            return f"a list of {len(node)}"
        case dict():
            return "an object"
        case _:
            return repr(node)[:_SHOWN]


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Turn a mismatch into the error a user reads: exit code 13, one line, the file first."""
    try:
        yield
    except Mismatch as mismatch:
        raise HarnessError(f"{shown(path)}: {mismatch}", ExitCode.BASELINE) from None


def open_regular(path: Path) -> int:
    """A descriptor to read from. Anything but a regular file (folder, pipe, device) is refused at once."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise HarnessError(f"{shown(path)}: cannot be read: {reason}", ExitCode.BASELINE) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise HarnessError(f"{shown(path)}: found something else, allowed: a regular file", ExitCode.BASELINE)
    return descriptor


def read_bytes(path: Path) -> bytes:
    """The content of a regular file of at most ``MAX_BYTES``. Raises HarnessError (13)."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise HarnessError(f"{shown(path)}: cannot be read: {error.strerror}", ExitCode.BASELINE) from error
    if len(data) > MAX_BYTES:
        raise HarnessError(f"{shown(path)}: larger than {MAX_BYTES // 2**20} MiB", ExitCode.BASELINE)
    return data


def parse_object(data: bytes) -> dict[str, object]:
    """The JSON object in ``data``, which has to be UTF-8 (RFC 8259, without its freedoms).

    Long lists of plain numbers in a large one are NumberList. Raises Mismatch on NaN and Infinity, keys that appear
    twice, integers beyond 64 bits, too deep or too many values.
    """
    if len(data) > _LARGE:
        with suppress(ValueError, OverflowError):  # what is wrong, and where, is found below
            rest, lists = cut_out(data)
            _check_shape(rest.replace(PLACEHOLDER, b"[]"))
            numbers = iter(lists)
            return _object(rest, lambda _: next(numbers))
    _check_shape(data)
    return _object(data, _refuse_constant)


def _object(data: bytes, constant: Callable[[str], object]) -> dict[str, object]:
    try:
        document: Any = json.loads(
            _text(data), object_pairs_hook=_unambiguous, parse_constant=constant, parse_int=_bounded_integer
        )
    except json.JSONDecodeError as error:
        raise Mismatch(error.msg.lower(), "JSON", f"line {error.lineno}, column {error.colno}") from None
    if not isinstance(document, dict):
        raise Mismatch(describe(document), "an object")
    return document


def _text(data: bytes) -> str:
    if data.startswith(b"\xef\xbb\xbf"):
        raise Mismatch("a byte-order mark", "UTF-8 without one", "line 1, column 1")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Mismatch(f"the byte 0x{data[error.start]:02x}", "UTF-8 text", f"line {line}") from None


def _check_shape(data: bytes) -> None:
    """Bound nesting and the number of containers before the parser, which recurses, sees them."""
    unescaped = re.sub(rb"\\.", b"", data)
    skeleton = unescaped.translate(None, bytes(set(range(256)) - set(b'[]{}"')))
    brackets = re.sub(rb'"[^"]*"', b"", skeleton)
    if len(brackets) > 2 * MAX_CONTAINERS:
        raise Mismatch(f"{len(brackets) // 2} objects and lists", f"at most {MAX_CONTAINERS}")
    depth = max(accumulate(1 if bracket in b"[{" else -1 for bracket in brackets), default=0)
    if depth > MAX_DEPTH:
        raise Mismatch(f"values nested {depth} deep", f"at most {MAX_DEPTH} deep")


def _unambiguous(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Mismatch(f"the key {describe(twice)} twice in one object", "every key once")
    return members


def _refuse_constant(name: str) -> object:
    raise Mismatch(name, "finite numbers")


def _bounded_integer(digits: str) -> int:
    if len(digits) > len(str(MAX_INTEGER)) + 1 or abs(int(digits)) > MAX_INTEGER:
        raise Mismatch(f"the integer {digits[:20]}…", "at most 64 bits")
    return int(digits)


def number(node: object) -> float:
    """``node`` as a finite number of sensible size; a boolean is none. Raises Mismatch."""
    if not isinstance(node, int | float) or isinstance(node, bool) or not -MAX_NUMBER <= node <= MAX_NUMBER:
        raise Mismatch(describe(node), f"a number within ±{MAX_NUMBER:g}")
    return float(node)


def member(node: Mapping[str, object], name: str) -> object:
    """The member ``name`` of an object. Raises Mismatch when it is not there."""
    try:
        return node[name]
    except KeyError:
        raise Mismatch("nothing", "a value", name) from None
