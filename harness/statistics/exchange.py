"""The exact randomisation test of whole rounds, whose sides are exchanged.

Fisher, The Design of Experiments (1935), section 21: a random order inside each round makes it as likely that a round
gave the difference d as that it gave -d, if nothing has changed, however alike the values of one round are. The sum of
the differences is therefore compared with the sums under all 2^n choices of signs. They are counted, not drawn: the
number of subsets of whole numbers with each sum is a product of polynomials (Pagano & Tritchler, JASA 78, 1983), here
of the digits of one long integer.
"""

import math
import sys
from collections.abc import Callable, Sequence

Totals = Sequence[tuple[float, int]]
"""Of each round the sum of its values and how many there are (at least one)."""

MOST_ROUNDS = 60
"""Of more rounds neighbours are exchanged together: the counts of 2^60 subsets fit into 64 bits, and no level asks for
more."""
_STEPS = 2**12
"""Differences are rounded to whole steps, which their sizes together are at most so many of. Rounding is symmetric, so
the test stays exact; whole numbers and their halves stay as they are while they are few."""
_NOTHING = 1e-290
_LARGEST_UNIT = 2**20
_WORD = 8
"""Bytes of a digit."""
_HALVINGS = 20


def exceeds(differences: Sequence[float]) -> float:
    """How likely a sum as large as that of ``differences`` is, when each could as well have the other sign.

    It is as large when the differences that change their sign add up to nothing or less: ties count against a change.
    """
    units = _at_most(MOST_ROUNDS, differences)
    together = math.fsum(map(abs, units))
    scale = 2.0 ** math.floor(math.log2(_STEPS / together)) if together > _NOTHING else 1.0
    steps = [step for unit in units if (step := round(unit * scale))]  # no difference: both labellings are the same
    if not steps:
        return 1.0
    common = math.gcd(*steps)
    largest = -sum(step for step in steps if step < 0) // common
    kept = (1 << 8 * _WORD * (largest + 1)) - 1
    ways = 1  # digit k: how many subsets of the sizes so far have the sum k
    for size in sorted(abs(step) // common for step in steps):
        if size <= largest:
            ways = (ways + (ways << 8 * _WORD * size)) & kept
    digits = memoryview(ways.to_bytes(_WORD * (largest + 1), sys.byteorder)).cast("Q")
    return math.ldexp(sum(digits), -len(steps))


def means(before: Totals, after: Totals) -> tuple[list[float], list[float], float]:
    """The means of the rounds of both sides, and of which unit they are multiples: whole numbers, where they can be, so
    that equal ones are equal."""
    unit = math.lcm(*(number for side in (before, after) for _, number in side))
    if unit > _LARGEST_UNIT:
        old, new = ([total / number for total, number in side] for side in (before, after))
        return old, new, 1.0
    old, new = ([total * (unit // number) for total, number in side] for side in (before, after))
    return old, new, float(unit)


def last_excluded(p_value: Callable[[float], float], level: float, low: float, high: float) -> float | None:
    """The largest x from ``low`` on with ``p_value(x) <= level``, where it does not fall; None, if not even ``low`` is.

    ``high`` is known not to be excluded. Found by halving, to a millionth of the distance.
    """
    if p_value(low) > level:
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if p_value(middle) <= level else (low, middle)
    return low


def _at_most(most: int, differences: Sequence[float]) -> Sequence[float]:
    """Sums of neighbours, if there are more differences than ``most``."""
    n = len(differences)
    if n <= most:
        return differences
    return [math.fsum(differences[i * n // most : (i + 1) * n // most]) for i in range(most)]
