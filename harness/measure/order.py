"""Who goes first: random, balanced, and the same again for the same seed. Pure."""

import random

from harness.model import SIDES, Side

_BLOCK = 4


def side_order(seed: int, label: str, index: int) -> tuple[Side, Side]:
    """The order of the variants at turn ``index`` of the sequence ``label``.

    Permuted blocks: of every four consecutive turns two begin with each variant, in an order drawn for that block, so
    that neither drift nor a fixed position favours one of them.
    """
    block, position = divmod(index, _BLOCK)
    firsts = [0, 0, 1, 1]
    generator(seed, label, block).shuffle(firsts)
    return SIDES if firsts[position] == 0 else (SIDES[1], SIDES[0])


def generator(seed: int, *labels: object) -> random.Random:
    """A generator of its own for each use, so that adding a draw in one place changes none elsewhere."""
    return random.Random("/".join(map(str, (seed, *labels))))  # noqa: S311 - drawing orders, not secrets
