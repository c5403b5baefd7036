"""Pooled quantiles: against numpy, by hand, by labelling in every way, and their false alarms by simulation."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.statistics.tails import TailTest, quantile

groups = st.lists(st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=9), min_size=1, max_size=6)


def rounds(seed: int, n: int, each: int, shift: float = 0.0) -> list[list[float]]:
    """Values with a tail to the right, and a level of its own in each round."""
    generator = np.random.default_rng(seed)
    levels = generator.normal(0, 0.02, n)
    return (levels[:, None] + generator.exponential(0.1, (n, each)) + shift).tolist()


@given(groups, st.floats(0.001, 0.999))
def test_a_quantile_is_numpys(before: list[list[float]], q: float) -> None:
    everything = np.concatenate(before)
    assert quantile(everything.tolist(), q) == np.quantile(everything, q, method="inverted_cdf")


def test_whole_ranks_are_not_lost_to_rounding() -> None:
    assert quantile([float(x) for x in range(1, 21)], 0.95) == 19.0
    assert quantile([1.0], 0.01) == 1.0


def test_few_rounds_are_labelled_in_every_way() -> None:
    """Four rounds, each 1 higher: only the labelling that was drawn is as extreme, 1 of 16 on that side."""
    test = TailTest([[0.0, 0.1]] * 4, [[1.0, 1.1]] * 4, 0.95)
    assert test.estimate() == 1.0
    assert test.p_value(0.0) == pytest.approx(2 / 16)
    assert test.p_value(2.0) == 1.0


@given(groups, st.data())
def test_labelling_in_every_way_by_another_program(before: list[list[float]], data: st.DataObject) -> None:
    """scipy's paired permutation test of what each round has beyond the quantile; numpy finds that."""
    after = [
        data.draw(st.lists(st.integers(-20, 20).map(float), min_size=len(b), max_size=len(b)), label="after")
        for b in before
    ]
    at = partial(np.quantile, q=0.9, method="inverted_cdf")
    both = zip(map(sorted, before), map(sorted, after), strict=True)
    pairs = [sorted(pair, key=lambda values: (at(values), values)) for pair in both]
    low, high = sorted(at(np.concatenate([pair[side] for pair in pairs])) for side in (0, 1))

    def reaching(side: list[list[float]]) -> np.ndarray:
        if low == high:
            return np.array([np.mean(np.array(v) >= low) + np.mean(np.array(v) > low) for v in side])
        return np.array([2 * np.mean(np.clip((np.array(v) - low) / (high - low), 0, 1)) for v in side])

    differences = reaching(after) - reaching(before)
    expected = 1.0
    if len(before) > 1:
        sides = (
            stats.permutation_test(
                (sign * differences,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="greater"
            ).pvalue
            for sign in (1, -1)
        )
        expected = min(1.0, 2 * min(sides))
    assert TailTest(before, after, 0.9).p_value(0.0) == pytest.approx(expected, abs=0.13)  # nearly equal sums


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.01])
def test_interval_and_p_value_agree_and_hold_the_estimate(seed: int, alpha: float) -> None:
    test = TailTest(rounds(2 * seed, 12, 20), rounds(2 * seed + 1, 12, 20, shift=0.04), 0.9)
    low, high = test.interval(alpha)
    assert low <= test.estimate() <= high
    for end, outwards in ((low, -1e-6), (high, 1e-6)):
        moved = TailTest(test.before, [[x - end - outwards for x in values] for values in test.after], 0.9)
        assert moved.p_value(0.0) <= alpha


def test_intervals_hold_the_truth_as_often_as_promised() -> None:
    """300 sessions of 10 rounds that differ, really moved by 0.05; at 10 % at most 10 % miss it (+ 3 sigma), on each
    side at most 5 %."""
    below = above = 0
    for seed in range(300):
        low, high = TailTest(rounds(2 * seed, 10, 12), rounds(2 * seed + 1, 10, 12, shift=0.05), 0.9).interval(0.1)
        below, above = below + (high < 0.05), above + (low > 0.05)
    assert max(below, above) <= 15 + 3 * math.sqrt(15)
    assert below + above >= 5


def test_exchanging_the_sides_mirrors_everything() -> None:
    before, after = rounds(1, 18, 9), rounds(2, 18, 9, shift=0.03)
    forth, back = TailTest(before, after, 0.9), TailTest(after, before, 0.9)
    assert back.estimate() == -forth.estimate()
    assert back.interval(0.01) == tuple(-end for end in reversed(forth.interval(0.01)))
    assert back.p_value(0.01) == forth.p_value(0.01)


def test_higher_values_never_look_lower() -> None:
    before, after = rounds(1, 18, 9), rounds(2, 18, 9)
    plain = TailTest(before, after, 0.9)
    higher = TailTest(before, [[x + abs(math.sin(i * x)) / 9 for x in r] for i, r in enumerate(after)], 0.9)
    assert higher.estimate() >= plain.estimate()
    assert all(new >= old for new, old in zip(higher.interval(0.01), plain.interval(0.01), strict=True))


@pytest.mark.parametrize("more", [0, 6])
def test_no_change_is_called_as_seldom_as_promised(more: int) -> None:
    """400 sessions of 8 rounds without any change, with rounds that differ: 5 % called, but for chance (3 sigma). Also
    when one side of every round, or of every other, has twice as many values."""
    called = 0
    for seed in range(400):
        before, after = rounds(2 * seed, 8, 6), rounds(2 * seed + 1, 8, 6 + more)
        called += TailTest(before, after, 0.9).p_value(0.0) <= 0.05
    assert 1 <= called <= 20 + 3 * math.sqrt(20)


@pytest.mark.parametrize("n", [14, 28])
def test_there_is_an_interval_at_every_level_that_the_rounds_allow(n: int) -> None:
    before, after = rounds(1, n, 20), rounds(2, n, 20, shift=9.0)
    test = TailTest(before, after, 0.5)
    least = 2 / 2**n
    assert test.p_value(0.0) == pytest.approx(least)
    assert test.interval(0.9 * least) == (-math.inf, math.inf)
    assert test.interval(1.1 * least) > (8.0, 8.0)
