import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.statistics import rates
from harness.statistics.rates import ShareTest, dispersion, paired_shares, share_test
from tests.statistics.test_exchange import in_every_way

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, counts)
def test_fisher_is_scipys(before: tuple[int, int], after: tuple[int, int]) -> None:
    (a, m), (b, n) = before, after
    expected = stats.fisher_exact([[a, m - a], [b, n - b]]).pvalue
    assert rates.fisher(a, m, b, n) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("after", [500_000, 500_900, 502_500])
def test_fisher_of_a_million_trials(after: int) -> None:
    table = [[500_000, 500_000], [after, 1_000_000 - after]]
    expected = stats.fisher_exact(table).pvalue
    assert rates.fisher(500_000, 1_000_000, after, 1_000_000) == pytest.approx(expected, rel=1e-4)


@given(counts, st.sampled_from([0.1, 0.01, 0.0004]))
def test_wilson_is_scipys(count: tuple[int, int], alpha: float) -> None:
    expected = stats.binomtest(*count).proportion_ci(1 - alpha, method="wilson")
    assert rates.wilson(*count, alpha) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("before", "after", "low", "high"),
    [  # table II of Newcombe 1998, method 10, signs reversed: there it is the first share minus the second
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_newcombe_as_published(before: tuple[int, int], after: tuple[int, int], low: float, high: float) -> None:
    assert ShareTest(before, after).interval(0.05) == pytest.approx((-high, -low), abs=5e-5)


@given(counts, counts)
def test_swapping_is_the_mirror_image(before: tuple[int, int], after: tuple[int, int]) -> None:
    test, mirrored = ShareTest(before, after), ShareTest(after, before)
    low, high = test.interval(0.01)
    assert mirrored.interval(0.01) == pytest.approx((-high, -low), abs=1e-12)
    assert mirrored.estimate() == -test.estimate()
    assert mirrored.p_value(0.01) == pytest.approx(test.p_value(0.01), rel=1e-6)
    assert -1 <= low <= test.estimate() <= high <= 1


def test_newcombe_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    trials, missed = 3000, 0
    for old, new in zip(rng.binomial(40, 0.3, trials), rng.binomial(60, 0.5, trials), strict=True):
        low, high = ShareTest((int(old), 40), (int(new), 60)).interval(0.1)
        missed += not low <= 0.2 <= high
    assert missed / trials == pytest.approx(0.1, abs=4 * math.sqrt(0.1 * 0.9 / trials))


@pytest.mark.parametrize(("n", "bound"), [(1, 1.0), (3, 1.0), (30, 0.1), (300, 0.01)])
def test_rule_of_three_is_close_to_exact_and_above_it(n: int, bound: float) -> None:
    assert rates.rule_of_three(n) == bound
    assert bound >= 1 - 0.05 ** (1 / n)


@pytest.mark.parametrize("n", [1, 7, 60, 999])
def test_wilson_ends_exactly_at_the_ends(n: int) -> None:
    assert rates.wilson(0, n, 0.05)[0] == 0.0
    assert rates.wilson(n, n, 0.05)[1] == 1.0
    assert rates.wilson(0, n, 0.05)[1] == pytest.approx(1 - rates.wilson(n, n, 0.05)[0])


def test_dispersion_of_rounds_by_hand() -> None:
    """Four rounds of ten: 5 expected in each, (25 + 25 + 9 + 9) / 2.5, over 3 - 2 degrees of freedom; at most 10."""
    assert dispersion([(0, 10), (10, 10), (2, 10), (8, 10)]) == 10.0
    assert dispersion([(3, 10), (7, 10), (5, 10), (5, 10)]) == 3.2
    assert dispersion([(5, 10), (5, 10)], [(10, 10), (10, 10)]) == 1.0
    assert dispersion([(0, 10), (0, 10)]) == dispersion([(0, 1), (1, 1), (1, 1)]) == 1.0


def test_whole_rounds_count_as_about_one_trial_each() -> None:
    """Half of 20 rounds fail as a whole, before as after: 10."""
    half = [(10.0 * (i % 2), 10) for i in range(20)]
    test = share_test(half, half)
    assert test.excess == 10.0
    independent = ShareTest((10, 20), (10, 20)).interval(0.01)
    assert test.interval(0.01) == pytest.approx(independent, rel=0.1)


@pytest.mark.parametrize("rounds", [1, 4])
def test_few_rounds_exclude_nothing_whatever_they_hold(rounds: int) -> None:
    test = share_test([(0, 99)] * rounds, [(99, 99)] * rounds)
    assert test.p_value(0.0) == pytest.approx(2 / math.comb(2 * rounds, rounds) if rounds > 1 else 1.0)
    assert test.interval(0.01) == (-1.0, 1.0)
    assert paired_shares([(0, 99)] * rounds, [(99, 99)] * rounds).interval(0.01) == (-1.0, 1.0)


rounds_of_both = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=8)


@given(rounds_of_both)
def test_paired_shares_in_every_way(pairs: list[tuple[int, int]]) -> None:
    before, after = [(b, 6) for b, _ in pairs], [(a, 6) for _, a in pairs]
    differences = [float(a - b) for b, a in pairs]
    up, down = in_every_way(differences), in_every_way([-d for d in differences])
    test, mirrored = paired_shares(before, after), paired_shares(after, before)
    assert test.p_value(0.0) == min(1.0, 2 * up, 2 * down)
    low, high = test.interval(0.05)
    assert -1 <= low <= test.estimate() <= high <= 1
    assert mirrored.interval(0.05) == pytest.approx((-high, -low), abs=1e-9)
    assert test.estimate() == pytest.approx(sum(differences) / 6 / len(pairs))


def test_paired_intervals_hold_the_truth_as_often_as_promised() -> None:
    """500 sessions of 12 rounds, each process with its own share, 0.8 and 0.5 on average: at 10 % + 3 sigma."""
    generator, missed = np.random.default_rng(8), 0
    for _ in range(500):
        before, after = (generator.binomial(10, generator.beta(*ab, 12)) for ab in ((4, 1), (2, 2)))
        low, high = paired_shares(*([(int(hits), 10) for hits in side] for side in (before, after))).interval(0.1)
        missed += not low <= -0.3 <= high
    assert 10 <= missed <= 50 + 3 * math.sqrt(50)
