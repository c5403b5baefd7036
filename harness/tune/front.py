"""What is not dominated: the candidates than which no other is better in one objective and no worse in the others."""

from collections.abc import Mapping, Sequence

from harness.model import Metric

Values = Mapping[str, float]
"""Name of an objective -> value, in its base unit."""
_DIGITS = 9
"""Decimal places that count: sums of floats in another order are no difference."""


def dominates(one: Values, other: Values, objectives: Sequence[Metric]) -> bool:
    """Whether ``one`` is no worse than ``other`` in any of the objectives, and better in at least one. Pure."""
    return _dominates(_costs(one, objectives), _costs(other, objectives))


def front(points: Sequence[Values], objectives: Sequence[Metric]) -> list[int]:
    """The positions of the points that no other dominates, the best in the first objective first. Pure.

    In the order of all objectives whatever dominates a point stands before it, so it suffices to compare each with
    those of the front so far: n log n to sort, then n times the size of the front.
    """
    costs = [_costs(point, objectives) for point in points]
    kept: list[int] = []
    for index in sorted(range(len(points)), key=costs.__getitem__):
        if not any(_dominates(costs[other], costs[index]) for other in kept):
            kept.append(index)
    return kept


def _costs(values: Values, objectives: Sequence[Metric]) -> tuple[float, ...]:
    """The objectives in order, turned so that less is better."""
    return tuple(round(values[o.name] * (-1 if o.better == "higher" else 1), _DIGITS) for o in objectives)


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))
