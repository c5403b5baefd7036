"""The exchange of the sides of rounds: against scipy, in every way by hand, and its false alarms by simulation."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.statistics.exchange import MOST_ROUNDS, exceeds, last_excluded, means


def in_every_way(differences: list[float]) -> float:
    choices = product((0, 1), repeat=len(differences))
    sums = [sum(x for x, sign in zip(differences, signs, strict=True) if sign) for signs in choices]
    return sum(total <= 0 for total in sums) / len(sums)


@given(st.lists(st.integers(-9, 12).map(lambda x: x / 2), min_size=1, max_size=9))
def test_every_way_is_counted(differences: list[float]) -> None:
    assert exceeds(differences) == in_every_way(differences)


@pytest.mark.parametrize("seed", range(10))
def test_it_is_scipys_paired_permutation_test(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.4, 1, 12)
    expected = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="greater"
    ).pvalue
    assert exceeds(differences.tolist()) == pytest.approx(expected, abs=0.005)  # of differences in 4096 steps


@pytest.mark.parametrize("n", [1, 14, 28, 60])
def test_when_all_rounds_agree_one_labelling_is_as_extreme(n: int) -> None:
    assert exceeds([0.3] * n) == 2.0**-n
    assert exceeds([-0.3] * n) == 1.0


def test_rounds_that_show_nothing_add_nothing() -> None:
    assert exceeds([1.0, 0.0, 1.0, 0.0]) == exceeds([1.0, 1.0]) == 0.25
    assert exceeds([0.0] * 5) == exceeds([]) == exceeds([5e-324]) == 1.0


def test_of_many_rounds_neighbours_are_exchanged_together() -> None:
    generator = np.random.default_rng(4)
    many = generator.normal(0.1, 1, 400)
    z = many.sum() / math.sqrt((many**2).sum())
    assert exceeds(many.tolist()) == pytest.approx(stats.norm.sf(z), rel=0.25)
    assert exceeds([1.0] * 400) == 2.0**-MOST_ROUNDS


@pytest.mark.parametrize("n", [8, 28, 70])
@pytest.mark.parametrize("tails", [1.5, 30.0])
def test_no_difference_is_as_rare_as_it_says(n: int, tails: float) -> None:
    """3000 times, normal and with heavy tails: 5 % at the level of 5 %, but for chance (3 standard errors)."""
    generator, rare = np.random.default_rng(9), 0
    for differences in generator.standard_t(tails, (3000, n)).tolist():
        rare += exceeds(differences) <= 0.05
    assert 75 <= rare <= 150 + 3 * math.sqrt(150)


def test_the_last_that_is_excluded() -> None:
    assert last_excluded(lambda x: 0.0 if x < 0.7 else 1.0, 0.5, 0.0, 1.0) == pytest.approx(0.7, abs=1e-6)
    assert last_excluded(lambda x: 1.0, 0.5, 0.0, 1.0) is None


def test_means_are_whole_numbers_of_a_common_unit() -> None:
    assert means([(3, 2), (1, 3)], [(2, 2), (5, 4)]) == ([18, 4], [12, 15], 12.0)
    assert means([(1, 1009)], [(1, 1049)]) == ([1 / 1009], [1 / 1049], 1.0)  # no common unit worth having
