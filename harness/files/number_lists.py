"""Long lists of plain numbers in JSON text, cut out and read apart from the rest.

A file of measurements is such lists and little else. Apart, they are read several times as fast as by the ``json``
module, and kept in a quarter of the memory. Only what is beyond doubt is cut out; the caller reads everything else, and
whatever raises ValueError here, in the strict way.
"""

import math
import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic_core import from_json

PLACEHOLDER = b"NaN"
"""Stands for a list in the rest of the text. As a token of its own it is never part of it before."""

_LARGEST = 1e18
_EXACT = 2**53
"""Up to here a double holds every integer."""
_PIECES = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|\[[^][{}"]{256,}+\]|NaN|Infinity', re.DOTALL)
"""Strings, so that nothing inside them is taken for anything; long lists without others inside; what must not be."""
_BLANKS, _OF_NUMBERS = b" \t\r\n", b"+-.,0123456789Ee[]"


@dataclass(frozen=True, slots=True, eq=False)
class NumberList:
    """A list that holds nothing but numbers within ±1e18."""

    values: "array[float] | tuple[int, ...]"
    """Integers, when all are written as such."""
    text: memoryview

    def __len__(self) -> int:
        return len(self.values)

    def canonical(self) -> bytes:
        """As it was written, without blanks."""
        return bytes(self.text).translate(None, _BLANKS)

    def integers(self) -> tuple[int, ...] | None:
        """The numbers, if all are written as integers."""
        return self.values if isinstance(self.values, tuple) else None

    def floats(self) -> tuple[float, ...]:
        """The numbers as floats."""
        return tuple(map(float, self.values))

    def plain(self) -> list[float] | list[int]:
        """As any other list."""
        return list(self.values)


def cut_out(data: bytes) -> tuple[bytes, list[NumberList]]:
    """JSON text with a placeholder instead of every long list of plain numbers, and these in order.

    Raises ValueError or OverflowError when a long list holds anything else, or the text what looks like a placeholder.
    """
    lists: list[NumberList] = []
    view = memoryview(data)

    def replaced(found: re.Match[bytes]) -> bytes:
        if data[found.start()] == ord('"'):
            return found[0]
        lists.append(_number_list(found[0], view[found.start() : found.end()]))
        return PLACEHOLDER

    return _PIECES.sub(replaced, data), lists


def put_back(rest: bytes, texts: Callable[[], bytes]) -> bytes:
    """``rest`` with what ``texts`` gives, call after call, instead of each placeholder."""
    return _PIECES.sub(lambda found: texts() if found[0] == PLACEHOLDER else found[0], rest)


def _number_list(text: bytes, view: memoryview) -> NumberList:
    if text.translate(None, _BLANKS + _OF_NUMBERS):
        raise ValueError("not a list of plain numbers")
    if not any(sign in text for sign in b".eE"):
        return NumberList(_integers(text), view)
    return NumberList(array("d", _numbers(text, _LARGEST)), view)


@lru_cache(maxsize=16)
def _integers(text: bytes) -> tuple[int, ...]:
    """Samples of a session have the same rounds and pairs: read once, and one object."""
    return tuple(_numbers(text, _EXACT))


def _numbers(text: bytes, largest: float) -> list[Any]:
    numbers: list[Any] = from_json(text)
    if not math.hypot(*numbers) <= largest:  # no number is larger than the root of the sum of all squares
        raise ValueError("a number that may be too large")
    return numbers
