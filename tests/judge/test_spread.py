"""How much sessions differ, learned from sessions."""

import math
from typing import Any

import numpy as np
import pytest

from harness.judge.compare import compare_runs
from harness.judge.comparison import Verdict
from harness.judge.policy import Policy
from harness.judge.spread import Spread, spreads
from harness.model import Environment, Metric, Run, Variant
from harness.statistics.rank_sum import rank_sum
from tests.judge.build import HERE, SUCCESS, TIME, noise, run, sample

KEY = ("s", "time")


def session(number: int, level: float, metric: Metric = TIME, **fields: Any) -> Run:
    return run("after", sample(metric, [level] * 5), session=f"session {number}", **fields)


LEVELS = [1.0, 1.1, 0.9, 1.05, 0.97]


def test_it_is_the_deviation_of_the_logarithms() -> None:
    found = spreads([session(i, level) for i, level in enumerate(LEVELS)], HERE)[KEY]
    assert found.deviation == pytest.approx(float(np.std(np.log(LEVELS), ddof=1)))
    assert (found.sessions, found.freedom) == (5, 4)


def test_four_sessions_are_too_few_and_a_session_counts_once() -> None:
    four = [session(i, level) for i, level in enumerate(LEVELS[:4])]
    assert spreads(four, HERE) == {}
    assert spreads([*four, four[0]], HERE) == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"environment": Environment(stable={"processor": "Y"})},
        {"state": "interrupted"},
        {"session": ""},
    ],
)
def test_what_was_measured_elsewhere_or_not_to_its_end_does_not_count(fields: Any) -> None:
    runs = [session(i, level) for i, level in enumerate(LEVELS[:4])]
    other = run("after", sample(TIME, [1.0] * 5), **({"session": "another"} | fields))
    assert spreads([*runs, other], HERE) == {}


def test_what_differs_between_variants_is_no_spread() -> None:
    slow = {"variant": Variant("after", "slow")}
    runs = [session(i, level) for i, level in enumerate(LEVELS)]
    runs += [session(10 + i, 10 * level, **slow) for i, level in enumerate(LEVELS)]
    assert spreads(runs, HERE)[KEY].deviation == pytest.approx(float(np.std(np.log(LEVELS), ddof=1)))
    assert spreads(runs, HERE)[KEY].freedom == 8


def test_shares_and_zeros_have_none() -> None:
    assert spreads([session(i, 1.0, SUCCESS) for i in range(9)], HERE) == {}
    assert spreads([session(i, 0.0) for i in range(9)], HERE) == {}


def test_two_sessions_of_one_system_lie_within_the_factor_as_often_as_promised() -> None:
    random = np.random.default_rng(3)
    outside = 0
    for _ in range(2000):
        known = random.normal(0, 0.1, 6)
        factor = Spread(float(np.std(known, ddof=1)), 6, 5).factor(0.05)
        outside += abs(random.normal(0, 0.1) - random.normal(0, 0.1)) > math.log(factor)
    assert outside / 2000 == pytest.approx(0.05, abs=2.5 * math.sqrt(0.05 * 0.95 / 2000))


def test_a_known_spread_takes_the_place_of_the_general_factor() -> None:
    before = run("before", sample(TIME, noise(1, 14)))
    after = run("after", sample(TIME, [1.5 * x for x in noise(2, 14)]), session="two")
    (blind,) = compare_runs(before, after, Policy(between_sessions=2.0))
    (knowing,) = compare_runs(before, after, Policy(spreads={KEY: Spread(0.02, 12, 11)}))
    assert (blind.verdict, knowing.verdict) == (Verdict.INCONCLUSIVE, Verdict.REGRESSED)
    assert any("widened" in warning for warning in knowing.warnings)


def test_what_was_learned_and_the_test_share_one_level() -> None:
    """Each may err with half of 1 %: the interval is that of the test at 0.5 %, widened by the factor at 0.5 %."""
    spread = Spread(0.02, 12, 11)
    old, new = noise(1, 14), [1.5 * x for x in noise(2, 14)]
    runs = run("before", sample(TIME, old)), run("after", sample(TIME, new), session="two")
    (comparison,) = compare_runs(*runs, Policy(spreads={KEY: spread}))
    test, slack = rank_sum([math.log(x) for x in old], [math.log(x) for x in new]), math.log(spread.factor(0.005))
    low, high = test.interval(0.005)
    assert comparison.effect is not None
    assert comparison.effect.level == 0.99
    ends = comparison.effect.low, comparison.effect.high
    assert ends == pytest.approx((math.expm1(low - slack), math.expm1(high + slack)))
    assert comparison.p_value == pytest.approx(2 * test.p_value(math.log1p(TIME.floor) + slack))
    (few,) = compare_runs(
        run("before", sample(TIME, [1.0] * 5)),
        run("after", sample(TIME, [9.0] * 5), session="two"),
        Policy(spreads={KEY: spread}),
    )
    assert (few.verdict, few.enough) == (Verdict.INCONCLUSIVE, False)  # 2 of 252 is not 0.5 %


def test_no_change_between_sessions_is_called_as_seldom_as_promised() -> None:
    """1000 pairs of sessions that differ by 5 %, which six earlier ones have shown; 5 % of them, + 3 sigma."""
    random, alarms = np.random.default_rng(4), 0
    metric = Metric("time", "s", floor=0.0)
    for _ in range(1000):
        spread = Spread(float(np.std(random.normal(0, 0.05, 6), ddof=1)), 6, 5)
        old, new = (np.exp(random.normal(0, 0.05) + random.normal(0, 0.05, 10)).tolist() for _ in range(2))
        runs = run("before", sample(metric, old)), run("after", sample(metric, new), session="two")
        (comparison,) = compare_runs(*runs, Policy(error_budget=0.05, spreads={KEY: spread}))
        alarms += comparison.verdict in (Verdict.REGRESSED, Verdict.IMPROVED)
    assert alarms <= 50 + 3 * math.sqrt(50)


def test_a_spread_beyond_all_bounds_is_a_large_factor_and_no_overflow() -> None:
    assert Spread(1e9, 5, 4).factor(1e-9) == 100.0
    assert Spread(0.0, 5, 4).factor(1e-9) == 1.0
