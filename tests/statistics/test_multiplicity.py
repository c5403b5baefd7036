import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.statistics.multiplicity import able, benjamini_hochberg, bonferroni


@pytest.mark.parametrize(("tests", "level"), [(0, 0.01), (1, 0.01), (20, 0.0005)])
def test_bonferroni(tests: int, level: float) -> None:
    assert bonferroni(0.01, tests) == pytest.approx(level)


@pytest.mark.parametrize(
    ("attainable", "tests"),
    [
        ([], 1),
        ([0.0] * 30, 30),  # nothing is known of them: Bonferroni
        ([2**-13] * 38 + [2**-7] * 11 + [0.5] * 20, 38),
        ([2**-7] * 3, 2),  # 2^-7 is within 0.01, but not within half of it: none of them can alarm
        ([0.5] * 5, 1),
    ],
)
def test_only_tests_that_can_be_wrong_share_the_budget(attainable: list[float], tests: int) -> None:
    assert able(0.01, attainable) == tests


@given(st.lists(st.integers(1, 20), min_size=1, max_size=40))
def test_the_shares_of_tests_that_can_be_wrong_stay_within_the_budget(rounds: list[int]) -> None:
    attainable = [2.0 ** (1 - n) for n in rounds]
    share = 0.01 / able(0.01, attainable)
    assert sum(share for p in attainable if p <= share) <= 0.01 + 1e-12


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=30))
def test_benjamini_hochberg_is_scipys(p_values: list[float]) -> None:
    adjusted = stats.false_discovery_control(p_values)
    for rejected, q in zip(benjamini_hochberg(p_values, 0.05), adjusted, strict=True):
        assert rejected == (q <= 0.05) or abs(q - 0.05) < 1e-12


def test_nothing_to_reject() -> None:
    assert benjamini_hochberg([], 0.05) == ()
