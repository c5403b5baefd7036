"""Whether measuring on can change anything: the one question that the measuring half asks."""

from harness.judge.compare import compare_runs
from harness.judge.comparison import Comparison, Verdict
from harness.judge.looks import looks_of
from harness.judge.policy import Policy
from harness.model import Run


def undecided(before: Run, after: Run, policy: Policy, at: int) -> frozenset[str]:
    """The scenarios that are still open after ``at`` rounds and have a later look at which they may be decided.

    Only what the gate looks at keeps a scenario open: neither metrics that are not gated, nor counts that never vary,
    nor anything that more rounds do not heal (missing, invalid, incomparable).
    Raises HarnessError as ``compare_runs``.
    """
    runs = before, after
    return frozenset(
        comparison.scenario
        for comparison in compare_runs(before, after, policy, at=at)
        if _is_open(comparison) and any(look > at for look in looks_of(comparison.scenario, runs))
    )


def _is_open(comparison: Comparison) -> bool:
    by_chance = comparison.p_value is not None or not comparison.enough
    open_bound = any(bound.state == "undecided" for bound in comparison.bounds)
    return comparison.gated and by_chance and (comparison.verdict is Verdict.INCONCLUSIVE or open_bound)
