"""Pooled quantiles: against numpy, by hand, and their false alarms by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.tails import MOST_RESAMPLES, Pool, TailTest, quantile, smallest_level, tail_test

groups = st.lists(st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=9), min_size=1, max_size=6)


def rounds(seed: int, n: int, each: int, shift: float = 0.0) -> list[list[float]]:
    """Values with a tail to the right, and a level of its own in each round."""
    generator = np.random.default_rng(seed)
    levels = generator.normal(0, 0.02, n)
    return (levels[:, None] + generator.exponential(0.1, (n, each)) + shift).tolist()


@given(groups, st.floats(0.001, 0.999), st.data())
def test_a_pool_has_the_quantiles_of_what_it_stands_for(
    groups: list[list[float]], q: float, data: st.DataObject
) -> None:
    weights = data.draw(st.lists(st.integers(0, 3), min_size=len(groups), max_size=len(groups)).filter(any))
    everything = np.concatenate([np.repeat(group, weight) for group, weight in zip(groups, weights, strict=True)])
    assert Pool(groups).quantile(q, weights) == np.quantile(everything, q, method="inverted_cdf")
    assert quantile(everything.tolist(), q) == np.quantile(everything, q, method="inverted_cdf")


def test_a_pool_larger_than_its_table_has_them_too() -> None:
    values = np.random.default_rng(3).normal(size=(7, 500))
    pool = Pool(values.tolist())
    for weights in ([1] * 7, [0, 3, 0, 1, 2, 0, 1], [0, 0, 0, 0, 0, 0, 7]):
        everything = np.repeat(values, weights, axis=0).ravel()
        for q in (0.001, 0.5, 0.95, 0.999):
            assert pool.quantile(q, weights) == np.quantile(everything, q, method="inverted_cdf")


def test_whole_ranks_are_not_lost_to_rounding() -> None:
    assert quantile([float(x) for x in range(1, 21)], 0.95) == 19.0
    assert quantile([1.0], 0.01) == 1.0


def test_few_rounds_are_labelled_in_every_way() -> None:
    """Four rounds, each 1 higher: only the labelling that was drawn is as extreme, 1 of 16 on that side."""
    test = TailTest([[0.0, 0.1]] * 4, [[1.0, 1.1]] * 4, 0.95, 2000)
    assert test.estimate() == 1.0
    assert test.p_value(0.0) == pytest.approx(2 / 16)
    assert test.p_value(2.0) == 1.0


@given(groups, st.data())
def test_labelling_in_every_way_by_another_program(before: list[list[float]], data: st.DataObject) -> None:
    after = [
        data.draw(st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=9), label="after") for _ in before
    ]

    def change(code: int) -> float:
        sides = [(b, a)[:: -1 if code >> i & 1 else 1] for i, (b, a) in enumerate(zip(before, after, strict=True))]
        old, new = (np.concatenate([pair[side] for pair in sides]) for side in (0, 1))
        return float(np.quantile(new, 0.9, method="inverted_cdf") - np.quantile(old, 0.9, method="inverted_cdf"))

    changes = np.array([change(code) for code in range(2 ** len(before))])
    expected = min(1.0, 2 * min(np.mean(changes >= changes[0]), np.mean(changes <= changes[0])))
    assert TailTest(before, after, 0.9, 2000).p_value(0.0) == pytest.approx(expected)


def test_the_interval_is_that_of_a_plain_bootstrap() -> None:
    before, after = rounds(1, 20, 30), rounds(2, 20, 30, shift=0.05)
    generator, changes = np.random.default_rng(5), []
    for _ in range(4000):
        drawn = generator.integers(0, 20, 20)
        old, new = (np.quantile(np.array(side)[drawn], 0.9, method="inverted_cdf") for side in (before, after))
        changes.append(new - old)
    low, high = tail_test(before, after, 0.9, 0.01).interval(0.10)
    width = float(np.quantile(changes, 0.95) - np.quantile(changes, 0.05))
    assert (low, high) == pytest.approx(np.quantile(changes, [0.05, 0.95]).tolist(), abs=width / 15)


def test_exchanging_the_sides_mirrors_everything() -> None:
    before, after = rounds(1, 18, 9), rounds(2, 18, 9, shift=0.03)
    forth, back = tail_test(before, after, 0.9, 0.01), tail_test(after, before, 0.9, 0.01)
    assert back.estimate() == -forth.estimate()
    assert back.interval(0.01) == tuple(-end for end in reversed(forth.interval(0.01)))
    assert back.p_value(0.01) == forth.p_value(0.01)


def test_higher_values_never_look_lower() -> None:
    before, after = rounds(1, 18, 9), rounds(2, 18, 9)
    plain = tail_test(before, after, 0.9, 0.01)
    higher = tail_test(before, [[x + abs(math.sin(i * x)) / 9 for x in r] for i, r in enumerate(after)], 0.9, 0.01)
    assert higher.estimate() >= plain.estimate()
    assert all(new >= old for new, old in zip(higher.interval(0.01), plain.interval(0.01), strict=True))


def test_no_change_is_called_as_seldom_as_promised() -> None:
    """150 sessions of 8 rounds without any change, with rounds that differ: 5 % called, but for chance (3 sigma)."""
    called = sum(
        tail_test(rounds(2 * seed, 8, 6), rounds(2 * seed + 1, 8, 6), 0.9, 0.05).p_value(0.0) <= 0.05
        for seed in range(150)
    )
    assert 1 <= called <= 7.5 + 3 * math.sqrt(7.5)


def test_a_level_that_no_resample_reaches_excludes_nothing() -> None:
    before, after = rounds(1, 10, 5), rounds(2, 10, 5, shift=9.0)
    assert smallest_level() == 10 / MOST_RESAMPLES
    test = TailTest(before, after, 0.9, 2000)
    assert test.interval(0.9 * 10 / 2000) == (-math.inf, math.inf)
    assert test.interval(1.1 * 10 / 2000) > (8.0, 8.0)
    assert TailTest(before[:1], after[:1], 0.9, 2000).interval(0.5) == (-math.inf, math.inf)


@pytest.mark.parametrize(("alpha", "resamples"), [(0.5, 2000), (0.001, 20_000), (0.0003, MOST_RESAMPLES), (1e-9, 2000)])
def test_a_smaller_level_takes_more_resamples_while_it_can_be_reached(alpha: float, resamples: int) -> None:
    assert tail_test([[0.0]], [[0.0]], 0.5, alpha).resamples == resamples
