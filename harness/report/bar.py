"""A change as a line of text, for places that show no pictures."""

from harness.judge.comparison import Estimate
from harness.report.scale import on_change_axis

WIDTH = 21
"""Characters of a bar; the middle one is no change, the ends are −100 % and +100 % (or percentage points)."""


def bar(effect: Estimate) -> str:
    """The interval as a line, the estimate as a dot, no change as an upright; an arrow where it goes on.

    ``bar(Estimate(-0.2, -0.5, 0.1, 0.95))`` is ``"  ──●───────┼───      "``.
    """
    low, value, high = (
        round((on_change_axis(x) + 1) / 2 * (WIDTH - 1)) for x in (effect.low, effect.value, effect.high)
    )
    cells = [" "] * WIDTH
    cells[low : high + 1] = "─" * (high - low + 1)
    cells[WIDTH // 2] = "┼" if low <= WIDTH // 2 <= high else "│"
    cells[value] = "●"
    if effect.low < -1:
        cells[0] = "◀"
    if effect.high > 1:
        cells[-1] = "▶"
    return "".join(cells)
