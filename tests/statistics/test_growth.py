import math

import numpy as np
import pytest
from scipy import stats

from harness.statistics.growth import growth


@pytest.mark.parametrize("n", [3, 4, 5, 12, 200])
@pytest.mark.parametrize("alpha", [0.1, 0.05, 0.001])
def test_it_agrees_with_scipy(n: int, alpha: float) -> None:
    random = np.random.default_rng(n)
    sizes = np.exp(random.uniform(0, 16, n))
    costs = 3e-6 * sizes**0.8 * random.lognormal(0, 0.2, n)
    ours, theirs = growth(sizes.tolist(), costs.tolist()), stats.linregress(np.log(sizes), np.log(costs))
    assert ours.exponent == pytest.approx(theirs.slope, rel=1e-9)
    assert ours.standard_error == pytest.approx(theirs.stderr, rel=1e-7)
    half = stats.t.isf(alpha / 2, n - 2) * theirs.stderr
    assert ours.interval(alpha) == pytest.approx((theirs.slope - half, theirs.slope + half), rel=1e-7)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0])
def test_a_power_law_is_found_whatever_the_unit(exponent: float) -> None:
    sizes = [1e4, 1e5, 1e6, 1e7]
    for unit in (1e-9, 1.0, 1e9):
        found = growth(sizes, [unit * size**exponent for size in sizes])
        assert found.exponent == pytest.approx(exponent, abs=1e-12)
        assert found.standard_error == pytest.approx(0, abs=1e-9)


def test_the_interval_covers_the_true_exponent_as_often_as_promised() -> None:
    random = np.random.default_rng(5)
    sizes = np.array([1e4, 1e5, 1e6, 1e7])
    inside = 0
    for _ in range(2000):
        low, high = growth(sizes.tolist(), (sizes**0.9 * random.lognormal(0, 0.3, 4)).tolist()).interval(0.05)
        inside += low <= 0.9 <= high
    assert abs(inside / 2000 - 0.95) <= 3 * math.sqrt(0.05 * 0.95 / 2000)


def test_two_points_have_a_slope_and_no_interval() -> None:
    found = growth([10, 1000], [1, 10])
    assert found.exponent == pytest.approx(0.5)
    assert math.isnan(found.standard_error)
    assert found.interval(0.05) == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("sizes", "costs"),
    [
        ([], []),
        ([10], [1]),
        ([10, 10], [1, 2]),
        ([10, 20], [1]),
        ([10, 20], [1, 0]),
        ([-1, 20], [1, 1]),
        ([10, math.inf], [1, 1]),
        ([10, 20], [1, math.nan]),
    ],
)
def test_what_cannot_be_fitted_is_refused(sizes: list[float], costs: list[float]) -> None:
    with pytest.raises(ValueError, match=r"sizes"):
        growth(sizes, costs)
