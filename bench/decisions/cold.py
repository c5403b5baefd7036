"""Cold start, the hard one: which way of measuring it pays?

Starts of one and the same program are recorded in three ways, blocks of a round in drawn order: four one after the
other, two with Python's hash seed fixed, two at once on separate cores. Each recipe makes units of them - one ln ratio
between two sides that do not differ - and is judged by what a verdict would cost with it.
"""

import contextlib
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bench.decisions.ours import judge_suite
from bench.decisions.shares import deviation, share
from bench.decisions.stand import CORE, Load, Started, neighbour, pinned
from bench.decisions.traces import Values
from harness.judge.comparison import Verdict
from harness.judge.policy import Policy
from harness.statistics.normal import quantile, two_sided

_LEVEL = 0.01 / 4
"""Of one of four gated metrics."""
_GROUP = 3
"""Rounds that phase-wise medians are taken over."""
_OTHER_CORE = CORE - 1


@dataclass(frozen=True, slots=True)
class Starts:
    """Recorded starts of one program in natural logarithms of seconds, and what a round of each block took."""

    wall: Mapping[str, Values]
    """Block -> shape (rounds, starts)."""
    cpu: Mapping[str, Values]
    phases: Values
    """Seconds of the phases of the starts one after the other, shape (rounds, starts, phases)."""
    seconds: Mapping[str, float]
    """Block -> mean duration of one start, its stop included; of two at once half of what both took."""


_Block = tuple[list[Started], float]


def record(seconds: float, *, noisy: bool) -> Starts:
    """Record for about ``seconds``."""
    blocks: dict[str, Callable[[], _Block]] = {"serial": _serial, "fixed": _fixed, "parallel": _parallel}
    rounds: list[dict[str, _Block]] = []
    with pinned(), neighbour() if noisy else contextlib.nullcontext():
        _serial()  # fills caches, does not count
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            rounds.append({name: blocks[name]() for name in random.sample(list(blocks), len(blocks))})
    return Starts(
        wall={name: np.log([[s.start.wall for s in each[name][0]] for each in rounds]) for name in blocks},
        cpu={name: np.log([[s.start.cpu for s in each[name][0]] for each in rounds]) for name in blocks},
        phases=np.array([[started.phases() for started in each["serial"][0]] for each in rounds]),
        seconds={name: float(np.mean([each[name][1] / len(each[name][0]) for each in rounds])) for name in blocks},
    )


def _serial() -> _Block:
    return _one_by_one(4, "random")


def _fixed() -> _Block:
    return _one_by_one(2, "0")


def _one_by_one(count: int, hash_seed: str) -> _Block:
    began, starts = time.monotonic(), []
    for _ in range(count):
        started = Started(Load(), hash_seed=hash_seed)
        try:
            starts.append(started.wait())
        finally:
            started.stop()
    return starts, time.monotonic() - began


def _parallel() -> _Block:
    began = time.monotonic()
    with contextlib.ExitStack() as stop:
        starts = []
        for core in random.sample([CORE, _OTHER_CORE], 2):
            starts.append(Started(Load(), core=core))
            stop.callback(starts[-1].stop)
        for started in starts:
            started.wait()
    return starts, time.monotonic() - began


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way to make one number of several starts."""

    name: str
    units: Values
    """ln ratios between sides that do not differ."""
    seconds: float
    """What one unit costs."""

    @property
    def deviation(self) -> float:
        """Of one unit."""
        return deviation(self.units.tolist())

    @property
    def needed(self) -> float:
        """Units after which a true +5 % is called with probability 95 %, floor 1 %, one of four gated metrics."""
        errors = (two_sided(_LEVEL) + quantile(0.95)) / math.log(1.05 / 1.01)
        return (errors * self.deviation) ** 2


def recipes(starts: Starts) -> list[Recipe]:
    """All recipes on one recording."""
    serial, seconds = starts.seconds["serial"], starts.seconds
    made = []
    for clock, logs in (("wall", starts.wall), ("cpu", starts.cpu)):
        a, b, c, d = logs["serial"].T
        made += [
            Recipe(f"{clock}, adjacent starts", b - a, 2 * serial),
            Recipe(f"{clock}, four starts in the order ABBA", (b + c - a - d) / 2, 4 * serial),
            Recipe(f"{clock}, less what a placebo pair explains", _controlled(b - a, d - c), 4 * serial),
            Recipe(f"{clock}, hash seed fixed", np.diff(logs["fixed"])[:, 0], 2 * seconds["fixed"]),
            Recipe(f"{clock}, both at once on two cores", np.diff(logs["parallel"])[:, 0], 2 * seconds["parallel"]),
        ]
    made.append(Recipe(f"wall, sum of phase medians of {_GROUP} starts", _phases(starts.phases), 2 * _GROUP * serial))
    return made


def _controlled(units: Values, placebo: Values) -> Values:
    """Each half of the rounds less the slope fitted to the other: fitted to itself it would explain too much."""
    made = np.empty_like(units)
    for half in (slice(None, None, 2), slice(1, None, 2)):
        other = slice(1 - (half.start or 0), None, 2)
        slope = float(np.cov(units[other], placebo[other])[0, 1] / np.var(placebo[other], ddof=1))
        made[half] = units[half] - slope * placebo[half]
    return made


def _phases(phases: Values) -> Values:
    """ln ratio of the sums of each phase's median over a few neighbouring rounds."""
    groups = len(phases) // _GROUP
    grouped = phases[: groups * _GROUP, :2].reshape(groups, _GROUP, 2, -1)
    sums = np.log(np.median(grouped, axis=1).sum(axis=-1))
    return np.asarray(sums[:, 1] - sums[:, 0])


def found(recipe: Recipe, effect: float, budget: float, trials: int) -> list[bool]:
    """Whether our procedure calls a regression within ``budget`` seconds, in trials resampled from the units."""
    most = max(14, int(budget / recipe.seconds))
    looks = sorted({max(14, most // 4), max(14, most // 2), most})
    generator = np.random.default_rng(7)
    policy = Policy(error_budget=_LEVEL)
    calls = []
    for _ in range(trials):
        units = generator.choice(recipe.units, most) * generator.choice((-1.0, 1.0), most)
        after = {"cold": np.exp(units + np.log1p(effect))[:, None]}
        outcome = judge_suite({"cold": np.ones((most, 1))}, after, looks, policy)["cold"]
        calls.append(outcome.verdict is Verdict.REGRESSED)
    return calls


def table(starts: Starts, budget: float, trials: int) -> str:
    """One line for each recipe, the cheapest first."""
    rounds = len(starts.phases)
    lines = [
        f"n = {rounds} rounds of starts; {budget:.0f} s of starting; {trials} trials resampled from the units",
        f"{'recipe':45} {'sd':>6} {'s/unit':>7} {'s needed':>9} {'A/A alarm %':>18} {'+5 % found %':>20}",
    ]
    for recipe in sorted(recipes(starts), key=lambda each: each.needed * each.seconds):
        alarms, hits = (share(found(recipe, effect, budget, trials)) for effect in (0.0, 0.05))
        lines.append(
            f"{recipe.name:45} {100 * recipe.deviation:5.1f}% {recipe.seconds:7.2f} "
            f"{recipe.needed * recipe.seconds:9.0f} {alarms:>18} {hits:>20}"
        )
    return "\n".join(lines)
