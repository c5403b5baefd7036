"""What was measured of a candidate, as means with intervals. Pure."""

import math
import statistics
from collections.abc import Mapping, Sequence

from harness.model import Metric
from harness.statistics.rates import wilson
from harness.statistics.student import two_sided
from harness.tune.candidates import Candidate, Confirmed, Estimate

Series = Mapping[str, Sequence[float]]
"""What one candidate gave in one round: name -> values."""
DRAWN = "drawn "
"""Before the name of an objective in a series: what the model says of just what was drawn."""
_ALPHA = 0.05


def estimate(metric: Metric, rounds: Sequence[Sequence[float]]) -> Estimate:
    """The mean of all rounds with its 95 % interval: Wilson's of a rate's trials; else Student's, over rounds."""
    values = [value for series in rounds for value in series]
    if metric.kind == "rate":
        low, high = wilson(sum(values), len(values), _ALPHA)
        return Estimate(statistics.fmean(values), low, high, len(rounds), len(values))
    return over_rounds([statistics.fmean(series) for series in rounds], len(values))


def over_rounds(means: Sequence[float], n: int) -> Estimate:
    """The mean of the rounds' means with Student's 95 % interval; of a single round it is unbounded."""
    mean = statistics.fmean(means)
    if len(means) == 1:
        return Estimate(mean, -math.inf, math.inf, 1, n)
    half = two_sided(_ALPHA, len(means) - 1) * statistics.stdev(means) / math.sqrt(len(means))
    return Estimate(mean, mean - half, mean + half, len(means), n)


def confirmed(candidate: Candidate, objectives: Sequence[Metric], rounds: Sequence[Series]) -> Confirmed:
    """What was measured of a candidate, beside what the model says of the same draws. Pure."""
    measured, drawn, gap, means = {}, {}, {}, {}
    for objective in objectives:
        seen, said = ([series[prefix + objective.name] for series in rounds] for prefix in ("", DRAWN))
        measured[objective.name] = estimate(objective, seen)
        drawn[objective.name] = statistics.fmean(value for series in said for value in series)
        gaps = [statistics.fmean(a) - statistics.fmean(b) for a, b in zip(seen, said, strict=True)]
        gap[objective.name] = over_rounds(gaps, sum(map(len, seen)))
        means[objective.name] = [statistics.fmean(values) for values in seen]
    return Confirmed(candidate, measured, drawn, gap, means)


def paired(one: Confirmed, other: Confirmed, objective: Metric) -> Estimate:
    """``one`` - ``other``, as measured in the same rounds."""
    mine, theirs = one.rounds[objective.name], other.rounds[objective.name]
    return over_rounds([a - b for a, b in zip(mine, theirs, strict=True)], one.measured[objective.name].n)
