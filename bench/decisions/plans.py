"""What a plan of looks finds, and which budget is enough: our procedure on unchanged traces, as tables in Markdown."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, repeat
from statistics import fmean

import numpy as np

from bench.decisions.ours import Outcome
from bench.decisions.replay import EFFECTS, Question, Suites, replay_ours
from bench.decisions.shares import deviation, share, wilson_95
from bench.decisions.traces import CLOCKS, WORKLOADS, Trace
from harness.judge.comparison import Verdict
from harness.judge.policy import Policy

METRICS = {
    "wall": ("http_wall", "query_wall", "retry_wall", "cold_wall"),
    "processor time, retry on the wall": ("http_cpu", "query_cpu", "retry_wall", "cold_cpu"),
}
PLANS = ((14, 20, 28), (14, 28, 56, 112))
"""The default of sessions, and one with four times its rounds."""
GATED = (4, 26)
"""Gated metrics of a suite: one for each workload, and as many as the reference project gates."""
ENOUGH = 0.95
_BUDGETS = (28, 40, 56, 80, 112, 160, 224)
"""Most rounds that are tried, with looks at the shares of the default plan."""
_CALLED = {Verdict.REGRESSED, Verdict.IMPROVED}


def suite_of(metrics: Sequence[str], gated: int) -> dict[str, str]:
    """``gated`` metrics, the recorded ones by turns."""
    every = islice((metric for turn in repeat(metrics) for metric in turn), gated)
    return {f"{metric} {number}": metric for number, metric in enumerate(every)}


def looks_of(most: int) -> tuple[int, ...]:
    """A plan of ``most`` rounds with looks where the default plan has them: at a half, five sevenths and all."""
    return tuple(-(-most * look // PLANS[0][-1]) for look in PLANS[0])


def noise_table(trace: Trace) -> str:
    """How much a round's ratio of two sides that do not differ scatters, by both clocks."""
    lines = ["| workload | " + " | ".join(f"{clock}, sd of a round" for clock in CLOCKS) + " |", "| --- | --- | --- |"]
    for workload in WORKLOADS:
        sides = [trace.values[f"{workload}_{clock}"] for clock in CLOCKS]
        units = [np.median(np.log(values[1] / values[0]), axis=-1) for values in sides]
        shown = " | ".join(f"{100 * deviation(each.tolist()):.1f} %" for each in units)
        lines.append(f"| {workload} | {shown} |")
    return "\n".join(lines)


def plan_table(trace: Trace, metrics: Sequence[str], looks: tuple[int, ...], gated: int, suites: int) -> str:
    """One plan: what is called slower for every effect, and what a verdict of "slower" takes.

    Each of many metrics is seen often in few suites: only A/A, where a suite counts as one, needs all of them.
    """
    family = suite_of(metrics, gated)
    aa = replay_ours(trace, Question(family, looks, EFFECTS[:1]), suites)
    made = replay_ours(trace, Question(family, looks, EFFECTS[1:]), -(-suites * len(metrics) // gated))
    made = replace(made, outcomes={**aa.outcomes, **made.outcomes})
    heads = ["metric", "A/A (n)", *(f"+{100 * effect:.0f} %" for effect in EFFECTS[1:]), "n", "+5 %, mean", "95 %?"]
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    lines += [_row(made, metric) for metric in metrics]
    unchanged = made.outcomes[0.0]
    failed = share(any(o.verdict is Verdict.REGRESSED for o in suite.values()) for suite in unchanged)
    changed = share(any(o.verdict in _CALLED for o in suite.values()) for suite in unchanged)
    missed = share(o.verdict is Verdict.UNCHANGED for suite in made.outcomes[0.05] for o in suite.values())
    lines += [
        "",
        f"A/A suites that fail the gate: {failed} %; that call any change: {changed} % (n = {len(unchanged)}). "
        f"+5 % called unchanged: {missed} %.",
    ]
    return "\n".join(lines)


def _row(made: Suites, metric: str) -> str:
    by_effect = {effect: _of(made, metric, effect) for effect in EFFECTS}
    calls = {effect: [o.verdict is Verdict.REGRESSED for o in outcomes] for effect, outcomes in by_effect.items()}
    rounds = fmean(outcome.rounds for outcome in by_effect[0.05])
    cells = [
        metric.replace("_", ", ").replace("cpu", "processor"),
        f"{share(calls[0.0])} ({len(calls[0.0])})",
        *(share(calls[effect]) for effect in EFFECTS[1:]),
        str(len(calls[0.05])),
        f"{rounds:.0f} rounds, {rounds * made.seconds_per_round:.0f} s",
        reached(calls[0.05]),
    ]
    return "| " + " | ".join(cells) + " |"


def _of(made: Suites, metric: str, effect: float) -> list[Outcome]:
    return [o for suite in made.outcomes[effect] for name, o in suite.items() if name.split()[0] == metric]


def reached(calls: Sequence[bool]) -> str:
    """Whether 95 % are called: ``yes`` and ``no`` when the whole 95 % interval says so, else ``open``."""
    low, high = wilson_95(calls)
    if low >= ENOUGH:
        return "yes"
    return "**no**" if high < ENOUGH else "open"


def budget_table(trace: Trace, metrics: Sequence[str], suites: int) -> str:
    """The smallest plan of those tried that is shown to call +5 % in at least 95 %, for every number of gated metrics.

    A suite of four whose budget is 4/M of the whole one tests at the level of M gated metrics (Bonferroni).
    """
    lines = [f"| metric | {' | '.join(f'{gated} gated' for gated in GATED)} |", "| --- " * (1 + len(GATED)) + "|"]
    needed = [_needed(trace, metrics, gated, suites) for gated in GATED]
    for metric in metrics:
        name = metric.replace("_", ", ").replace("cpu", "processor")
        lines.append(f"| {name} | " + " | ".join(column[metric] for column in needed) + " |")
    return "\n".join(lines)


def _needed(trace: Trace, metrics: Sequence[str], gated: int, suites: int) -> dict[str, str]:
    policy = Policy(error_budget=Policy().error_budget * len(metrics) / gated)
    found: dict[str, str] = {}
    last: dict[str, str] = {}
    for most in (budget for budget in _BUDGETS if budget <= len(trace.seconds)):
        left = suite_of([metric for metric in metrics if metric not in found], len(metrics))
        made = replay_ours(trace, Question(left, looks_of(most), (0.05,), policy), suites)
        for metric in dict.fromkeys(left.values()):
            calls = [outcome.verdict is Verdict.REGRESSED for outcome in _of(made, metric, 0.05)]
            rounds = fmean(outcome.rounds for outcome in _of(made, metric, 0.05))
            mean = f"mean {rounds:.0f}, {rounds * made.seconds_per_round:.0f} s"
            last[metric] = f"{most} rounds, {most * made.seconds_per_round:.0f} s ({mean}): {share(calls)}"
            if reached(calls) == "yes":
                found[metric] = last[metric]
        if len(found) == len(metrics):
            break
    return {metric: found.get(metric, f"not with {last[metric]}") for metric in metrics}
