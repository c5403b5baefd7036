"""Replays a trace in which nothing changed: as it is, and with the second slot made slower by a factor.

Both slots of every round did the same work in fresh processes, so which of them is called before is arbitrary: the
labels are drawn anew for every trial and round. A trial is a window of the trace at a drawn place; windows overlap.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.decisions.ours import Outcome, judge_suite
from bench.decisions.rules import Rule, Values
from bench.decisions.traces import Trace

EFFECTS = (0.0, 0.03, 0.05, 0.10)
BLOCK = 28
"""Rounds of each side that the anchors' rules are given."""


@dataclass(frozen=True, slots=True)
class Suites:
    """What became of suites: effect -> one dictionary (metric -> outcome) for each suite."""

    outcomes: Mapping[float, Sequence[Mapping[str, Outcome]]]
    seconds_per_round: float


def replay_ours(trace: Trace, metrics: Sequence[str], looks: Sequence[int], suites: int, seed: int) -> Suites:
    """Our procedure on ``suites`` suites of ``metrics`` (such as ``http_wall``) for every effect."""
    generator = np.random.default_rng(seed)
    outcomes: dict[float, list[dict[str, Outcome]]] = {effect: [] for effect in EFFECTS}
    for _ in range(suites):
        sides = {name: _window(trace.values[name], looks[-1], generator) for name in metrics}
        before = {name: pair[0] for name, pair in sides.items()}
        for effect in EFFECTS:
            after = {name: pair[1] * (1 + effect) for name, pair in sides.items()}
            outcomes[effect].append(judge_suite(before, after, looks))
    return Suites(outcomes, float(trace.seconds.mean()))


def _window(values: Values, rounds: int, generator: np.random.Generator) -> tuple[Values, Values]:
    """``rounds`` rounds from a drawn place, the two slots labelled by a coin for every round."""
    first = generator.integers(values.shape[1] - rounds + 1)
    window = values[:2, first : first + rounds]
    swap = generator.random(rounds) < 0.5
    return (
        np.where(swap[:, None], window[1], window[0]),
        np.where(swap[:, None], window[0], window[1]),
    )


def replay_rule(values: Values, rule: Rule, trials: int, seed: int, *, interleaved: bool) -> dict[float, list[int]]:
    """An anchor's calls for every effect: on turns taken side by side, or on one block after the other."""
    generator = np.random.default_rng(seed)
    draw: Callable[[Values, int, np.random.Generator], tuple[Values, Values]] = _window if interleaved else _blocks
    calls: dict[float, list[int]] = {effect: [] for effect in EFFECTS}
    for _ in range(trials):
        before, after = (side.ravel() for side in draw(values, BLOCK, generator))
        for effect in EFFECTS:
            calls[effect].append(rule(before, after * (1 + effect)))
    return calls


def _blocks(values: Values, rounds: int, generator: np.random.Generator) -> tuple[Values, Values]:
    """``rounds`` rounds of the first slot, then as many more; a coin decides which of them is called before."""
    first = generator.integers(values.shape[1] - 2 * rounds + 1)
    blocks = values[0, first : first + rounds], values[0, first + rounds : first + 2 * rounds]
    one, other = blocks if generator.random() < 0.5 else blocks[::-1]
    return one, other
