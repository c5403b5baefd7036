"""Against the plain way: list every sum and sort."""

from itertools import product
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics import pairwise
from harness.statistics.pairwise import ListedSums, PairwiseSums, differences, walsh_averages

coarse = st.integers(-20, 20).map(lambda i: i / 16)  # many ties, and sums without rounding
fine = st.floats(-1e3, 1e3)
values = st.lists(coarse | fine, min_size=1, max_size=12)


def listed(sums: PairwiseSums) -> list[float]:
    rows = range(len(sums.left))
    return sorted(sums.left[i] + b for i in rows for b in sums.right[sums.starts[i] :])


def agrees(sums: PairwiseSums, bound: float) -> None:
    everything = listed(sums)
    assert sums.size == len(everything)
    at_once = sums.in_order()
    assert isinstance(at_once, ListedSums)
    assert (at_once.size, at_once.median()) == (sums.size, sums.median())
    assert [at_once.kth(k + 1) for k in range(sums.size)] == everything
    assert (at_once.at_most(bound), at_once.below(bound)) == (sums.at_most(bound), sums.below(bound))
    for listed_at_once in (8, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pairwise, "_LISTED", listed_at_once)
            assert [sums.kth(k + 1) for k in range(sums.size)] == everything
    assert sums.median() == pytest.approx(median(everything), rel=1e-15)
    for limit in (bound, everything[0], everything[-1]):
        assert sums.at_most(limit) == sum(s <= limit for s in everything)
        assert sums.below(limit) == sum(s < limit for s in everything)


@given(values, fine)
def test_walsh_averages(sample: list[float], bound: float) -> None:
    sums = walsh_averages(sample)
    assert sums.size == len(sample) * (len(sample) + 1) // 2
    agrees(sums, bound)


@given(values, values, fine)
def test_differences(before: list[float], after: list[float], bound: float) -> None:
    sums = differences(before, after)
    assert listed(sums) == sorted(b - a for a, b in product(before, after))
    agrees(sums, bound)


def test_ten_thousand_values_need_few_walks_and_no_long_list(monkeypatch: pytest.MonkeyPatch) -> None:
    walks = []
    walk = PairwiseSums.at_most

    def counted(sums: PairwiseSums, bound: float) -> int:
        walks.append(bound)
        return walk(sums, bound)

    monkeypatch.setattr(PairwiseSums, "at_most", counted)
    sample = np.random.default_rng(1).normal(size=10_000).tolist()
    sums = walsh_averages(sample)
    value = sums.kth(sums.size // 3)
    assert len(walks) <= 18
    assert sums.in_order() is sums
    assert sums.at_most(value) == sums.size // 3
    assert sums.below(value) == sums.size // 3 - 1


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x / 4), min_size=1, max_size=12))
def test_no_data_need_more_than_four_times_the_walks_of_halving(sample: list[float]) -> None:
    walks = []
    walk = PairwiseSums.at_most

    def counted(sums: PairwiseSums, bound: float) -> int:
        walks.append(bound)
        return walk(sums, bound)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairwise, "_LISTED", 0)
        patch.setattr(PairwiseSums, "at_most", counted)
        sums = walsh_averages(sample)
        assert sums.kth((sums.size + 1) // 2) == listed(sums)[(sums.size - 1) // 2]
    assert len(walks) <= 4 * 64


def test_ties_by_the_thousand() -> None:
    sums = walsh_averages([0.0] * 500 + [1.0] * 500)
    assert (sums.kth(1), sums.median(), sums.kth(sums.size)) == (0.0, 0.5, 1.0)
