"""How much the same work differs between sessions on one machine, learned from the sessions that are there."""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, median

from harness.model import Environment, Run, Sample
from harness.statistics.student import two_sided

FEWEST = 5
"""With fewer sessions nothing is said about how much they differ."""

_LARGEST = 100.0
"""No factor is larger; what varies more than that is not compared in earnest."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How much a metric varied between sessions, measured."""

    deviation: float
    """Standard deviation of the logarithm of a session's median."""
    sessions: int
    freedom: int
    """Degrees of freedom of ``deviation``: sessions less variants."""

    def factor(self, alpha: float) -> float:
        """The factor within which two sessions of the same system lie with probability 1 - ``alpha``.

        exp(t √2 s): the difference of two normal values whose deviation s is estimated (Student's prediction interval).
        """
        log = two_sided(alpha, self.freedom) * math.sqrt(2) * self.deviation
        return min(_LARGEST, math.exp(min(log, math.log(_LARGEST))))


def spreads(runs: Iterable[Run], here: Environment) -> Mapping[tuple[str, str], Spread]:
    """Scenario and metric -> its spread, for every noisy or counted metric of at least ``FEWEST`` sessions in ``here``.

    Sessions of another stable environment are left out. What differs between variants is no spread: each variant (its
    origin and settings) varies about its own mean, and the variances are pooled. Only complete runs count.
    """
    centres: defaultdict[tuple[str, str], dict[tuple[Hashable, str], float]] = defaultdict(dict)
    for run in runs:
        if run.state == "complete" and run.session and run.environment.stable == here.stable:
            for sample in run.samples:
                if (centre := _centre(sample)) is not None:
                    centres[sample.scenario, sample.metric.name][_variant(run), run.session] = centre
    found = {key: _pooled(by_session) for key, by_session in centres.items()}
    return {key: spread for key, spread in found.items() if spread is not None}


def _variant(run: Run) -> Hashable:
    settings = run.variant.settings
    return run.variant.origin, tuple(sorted((service, *sorted(own.items())) for service, own in settings.items()))


def _centre(sample: Sample) -> float | None:
    """The logarithm of a session's median; none of a share, which no factor fits, and none of zero."""
    if sample.metric.kind == "rate" or not sample.values:
        return None
    middle = median(sample.values)
    return math.log(middle) if 0 < middle < math.inf else None


def _pooled(centres: Mapping[tuple[Hashable, str], float]) -> Spread | None:
    groups: defaultdict[Hashable, list[float]] = defaultdict(list)
    for (variant, _), centre in centres.items():
        groups[variant].append(centre)
    sessions = len({session for _, session in centres})
    freedom = sum(len(group) - 1 for group in groups.values())
    if sessions < FEWEST or freedom < FEWEST - 1:
        return None
    squares = sum((centre - fmean(group)) ** 2 for group in groups.values() for centre in group)
    return Spread(math.sqrt(squares / freedom), sessions, freedom)
