import math

import numpy as np
import pytest
from scipy import stats

from harness.statistics.order import median_interval
from harness.statistics.student import two_sided


@pytest.mark.parametrize("alpha", [0.1, 0.05, 0.01, 0.0005])
@pytest.mark.parametrize("n", [1, 2, 5, 10, 14, 28, 101, 400])
def test_the_ends_are_the_order_statistics_of_the_sign_test(n: int, alpha: float) -> None:
    values = np.random.default_rng(n).permutation(n).astype(float)
    low, high = median_interval(values.tolist(), alpha)
    k = int(stats.binom.ppf(alpha / 2, n, 0.5))  # the first count whose tail exceeds alpha / 2
    if stats.binom.cdf(k, n, 0.5) <= alpha / 2:
        k += 1
    assert (low, high) == ((k - 1, n - k) if k else (-math.inf, math.inf))


def test_it_covers_the_median_of_any_distribution_as_often_as_promised() -> None:
    random = np.random.default_rng(7)
    true = math.exp(0.0)
    inside = 0
    for _ in range(2000):
        low, high = median_interval(random.lognormal(0, 2, 14).tolist(), 0.05)
        inside += low <= true <= high
    assert inside / 2000 >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / 2000)


def test_a_shift_of_the_values_shifts_it_and_their_order_does_not_matter() -> None:
    values = [3.0, 1.0, 2.0, 9.0, 4.0, 8.0, 7.0, 6.0, 5.0]
    low, high = median_interval(values, 0.05)
    assert median_interval([v + 10 for v in reversed(values)], 0.05) == (low + 10, high + 10)


@pytest.mark.parametrize("freedom", [1, 2, 4, 9, 30, 200])
@pytest.mark.parametrize("alpha", [0.5, 0.05, 0.01, 1e-4, 1e-7])
def test_students_t_agrees_with_scipy(freedom: int, alpha: float) -> None:
    assert two_sided(alpha, freedom) == pytest.approx(stats.t.isf(alpha / 2, freedom), rel=1e-8)
