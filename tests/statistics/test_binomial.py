import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from harness.statistics import binomial


@pytest.mark.parametrize("seed", range(200))
def test_incomplete_beta_is_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = 10 ** rng.uniform(-1, 5, 2)
    x = float(rng.beta(a, b))
    assert binomial.incomplete_beta(a, b, x) == pytest.approx(special.betainc(a, b, x), rel=1e-7)


@given(st.integers(0, 200), st.integers(0, 200), st.floats(0, 1))
def test_tails_are_scipys(k: int, rest: int, p: float) -> None:
    n = k + rest
    assert binomial.at_least(k, n, p) == pytest.approx(stats.binom.sf(k - 1, n, p), rel=1e-7, abs=1e-12)
    assert binomial.at_most(k, n, p) == pytest.approx(stats.binom.cdf(k, n, p), rel=1e-7, abs=1e-12)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 30), (30, 30), (3, 30), (17, 400), (5_000, 10_000)])
@pytest.mark.parametrize("alpha", [0.1, 0.01, 0.0004])
def test_clopper_pearson_is_scipys(k: int, n: int, alpha: float) -> None:
    expected = stats.binomtest(k, n).proportion_ci(1 - alpha, method="exact")
    assert binomial.clopper_pearson(k, n, alpha) == pytest.approx((expected.low, expected.high), rel=1e-8)


def test_huge_totals_stay_exact() -> None:
    k, n = 4_000_000_000, 8_000_000_000
    expected = stats.beta.ppf(0.005, k, n - k + 1), stats.beta.ppf(0.995, k + 1, n - k)
    assert binomial.clopper_pearson(k, n, 0.01) == pytest.approx(expected, rel=1e-9)
