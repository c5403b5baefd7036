"""Replays a trace in which nothing changed: as it is, and with the second slot made slower by a factor.

Both slots of every round did the same work in fresh processes, so which of them is called before is arbitrary: the
labels are drawn anew for every trial and round. A trial is a window of the trace at a drawn place; windows overlap.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from bench.decisions.ours import DEFAULT, Outcome, judge_suite
from bench.decisions.rules import Rule, Values
from bench.decisions.traces import WORKLOADS, Trace
from harness.judge.policy import Policy

EFFECTS = (0.0, 0.03, 0.05, 0.10)
BLOCK = 28
"""Rounds of each side that the anchors' rules are given."""
_WORKERS = 2
_Part = TypeVar("_Part")
_Draw = Callable[[Values, int, np.random.Generator], tuple[Values, Values]]


@dataclass(frozen=True, slots=True)
class Suites:
    """What became of suites: effect -> one dictionary (metric -> outcome) for each suite."""

    outcomes: Mapping[float, Sequence[Mapping[str, Outcome]]]
    seconds_per_round: float


@dataclass(frozen=True, slots=True)
class Question:
    """What our procedure is asked."""

    metrics: Mapping[str, str]
    """Metrics of the suite -> values of the trace (such as ``http_wall``); each gets windows of its own."""
    looks: tuple[int, ...]
    effects: tuple[float, ...] = EFFECTS
    policy: Policy = DEFAULT


def replay_ours(trace: Trace, question: Question, suites: int) -> Suites:
    """Our procedure on ``suites`` suites for every effect, in several processes; at most one suite more for each."""
    work = partial(_replay, trace, question, -(-suites // _WORKERS))
    parts = _in_parallel(work, range(_WORKERS))
    outcomes = {effect: [each for part in parts for each in part[effect]] for effect in question.effects}
    return Suites(outcomes, float(trace.seconds.mean()))


def _replay(trace: Trace, question: Question, suites: int, seed: int) -> dict[float, list[dict[str, Outcome]]]:
    generator = np.random.default_rng(seed)
    outcomes: dict[float, list[dict[str, Outcome]]] = {effect: [] for effect in question.effects}
    looks = question.looks
    for _ in range(suites):
        sides = {name: _window(trace.values[key], looks[-1], generator) for name, key in question.metrics.items()}
        before = {name: pair[0] for name, pair in sides.items()}
        for effect in question.effects:
            after = {name: pair[1] * (1 + effect) for name, pair in sides.items()}
            outcomes[effect].append(judge_suite(before, after, looks, question.policy))
    return outcomes


def _in_parallel(work: Callable[..., _Part], *arguments: Iterable[object]) -> list[_Part]:
    if _WORKERS == 1:
        return list(map(work, *arguments))
    with ProcessPoolExecutor(_WORKERS) as pool:
        return list(pool.map(work, *arguments))


def _window(values: Values, rounds: int, generator: np.random.Generator) -> tuple[Values, Values]:
    """``rounds`` rounds from a drawn place, the two slots labelled by a coin for every round."""
    first = generator.integers(values.shape[1] - rounds + 1)
    window = values[:2, first : first + rounds]
    swap = generator.random(rounds) < 0.5
    return (
        np.where(swap[:, None], window[1], window[0]),
        np.where(swap[:, None], window[0], window[1]),
    )


def replay_rule(
    trace: Trace, rule: Rule, trials: int, *, interleaved: bool, rounds: int = BLOCK, condensed: bool = False
) -> dict[float, list[int]]:
    """An anchor's calls on the wall clock for every effect, all workloads together, ``trials`` of each.

    On turns taken side by side, or on one block after the other; on all values, or on the median of each process.
    """
    values_of = _medians if condensed else np.ravel
    work = partial(_replay_rule, rule, trials, _window if interleaved else _blocks, values_of, rounds)
    with ProcessPoolExecutor(_WORKERS) as pool:
        parts = list(
            pool.map(work, [trace.values[f"{workload}_wall"] for workload in WORKLOADS], range(len(WORKLOADS)))
        )
    return {effect: [call for part in parts for call in part[effect]] for effect in EFFECTS}


def _replay_rule(
    rule: Rule, trials: int, draw: _Draw, values_of: Callable[[Values], Values], rounds: int, values: Values, seed: int
) -> dict[float, list[int]]:
    generator = np.random.default_rng(seed)
    calls: dict[float, list[int]] = {effect: [] for effect in EFFECTS}
    for _ in range(trials):
        before, after = (values_of(side) for side in draw(values, rounds, generator))
        for effect in EFFECTS:
            calls[effect].append(rule(before, after * (1 + effect)))
    return calls


def _medians(side: Values) -> Values:
    return np.asarray(np.median(side, axis=-1))


def _blocks(values: Values, rounds: int, generator: np.random.Generator) -> tuple[Values, Values]:
    """``rounds`` rounds of the first slot, then as many more; a coin decides which of them is called before."""
    first = generator.integers(values.shape[1] - 2 * rounds + 1)
    blocks = values[0, first : first + rounds], values[0, first + rounds : first + 2 * rounds]
    one, other = blocks if generator.random() < 0.5 else blocks[::-1]
    return one, other
