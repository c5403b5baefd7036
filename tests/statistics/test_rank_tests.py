"""The rank tests against scipy, against their definition, and in simulation."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.statistics import rank_sum, signed_rank
from harness.statistics.shift import ShiftTest

ALPHAS = (0.2, 0.05, 0.01, 0.0004)
FLOOR = math.log(1.01)
differences = st.lists(st.integers(-40, 40).map(lambda i: i / 256), min_size=1, max_size=45)


@pytest.mark.parametrize("seed", range(60))
def test_signed_rank_p_value_is_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d = rng.normal(rng.uniform(-0.05, 0.05), 0.03, rng.integers(1, 41))
    up = stats.wilcoxon(d - FLOOR, alternative="greater", method="exact").pvalue
    down = stats.wilcoxon(d + FLOOR, alternative="less", method="exact").pvalue
    assert signed_rank.signed_rank(d.tolist()).p_value(FLOOR) == pytest.approx(min(1, 2 * up, 2 * down), rel=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_large_signed_rank_p_value_is_scipys_approximation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d = rng.normal(0.004, 0.03, 200)
    expected = stats.wilcoxon(d, method="approx", correction=True).pvalue
    assert signed_rank.signed_rank(d.tolist()).p_value(0.0) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(60))
def test_signed_rank_interval_inverts_scipys_test(seed: int) -> None:
    """Just inside the interval scipy does not reject at alpha, just outside it does."""
    rng = np.random.default_rng(seed)
    d = rng.normal(0, 1, rng.integers(9, 41))
    for alpha in (0.1, 0.01):
        low, high = signed_rank.signed_rank(d.tolist()).interval(alpha)
        step = 1e-9
        assert stats.wilcoxon(d - (low + step), alternative="greater", method="exact").pvalue > alpha / 2
        assert stats.wilcoxon(d - (low - step), alternative="greater", method="exact").pvalue <= alpha / 2
        assert stats.wilcoxon(d - (high - step), alternative="less", method="exact").pvalue > alpha / 2
        assert stats.wilcoxon(d - (high + step), alternative="less", method="exact").pvalue <= alpha / 2


@pytest.mark.parametrize("seed", range(60))
def test_rank_sum_p_value_is_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, rng.integers(1, 20))
    y = rng.normal(rng.uniform(-2, 2), 1, rng.integers(1, 20))
    up = stats.mannwhitneyu(y - 0.1, x, alternative="greater", method="exact").pvalue
    down = stats.mannwhitneyu(y + 0.1, x, alternative="less", method="exact").pvalue
    assert rank_sum.rank_sum(x.tolist(), y.tolist()).p_value(0.1) == pytest.approx(min(1, 2 * up, 2 * down), rel=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_large_rank_sum_p_value_is_scipys_approximation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(0, 1, 120), rng.normal(0.2, 1, 90)
    expected = stats.mannwhitneyu(y, x, method="asymptotic").pvalue
    assert rank_sum.rank_sum(x.tolist(), y.tolist()).p_value(0.0) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_rank_sum_interval_inverts_scipys_test(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(0, 1, rng.integers(6, 20)), rng.normal(0, 1, rng.integers(6, 20))
    for alpha in (0.1, 0.02):
        low, high = rank_sum.rank_sum(x.tolist(), y.tolist()).interval(alpha)
        step = 1e-9
        assert stats.mannwhitneyu(y - (low + step), x, alternative="greater", method="exact").pvalue > alpha / 2
        assert stats.mannwhitneyu(y - (low - step), x, alternative="greater", method="exact").pvalue <= alpha / 2
        assert stats.mannwhitneyu(y - (high - step), x, alternative="less", method="exact").pvalue > alpha / 2
        assert stats.mannwhitneyu(y - (high + step), x, alternative="less", method="exact").pvalue <= alpha / 2


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9])
def test_signed_rank_distribution_by_listing_all_signs(n: int) -> None:
    sums = [sum(r for r, sign in enumerate(signs, 1) if sign) for signs in product((0, 1), repeat=n)]
    for statistic in range(n * (n + 1) // 2 + 1):
        assert signed_rank.tail(n, statistic) == sum(s <= statistic for s in sums) / 2**n


@pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 4), (4, 1), (3, 5), (5, 5)])
def test_rank_sum_distribution_by_listing_all_orders(m: int, n: int) -> None:
    ranks = [sum(chosen) - m * (m + 1) // 2 for chosen in combinations(range(1, m + n + 1), m)]
    for statistic in range(m * n + 1):
        assert rank_sum.tail(m, n, statistic) == sum(u <= statistic for u in ranks) / math.comb(m + n, m)


def test_approximations_err_on_the_careful_side(monkeypatch: pytest.MonkeyPatch) -> None:
    approximate = [signed_rank.tail(60, t) for t in range(500)], [rank_sum.tail(50, 50, u) for u in range(800)]
    monkeypatch.setattr(signed_rank, "_EXACT_UP_TO", 60)
    monkeypatch.setattr(rank_sum, "_EXACT_WORK", 50**3)
    exact = [signed_rank.tail(60, t) for t in range(500)], [rank_sum.tail(50, 50, u) for u in range(800)]
    for close, truth in zip(approximate, exact, strict=True):
        assert all(a >= t for a, t in zip(close, truth, strict=True))
        assert close[-1] <= 1.25 * truth[-1] < 0.01


def test_by_hand() -> None:
    """Walsh averages of 1, 2, 4: 1, 1.5, 2, 2.5, 3, 4. P(T <= 0) = 1/8, P(T <= 1) = 2/8."""
    test = signed_rank.signed_rank([4.0, 1.0, 2.0])
    assert test.estimate() == 2.25
    assert test.interval(0.25) == (1.0, 4.0)
    assert test.interval(0.5) == (1.5, 3.0)
    assert test.interval(0.2) == (-math.inf, math.inf)
    assert test.p_value(0.0) == 0.25
    assert test.p_value(1.25) == 0.5
    assert test.p_value(2.0) == 1.0


def test_by_hand_two_samples() -> None:
    """Differences of {1, 2} and {4, 8}: 2, 3, 6, 7. P(U <= 0) = 1/6."""
    test = rank_sum.rank_sum([1.0, 2.0], [8.0, 4.0])
    assert test.estimate() == 4.5
    assert test.interval(0.34) == (2.0, 7.0)
    assert test.interval(0.3) == (-math.inf, math.inf)
    assert test.p_value(0.0) == pytest.approx(2 / 6)


@pytest.mark.parametrize("alpha", [0.5, 0.05, 0.01, 0.0004])
def test_fewest_is_the_first_number_with_a_bounded_interval(alpha: float) -> None:
    n = signed_rank.fewest(alpha)
    assert math.isfinite(signed_rank.signed_rank([1.0] * n).interval(alpha)[0])
    assert not math.isfinite(signed_rank.signed_rank([1.0] * (n - 1)).interval(alpha)[0]) or n == 1
    m = rank_sum.fewest(alpha)
    assert math.isfinite(rank_sum.rank_sum([1.0] * m, [1.0] * m).interval(alpha)[0])
    assert m == 1 or not math.isfinite(rank_sum.rank_sum([1.0] * (m - 1), [1.0] * (m - 1)).interval(alpha)[0])


def consistent(test: ShiftTest, margin: float) -> None:
    for alpha in ALPHAS:
        low, high = test.interval(alpha)
        assert low <= test.estimate() <= high
        assert (test.p_value(margin) <= alpha) == (low > margin or high < -margin)


@given(differences, st.integers(0, 20).map(lambda i: i / 256))
def test_signed_rank_p_value_and_interval_never_contradict(d: list[float], margin: float) -> None:
    consistent(signed_rank.signed_rank(d), margin)


@given(differences, differences, st.integers(0, 20).map(lambda i: i / 256))
def test_rank_sum_p_value_and_interval_never_contradict(x: list[float], y: list[float], margin: float) -> None:
    consistent(rank_sum.rank_sum(x, y), margin)


@given(differences)
def test_reversal_is_the_mirror_image(d: list[float]) -> None:
    test, mirrored = signed_rank.signed_rank(d), signed_rank.signed_rank([-x for x in d])
    low, high = test.interval(0.05)
    assert mirrored.interval(0.05) == (-high, -low)
    assert mirrored.estimate() == -test.estimate()
    assert mirrored.p_value(0.01) == test.p_value(0.01)


@given(differences, differences)
def test_swapping_samples_is_the_mirror_image(x: list[float], y: list[float]) -> None:
    test, mirrored = rank_sum.rank_sum(x, y), rank_sum.rank_sum(y, x)
    low, high = test.interval(0.05)
    assert mirrored.interval(0.05) == (-high, -low)
    assert mirrored.estimate() == -test.estimate()


@pytest.mark.parametrize("coarse", [False, True], ids=["continuous", "tied"])
def test_intervals_cover_the_true_shift(*, coarse: bool) -> None:
    """2000 intervals of 90 % from heavy-tailed noise miss the truth in at most 10 % (+ 3 standard errors)."""
    rng = np.random.default_rng(11)
    trials, missed = 2000, {"paired": 0, "unpaired": 0}
    for _ in range(trials):
        noise = rng.standard_t(2, 15), rng.standard_t(2, 15), rng.standard_t(2, 12)
        d, x, y = (np.round(v) if coarse else v for v in noise)
        low, high = signed_rank.signed_rank((d + 3).tolist()).interval(0.1)
        missed["paired"] += not low <= 3 <= high
        low, high = rank_sum.rank_sum(x.tolist(), (y + 3).tolist()).interval(0.1)
        missed["unpaired"] += not low <= 3 <= high
    for misses in missed.values():
        assert misses / trials <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / trials)
        assert misses / trials >= (0.0 if coarse else 0.06)  # and are not wide for nothing
