"""Sessions measured as the product does: look, stop when nothing is open, judge what there is."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from harness.judge.compare import compare_runs
from harness.judge.comparison import Comparison
from harness.judge.policy import Policy
from harness.judge.stop import undecided
from harness.model import Metric, Run
from tests.judge.build import TIME, run, sample

Logs = Sequence[Sequence[float]]
"""For each metric ln(after/before) of every round that can be measured."""


def pair_of_runs(
    logs: Logs, looks: tuple[int, ...], metric: Metric = TIME, rounds: int | None = None
) -> tuple[Run, Run]:
    """Both runs of a session with these looks, after so many rounds; scenarios are called s0, s1, and so on."""
    metrics = [(f"s{i}", metric, list(one[:rounds])) for i, one in enumerate(logs)]
    before = run("before", *(sample(m, [1.0] * len(one), name) for name, m, one in metrics), looks=looks)
    after = run("after", *(sample(m, [math.exp(x) for x in one], name) for name, m, one in metrics), looks=looks)
    return before, after


def measured(
    logs: Logs, looks: tuple[int, ...], policy: Policy, metric: Metric = TIME
) -> tuple[tuple[Comparison, ...], list[int]]:
    """The comparisons at the end of a session, and how many rounds each scenario took."""
    taken = [looks[0]] * len(logs)
    for look, following in pairwise(looks):
        before, after = pair_of_runs([one[:n] for one, n in zip(logs, taken, strict=True)], looks, metric)
        still = undecided(before, after, policy, look)
        taken = [following if n == look and f"s{i}" in still else n for i, n in enumerate(taken)]
    runs = pair_of_runs([one[:n] for one, n in zip(logs, taken, strict=True)], looks, metric)
    return compare_runs(*runs, policy), taken


def simulated(
    sessions: int, rounds: int, draw: Callable[[np.random.Generator, int], np.ndarray], seed: int = 11
) -> Iterator[list[float]]:
    """The rounds of one metric in each of so many sessions."""
    generator = np.random.default_rng(seed)
    for _ in range(sessions):
        yield draw(generator, rounds).tolist()


def without_floor(metric: Metric = TIME) -> Metric:
    """A metric with nothing to hide behind: any difference is a change."""
    return replace(metric, floor=0.0)
