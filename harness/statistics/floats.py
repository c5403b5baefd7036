"""Halving in the order of floating-point numbers: every search ends within 64 steps, at the exact number."""

import struct
from collections.abc import Callable

_MAGNITUDE = 0x7FFF_FFFF_FFFF_FFFF


def halfway(low: float, high: float) -> float:
    """The number with as many floating-point numbers down to ``low`` as up to ``high`` (``low <= high``, no NaN).

    It is ``low`` itself when no number lies between them. Unlike the arithmetic middle it needs no more steps to reach
    zero than any other number.
    """
    return _number((_ordinal(low) + _ordinal(high)) // 2)


def first(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The smallest number above ``low`` for which ``holds``, false up to it and true from there to ``high``."""
    while (middle := halfway(low, high)) != low:
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _ordinal(number: float) -> int:
    """The position of ``number`` among all doubles; 0 for zero, -n for the mirror image of n."""
    bits = int.from_bytes(struct.pack(">d", number), "big")
    return bits if bits <= _MAGNITUDE else -(bits & _MAGNITUDE)


def _number(ordinal: int) -> float:
    (magnitude,) = struct.unpack(">d", abs(ordinal).to_bytes(8, "big"))
    return -magnitude if ordinal < 0 else float(magnitude)
