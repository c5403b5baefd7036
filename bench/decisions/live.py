"""Slowdowns that were really executed: the slots of a trace against its first, window after window."""

from collections.abc import Sequence

import numpy as np

from bench.decisions.ours import Outcome, judge_suite
from bench.decisions.shares import share
from bench.decisions.traces import Trace
from harness.judge.comparison import Verdict
from harness.statistics.signed_rank import signed_rank


def table(trace: Trace, metrics: Sequence[str], looks: Sequence[int]) -> str:
    """For every slot but the first: the effect measured over the whole trace, and the verdicts of disjoint windows."""
    windows = trace.values[metrics[0]].shape[1] // looks[-1]
    lines = [
        f"{windows} disjoint windows of {looks[-1]} rounds, looks at {', '.join(map(str, looks))}",
        f"{'asked for':10} {'metric':12} {'measured % [95 %]':>22} {'called slower %':>20} {'faster %':>16}",
    ]
    for slot in range(1, len(trace.slower)):
        outcomes = [_judged(trace, metrics, looks, slot, number * looks[-1]) for number in range(windows)]
        lines += [_line(trace, slot, metric, [each[metric] for each in outcomes]) for metric in metrics]
    return "\n".join(lines)


def _judged(trace: Trace, metrics: Sequence[str], looks: Sequence[int], slot: int, first: int) -> dict[str, Outcome]:
    rounds = slice(first, first + looks[-1])
    before, after = ({metric: trace.values[metric][side, rounds] for metric in metrics} for side in (0, slot))
    return judge_suite(before, after, looks)


def _line(trace: Trace, slot: int, metric: str, outcomes: Sequence[Outcome]) -> str:
    ratios = np.median(np.log(trace.values[metric][slot] / trace.values[metric][0]), axis=-1)
    test = signed_rank(ratios.tolist())
    value, low, high = (100 * np.expm1(change) for change in (test.estimate(), *test.interval(0.05)))
    effect = f"{value:.1f} [{low:.1f}, {high:.1f}]"
    slower = share(outcome.verdict is Verdict.REGRESSED for outcome in outcomes)
    faster = share(outcome.verdict is Verdict.IMPROVED for outcome in outcomes)
    return f"{100 * trace.slower[slot]:6.0f} %   {metric:12} {effect:>22} {slower:>20} {faster:>16}"
