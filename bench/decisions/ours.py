"""Our procedure on a trace, called as the product calls it: run after run of one session, look after look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.decisions.traces import Values
from harness.judge.compare import compare_runs
from harness.judge.comparison import Verdict
from harness.judge.policy import Policy
from harness.model import Metric, Run, Sample, Side, Variant

DEFAULT = Policy()
_CLOSED = frozenset(Verdict) - {Verdict.INCONCLUSIVE}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one metric of a suite."""

    verdict: Verdict
    rounds: int
    """At the look that decided, or all of them."""
    value: float
    """The change reported, after/before - 1."""


def judge_suite(
    before: Mapping[str, Values], after: Mapping[str, Values], looks: Sequence[int], policy: Policy = DEFAULT
) -> dict[str, Outcome]:
    """Judge metrics that share one error budget; ``before`` and ``after``: name -> values, shape (rounds, turns).

    Each metric stops at the first look that decides it, as a scenario of its own does in a session.
    """
    runs = _run("before", before, looks), _run("after", after, looks)
    outcomes: dict[str, Outcome] = {}
    for look in looks:
        for comparison in compare_runs(*runs, policy, at=look):
            assert comparison.effect is not None, comparison.reason
            if comparison.scenario not in outcomes and (comparison.verdict in _CLOSED or look == looks[-1]):
                outcomes[comparison.scenario] = Outcome(comparison.verdict, look, comparison.effect.value)
        if len(outcomes) == len(before):
            break
    return outcomes


def _run(side: Side, metrics: Mapping[str, Values], looks: Sequence[int]) -> Run:
    return Run(
        session="trace",
        variant=Variant(side, side),
        started="",
        seed=0,
        rounds=looks[-1],
        state="complete",
        samples=tuple(_sample(name, values) for name, values in metrics.items()),
        looks=tuple(looks),
    )


def _sample(name: str, values: Values) -> Sample:
    rounds, turns = (axis.ravel().tolist() for axis in np.indices(values.shape))
    return Sample(name, Metric("time", "s"), tuple(values.ravel().tolist()), tuple(rounds), tuple(turns))
