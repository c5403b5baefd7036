"""Small runs, for tests of whole comparisons."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harness.judge.compare import compare_runs
from harness.judge.comparison import Comparison, Verdict
from harness.judge.policy import Policy
from harness.model import Environment, Metric, Run, Sample, Side, Variant

TIME = Metric("time", "s")
CALLS = Metric("calls", "1", kind="count")
SUCCESS = Metric("success", "1", better="higher", kind="rate")
HERE = Environment(stable={"processor": "X", "python": "3.11"})


def sample(metric: Metric, values: Sequence[float], scenario: str = "s", pairs_a_round: int = 1) -> Sample:
    rounds = tuple(i // pairs_a_round for i in range(len(values)))
    pairs = tuple(i % pairs_a_round for i in range(len(values)))
    return Sample(scenario, metric, tuple(values), rounds, pairs)


def run(name: Side, *samples: Sample, **fields: Any) -> Run:
    base = Run("one", Variant(name, "main"), "2026-01-01T00:00:00Z", 1, 12, "complete", samples, environment=HERE)
    return replace(base, **fields)


def compare(before: Sequence[float], after: Sequence[float], metric: Metric = TIME, **fields: Any) -> Comparison:
    """One metric, measured with these values; ``fields`` change the run after."""
    (comparison,) = compare_runs(
        run("before", sample(metric, before)), run("after", sample(metric, after), **fields), Policy()
    )
    return comparison


def noise(seed: int, n: int, spread: float = 0.02) -> list[float]:
    return np.exp(np.random.default_rng(seed).normal(0, spread, n)).tolist()


MIRROR = {Verdict.REGRESSED: Verdict.IMPROVED, Verdict.IMPROVED: Verdict.REGRESSED}
