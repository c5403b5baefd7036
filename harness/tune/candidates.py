"""Candidates, what is known of each, and which of them are worth measuring. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.model import Metric
from harness.tune.front import Values, dominates, front


@dataclass(frozen=True, slots=True)
class Candidate:
    """Settings of a service, and what a model predicts of it with them."""

    settings: Mapping[str, str]
    predicted: Values
    name: str = ""
    """``before`` or ``after``; of others a number, once they are picked."""
    why: str = ""
    """For what it was picked."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What was measured of one objective: the mean of the rounds' means (of a rate: of all trials)."""

    value: float
    low: float
    high: float
    """The 95 % interval."""
    rounds: int
    n: int
    """Values in all."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A candidate that was measured."""

    candidate: Candidate
    measured: Mapping[str, Estimate]
    drawn: Values
    """What the model says of just those draws that were measured, and of what the machine itself took; by objective."""
    gap: Mapping[str, Estimate] = field(default_factory=dict)
    """Measured - drawn, over the rounds."""
    rounds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """What was measured: the mean of each round, by objective."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a model predicts of all candidates."""

    objectives: tuple[Metric, ...]
    tried: tuple[Candidate, ...]
    current: tuple[Candidate, ...]
    """The variants as they are."""
    front: tuple[Candidate, ...]

    def dominating(self, candidate: Candidate) -> tuple[Candidate, ...]:
        """Those of the front that are better than ``candidate`` in something, and worse in nothing."""
        return tuple(c for c in self.front if dominates(c.predicted, candidate.predicted, self.objectives))


def searched(objectives: tuple[Metric, ...], tried: Sequence[Candidate], current: Sequence[Candidate]) -> Search:
    """The front of all candidates and variants; of those that are equal in every objective, the first."""
    everything = [*current, *tried]
    unique: dict[tuple[float, ...], Candidate] = {}
    for index in front([candidate.predicted for candidate in everything], objectives):
        candidate = everything[index]
        unique.setdefault(tuple(round(candidate.predicted[o.name], 6) for o in objectives), candidate)
    return Search(objectives, tuple(tried), tuple(current), tuple(unique.values()))


def picked(search: Search, count: int) -> list[Candidate]:
    """At most ``count`` candidates of the front, each with a reason, no variant among them.

    For each variant those that dominate it: of the first variant the best in the first objective, of the second one in
    the second. Then the knee of the front: nearest to the best of each objective, scaled by their range on the front
    (Zeleny's compromise solution). Then evenly along the front.
    """
    wanted: list[tuple[Candidate, str]] = []
    for variant, objective in zip(search.current, search.objectives, strict=False):
        better = search.dominating(variant)
        if better:
            word = "most" if objective.better == "higher" else "least"
            wanted.append((best(better, objective), f"dominates {variant.name}: {word} {objective.name}"))
    wanted.append((knee(search.front, search.objectives), "the knee of the front"))
    step = max(1, len(search.front) // (count + 1))
    wanted += [(candidate, "along the front") for candidate in search.front[step - 1 :: step]]
    chosen: dict[int, Candidate] = {}
    for candidate, why in wanted:
        if not candidate.name and id(candidate) not in chosen and len(chosen) < count:
            name = str(len(chosen) + 1)
            chosen[id(candidate)] = Candidate(candidate.settings, candidate.predicted, name, why)
    return list(chosen.values())


def best(candidates: Sequence[Candidate], objective: Metric) -> Candidate:
    """The best in one objective."""
    sign = -1 if objective.better == "higher" else 1
    return min(candidates, key=lambda candidate: sign * candidate.predicted[objective.name])


def knee(candidates: Sequence[Candidate], objectives: Sequence[Metric]) -> Candidate:
    """Nearest to the best value of each objective, each scaled by its range over ``candidates``."""
    ranges = {o.name: [c.predicted[o.name] for c in candidates] for o in objectives}

    def distance(candidate: Candidate) -> float:
        total = 0.0
        for objective in objectives:
            low, high = min(ranges[objective.name]), max(ranges[objective.name])
            ideal = high if objective.better == "higher" else low
            total += ((candidate.predicted[objective.name] - ideal) / ((high - low) or 1.0)) ** 2
        return total

    return min(candidates, key=distance)
