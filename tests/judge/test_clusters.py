"""Values of one round are alike: what that does to counts and shares, of sessions simulated and by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from harness.errors import ExitCode
from harness.judge.compare import compare_runs
from harness.judge.comparison import Comparison, Verdict
from harness.judge.gate import decide
from harness.judge.policy import Policy
from harness.model import Metric, Run
from harness.statistics.counts import paired_ratio
from harness.statistics.rates import paired_shares
from harness.statistics.sequential import boundaries, nominal_level
from tests.judge.build import CALLS, SUCCESS, run, sample

ROUNDS, EACH = 14, 10
CALLED = (Verdict.REGRESSED, Verdict.IMPROVED)
Draw = Callable[[np.random.Generator], np.ndarray]


def whole_processes(generator: np.random.Generator) -> np.ndarray:
    """Each process answers everything or nothing."""
    return np.repeat(generator.integers(0, 2, ROUNDS), EACH)


def processes_that_differ(generator: np.random.Generator) -> np.ndarray:
    """Each process has a share of its own."""
    return generator.binomial(1, np.repeat(generator.beta(2, 1, ROUNDS), EACH))


def two_levels(generator: np.random.Generator) -> np.ndarray:
    """Each process needs 20 or 30 calls, every time."""
    return np.repeat(generator.choice([20, 30], ROUNDS), EACH)


def bursts(generator: np.random.Generator) -> np.ndarray:
    """Rare events, many at a time."""
    return generator.poisson(np.repeat(2 * generator.integers(0, 4, ROUNDS) ** 2, EACH))


def compared(metric: Metric, before: np.ndarray, after: np.ndarray, each: int = EACH, **fields: object) -> Comparison:
    (comparison,) = compare_runs(*runs(metric, before, after, each, **fields), Policy())
    return comparison


def runs(metric: Metric, before: np.ndarray, after: np.ndarray, each: int = EACH, **fields: object) -> tuple[Run, Run]:
    return (
        run("before", sample(metric, [float(x) for x in before], pairs_a_round=each)),
        run("after", sample(metric, [float(x) for x in after], pairs_a_round=each), **fields),
    )


@pytest.mark.parametrize("session", ["one", "two"])
@pytest.mark.parametrize(
    ("metric", "draw"),
    [
        (SUCCESS, whole_processes),
        (SUCCESS, processes_that_differ),
        (CALLS, two_levels),
        (CALLS, bursts),
    ],
)
def test_no_change_of_what_differs_between_processes_is_called_as_seldom_as_promised(
    metric: Metric, draw: Draw, session: str
) -> None:
    """400 sessions without any change, a budget of 1 %: 4 alarms, but for chance (3 standard errors)."""
    generator, alarms = np.random.default_rng(17), 0
    for _ in range(400):
        before, after = draw(generator), draw(generator)
        alarms += compared(metric, before, after, session=session).verdict in CALLED
    assert alarms <= 4 + 3 * math.sqrt(4)


@pytest.mark.parametrize("kind", ["rate", "count"])
def test_looking_several_times_keeps_the_budget_too(kind: str) -> None:
    """1500 sessions without change, processes that differ, seen at 14, 20 and 28 rounds: the worst that stopping can do
    at a budget of 5 %, + 3 standard errors."""
    looks = (14, 20, 28)
    levels = [nominal_level(z) for z in boundaries(looks, 0.05)]
    generator, alarms = np.random.default_rng(23), 0
    for _ in range(1500):
        if kind == "rate":
            before, after = generator.binomial(10, generator.beta(2, 1, (2, 28))).tolist()
        else:
            before, after = generator.poisson(generator.gamma(1, 8, (2, 28))).tolist()
        test = paired_shares if kind == "rate" else paired_ratio
        rounds = [[(total, 10) for total in side] for side in (before, after)]
        seen = ((test(*(side[:look] for side in rounds)), level) for look, level in zip(looks, levels, strict=True))
        alarms += any(one.p_value(0.0) <= level for one, level in seen)
    assert 75 / 2 <= alarms <= 75 + 3 * math.sqrt(75)


@pytest.mark.parametrize("each", [8, 4])
def test_counts_that_a_process_repeats_are_seen_once(each: int) -> None:
    """Eight pairs of one round, or of two: no count was seen in more processes than that."""
    before, after = np.full(8, 3), np.full(8, 4)
    comparison = compared(CALLS, before, after, each)
    assert (comparison.verdict, comparison.units) == (Verdict.INCONCLUSIVE, 8 // each)
    both = runs(CALLS, before, after, each)
    assert decide([comparison], *both, Policy()).exit_code is ExitCode.BASELINE


@pytest.mark.parametrize(("often", "rarely"), [((1, 2), (1, 3)), ((3, 4), (3, 5))])
def test_a_count_that_rises_and_hardly_varies_is_found(often: tuple[int, int], rarely: tuple[int, int]) -> None:
    """In 13 rounds the one, in one round the other."""
    pairs = np.array([often] * 13 + [rarely])
    assert compared(CALLS, pairs[:, 0], pairs[:, 1], 1).verdict is Verdict.REGRESSED
    assert compared(CALLS, pairs[:, 1], pairs[:, 0], 1).verdict is Verdict.IMPROVED


@pytest.mark.parametrize(("rounds", "each"), [(2, 1), (4, 1), (1, 200), (4, 200)])
def test_too_few_rounds_of_a_rate_are_no_pass(rounds: int, each: int) -> None:
    good, bad = np.ones(rounds * each), np.zeros(rounds * each)
    for session in ("one", "two"):
        comparison = compared(SUCCESS, good, bad, each, session=session)
        assert (comparison.verdict, comparison.enough, comparison.units) == (Verdict.INCONCLUSIVE, False, rounds)
        assert comparison.detectable is None
        assert "would have been called" not in comparison.reason
        assert decide([comparison], run("before"), run("after"), Policy()).exit_code is ExitCode.BASELINE
