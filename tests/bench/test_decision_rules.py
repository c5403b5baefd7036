"""The rules of other tools against those tools' own code, other implementations, or their published definition."""

import itertools
import math
import statistics
from collections.abc import Sequence

import numpy as np
import pytest
from pytest_benchmark.utils import parse_compare_fail
from scipy import stats

from bench.decisions import rules
from bench.decisions.rules import Rule, Values

SEEDS = range(40)
EVERY_RULE = {**rules.SEQUENTIAL, **rules.INTERLEAVED}
LIMIT = 0.05


def _sides(seed: int, n: int = 28, noise: float = 0.04) -> tuple[Values, Values]:
    """Two sides about as far apart as the rules' limits, with heavy tails."""
    generator = np.random.default_rng(seed)
    change = generator.uniform(-0.1, 0.1)
    before, after = (0.01 * np.exp(noise * generator.standard_t(3, n)) for _ in range(2))
    return before, after * (1 + change)


@pytest.mark.parametrize(("field", "rule"), [("mean", rules.mean_5), ("median", rules.median_5), ("min", rules.min_5)])
@pytest.mark.parametrize("seed", SEEDS)
def test_thresholds_are_pytest_benchmarks(field: str, rule: Rule, seed: int) -> None:
    """pytest-benchmark's own check; it knows no "faster", which is here "slower" with the sides exchanged."""
    check = parse_compare_fail(f"{field}:5%")  # type: ignore[no-untyped-call]
    before, after = ({field: getattr(statistics, field, min)(side.tolist())} for side in _sides(seed))
    expected = bool(check.fails(after, before)) - bool(check.fails(before, after))
    assert rule(*_sides(seed)) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_mann_whitney_is_the_normal_approximation_of_u(seed: int) -> None:
    """U counted pair by pair; its variance without ties n m (n + m + 1) / 12, corrected for continuity."""
    before, after = _sides(seed, noise=0.1)
    n = len(before)
    wins = sum(b > a for a, b in itertools.product(before, after))
    z = (abs(wins - n * n / 2) - 0.5) / math.sqrt(n * n * (2 * n + 1) / 12)
    slower = statistics.median(after.tolist()) > statistics.median(before.tolist())
    expected = (1 if slower else -1) if 2 * statistics.NormalDist().cdf(-z) < LIMIT else 0
    assert rules.mann_whitney(before, after) == expected


@pytest.mark.parametrize("seed", range(10))
def test_mann_whitney_at_28_values_decides_as_the_exact_test(seed: int) -> None:
    """benchstat counts exactly up to 50 values without ties."""
    before, after = _sides(seed, noise=0.1)
    exact = float(stats.mannwhitneyu(before, after, method="exact").pvalue)
    assert (rules.mann_whitney(before, after) != 0) == (exact < LIMIT)


def _exact_median(values: Sequence[float]) -> float:
    """``medianExact``: of an even number the upper of the two in the middle."""
    return statistics.median_high(values)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_limit_of_relabelling_is_that_of_all_relabellings(seed: int) -> None:
    """``eqmed.sql`` over all 924 relabellings of 6 + 6 values; 1000 drawn ones hit the 99 % quantile within 1 %."""
    generator = np.random.default_rng(seed)
    before, after = np.exp(0.08 * generator.normal(size=(2, 6)))
    both = [*before.tolist(), *after.tolist()]
    differences = sorted(
        abs(_exact_median(mine) - _exact_median([value for value in both if value not in mine]))
        for mine in itertools.combinations(both, 6)
    )
    centre = _exact_median(before.tolist())
    low, high = (differences[int(share * len(differences))] / centre for share in (0.98, 0.998))
    seven_digits = 1e-5  # of values near 1, in a difference near 0.1
    assert low * (1 - seven_digits) <= rules.relabelling_limit(before, after) <= high * (1 + seven_digits)


def test_relabelling_needs_5_percent_however_certain() -> None:
    before = np.random.default_rng(2).normal(1, 0.0001, 28)
    assert rules.relabelling(before, before * 1.049) == 0
    assert rules.relabelling(before, before * 1.051) == 1
    assert rules.relabelling(before, before * 0.949) == -1


def test_relabelling_is_called_in_one_of_a_hundred_without_its_5_percent() -> None:
    """Its limit is the 99 % quantile: with noise far above 5 % that alone decides, so 1 % of A/A trials are called."""
    generator = np.random.default_rng(3)
    trials = 1500
    called = sum(rules.relabelling(*np.exp(0.5 * generator.normal(size=(2, 15)))) != 0 for _ in range(trials))
    low, high = stats.binomtest(called, trials).proportion_ci(0.999)
    assert low < 0.01 < high


def _tango(before: Values, after: Values, *, filtered: bool) -> int:
    """As tango-bench's documentation words it, value by value, in whole nanoseconds."""
    pairs = sorted(zip(after - before, before, strict=True))
    if filtered:
        ordered = [difference for difference, _ in pairs]
        low, high = ordered[len(ordered) // 4], ordered[len(ordered) * 3 // 4 - 1]
        fence = low - 1.5 * max(high - low, 1e-9)
        outliers = sum(difference < fence for difference in ordered)
        pairs = pairs[outliers : len(pairs) - outliers]
    differences = [difference for difference, _ in pairs]
    mean = statistics.fmean(differences)
    z = mean / (statistics.stdev(differences) / math.sqrt(len(differences)))
    far = abs(mean / statistics.fmean(base for _, base in pairs)) > 0.005
    return int(math.copysign(1, mean)) if abs(z) >= 2.6 and far else 0


@pytest.mark.parametrize(("name", "filtered"), [("tango", False), ("tango --filter-outliers", True)])
@pytest.mark.parametrize("seed", SEEDS)
def test_tango(name: str, seed: int, *, filtered: bool) -> None:
    before, after = _sides(seed)
    assert rules.INTERLEAVED[name](before, after) == _tango(before, after, filtered=filtered)


@pytest.mark.parametrize("name", ["tango", "tango --filter-outliers"])
def test_tango_calls_nothing_below_half_a_percent_however_certain(name: str) -> None:
    generator = np.random.default_rng(1)
    before = 0.01 * np.exp(0.0001 * generator.normal(size=200))
    noise = np.exp(0.0001 * generator.normal(size=200))
    assert rules.INTERLEAVED[name](before, before * noise * 1.004) == 0
    assert rules.INTERLEAVED[name](before, before * noise * 1.006) == 1


def test_tango_drops_as_many_on_top_as_below_and_none_when_none_lies_below() -> None:
    before = np.full(100, 1.0)
    after = before + np.linspace(0.01, 0.02, 100)
    after[-1] = 50.0
    assert rules.INTERLEAVED["tango"](before, after) == 0
    assert rules.INTERLEAVED["tango --filter-outliers"](before, after) == 0
    after[0] = -48.0
    assert rules.INTERLEAVED["tango --filter-outliers"](before, after) == 1


@pytest.mark.parametrize("name", EVERY_RULE)
def test_a_rule_sees_the_direction_and_nothing_in_what_is_the_same(name: str) -> None:
    generator = np.random.default_rng(0)
    before, after = (0.01 * np.exp(0.01 * generator.normal(size=28)) for _ in range(2))
    assert EVERY_RULE[name](before, after * 1.5) == 1
    assert EVERY_RULE[name](before * 1.5, after) == -1
    assert EVERY_RULE[name](before, before) == 0
