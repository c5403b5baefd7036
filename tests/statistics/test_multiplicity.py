import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.statistics.multiplicity import benjamini_hochberg, bonferroni


@pytest.mark.parametrize(("tests", "level"), [(0, 0.01), (1, 0.01), (20, 0.0005)])
def test_bonferroni(tests: int, level: float) -> None:
    assert bonferroni(0.01, tests) == pytest.approx(level)


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=30))
def test_benjamini_hochberg_is_scipys(p_values: list[float]) -> None:
    adjusted = stats.false_discovery_control(p_values)
    for rejected, q in zip(benjamini_hochberg(p_values, 0.05), adjusted, strict=True):
        assert rejected == (q <= 0.05) or abs(q - 0.05) < 1e-12


def test_nothing_to_reject() -> None:
    assert benjamini_hochberg([], 0.05) == ()
