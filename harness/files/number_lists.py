"""Long lists of plain numbers in JSON text, cut out and read apart from the rest.

A file of measurements is such lists and little else. Apart, they are read several times as fast as by the ``json``
module. Only what is beyond doubt is cut out; the caller reads everything else, and whatever raises ValueError here, in
the strict way.
"""

import math
import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import pack
from typing import Any, cast

from pydantic_core import from_json

PLACEHOLDER = b"NaN"
"""Stands for a list in the rest of the text. As a token of its own it is never part of it before."""

_LARGEST = 1e18
_EXACT = 2**53
"""Up to here a double holds every integer."""
_LONG = 256
"""Bytes from which on a list is long."""
_PIECES = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|NaN|Infinity', re.DOTALL)
"""Strings, so that nothing inside them is taken for anything; what stands for a list, or must not be."""
_BLANKS, _OF_NUMBERS = b" \t\r\n", b"+-.,0123456789Ee[]"


@dataclass(frozen=True, slots=True, eq=False)
class NumberList:
    """A list that holds nothing but numbers within ±1e18."""

    values: Sequence[float]
    """An array of doubles; of whole numbers a tuple of integers."""
    text: memoryview
    whole: bool
    """Whether all are written as integers, and so are ``values``."""

    def __len__(self) -> int:
        return len(self.values)

    def canonical(self) -> bytes:
        """As it was written, without blanks."""
        return bytes(self.text).translate(None, _BLANKS)

    def integers(self) -> tuple[int, ...] | None:
        """The numbers, if all are written as integers."""
        return cast("tuple[int, ...]", self.values) if self.whole else None

    def floats(self) -> Sequence[float]:
        """The numbers as an array of doubles."""
        return _doubles(self.values) if self.whole else self.values

    def plain(self) -> list[float]:
        """As any other list."""
        return list(self.values)


def cut_out(data: bytes) -> tuple[bytes, list[NumberList]]:
    """JSON text with a placeholder instead of every long list of plain numbers, and these in order.

    Raises ValueError or OverflowError when a list of signs and digits is none of numbers or is part of a string, or
    when the text holds what looks like a placeholder.
    """
    lists: list[NumberList] = []
    known: dict[
        bytes, NumberList
    ] = {}  # by their beginning: a run file holds most lists twice, which then are one object
    rest, places = bytearray(), []
    view, done, earlier = memoryview(data), 0, 0
    while (end := data.find(b"]", earlier) + 1) > 0:
        start = data.rfind(b"[", earlier, end)  # between two closing brackets only: every byte is looked at once
        earlier = end
        if start < 0 or end - start < _LONG or (text := data[start:end]).translate(None, _BLANKS + _OF_NUMBERS):
            continue
        rest += view[done:start]
        places.append(len(rest))
        rest += PLACEHOLDER
        done = end
        if not any(sign in text for sign in b".eE"):
            lists.append(NumberList(_integers(text), view[start:end], whole=True))
            continue
        twin = known.get(text[:_LONG])
        if twin is None or bytes(twin.text) != text:
            values = _doubles(_numbers(text, _LARGEST))
            twin = known[text[:_LONG]] = NumberList(values, view[start:end], whole=False)
        lists.append(twin)
    rest += view[done:]
    if [found.start() for found in _PIECES.finditer(rest) if found[0][:1] != b'"'] != places:
        raise ValueError("a list inside a string, or a constant that is no JSON")
    return bytes(rest), lists


def put_back(rest: bytes, texts: Callable[[], bytes]) -> bytes:
    """``rest`` with what ``texts`` gives, call after call, instead of each placeholder."""
    return _PIECES.sub(lambda found: texts() if found[0] == PLACEHOLDER else found[0], rest)


@lru_cache(maxsize=16)
def _integers(text: bytes) -> tuple[int, ...]:
    """Samples of a session have the same rounds and pairs: read once, and one object."""
    return tuple(_numbers(text, _EXACT))


def _doubles(numbers: Sequence[float]) -> "array[float]":
    """Integers become floats. In one call: the constructor of arrays takes three times as long."""
    doubles = array("d")
    doubles.frombytes(pack(f"{len(numbers)}d", *numbers))
    return doubles


def _numbers(text: bytes, largest: float) -> list[Any]:
    numbers: list[Any] = from_json(text)
    if not math.hypot(*numbers) <= largest:  # no number is larger than the root of the sum of all squares
        raise ValueError("a number that may be too large")
    return numbers
