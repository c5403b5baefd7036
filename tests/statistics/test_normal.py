import pytest
from scipy import stats

from harness.statistics import normal


@pytest.mark.parametrize("z", [-30.0, -8.0, -1.96, 0.0, 1.5, 8.0])
def test_lower_tail(z: float) -> None:
    assert normal.lower_tail(z) == pytest.approx(stats.norm.cdf(z), rel=1e-12)


@pytest.mark.parametrize("p", [1e-12, 0.0002, 0.05, 0.5, 0.975])
def test_quantile(p: float) -> None:
    assert normal.quantile(p) == pytest.approx(stats.norm.ppf(p), rel=1e-9, abs=1e-12)


def test_two_sided() -> None:
    assert normal.two_sided(0.05) == pytest.approx(1.959964, abs=1e-6)
