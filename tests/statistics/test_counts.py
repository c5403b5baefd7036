import math

import numpy as np
import pytest
from scipy import stats

from harness.statistics.counts import PairedRatio, RatioTest, dispersion, never_varies, paired_ratio, ratio_test
from tests.statistics.test_exchange import in_every_way


def singly(counts: list[int]) -> list[tuple[int, int]]:
    """One count in each round."""
    return [(count, 1) for count in counts]


@pytest.mark.parametrize(
    ("values", "expected"), [((), False), ((3.0,), False), ((3.0, 3.0), True), ((3.0, 4.0), False)]
)
def test_never_varies(values: tuple[float, ...], *, expected: bool) -> None:
    assert never_varies(values) is expected


@pytest.mark.parametrize(("before", "after", "exposure"), [(20, 41, 1.0), (3, 0, 1.0), (0, 9, 2.0), (150, 160, 0.5)])
@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_p_value_is_scipys_binomial_test(before: int, after: int, exposure: float, margin: float) -> None:
    test = RatioTest(before, after, exposure)
    shares = [r / (1 + r) for r in (exposure * math.exp(margin), exposure * math.exp(-margin))]
    up = stats.binomtest(after, before + after, shares[0], alternative="greater").pvalue
    down = stats.binomtest(after, before + after, shares[1], alternative="less").pvalue
    assert test.p_value(margin) == pytest.approx(min(1, 2 * up, 2 * down), rel=1e-7)


def test_interval_by_hand() -> None:
    """0 before, 5 after in as many values: the share of after is at least 0.025^(1/5) = 0.478."""
    low, high = RatioTest(0, 5, 1.0).interval(0.05)
    share = 0.025 ** (1 / 5)
    assert low == pytest.approx(math.log(share / (1 - share)))
    assert high == math.inf
    assert RatioTest(0, 5, 1.0).estimate() == math.inf
    assert RatioTest(5, 0, 1.0).estimate() == -math.inf
    assert RatioTest(5, 20, 2.0).estimate() == pytest.approx(math.log(2))


@pytest.mark.parametrize("alpha", [0.1, 0.01, 0.001])
@pytest.mark.parametrize("seed", range(20))
def test_p_value_and_interval_never_contradict(seed: int, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    test = RatioTest(int(rng.integers(0, 60)), int(rng.integers(1, 60)), float(rng.choice([0.5, 1.0, 3.0])))
    low, high = test.interval(alpha)
    assert low <= test.estimate() <= high
    for margin in (0.0, 0.2):
        assert (test.p_value(margin) <= alpha) == (low > margin or high < -margin)


def test_rounds_in_which_nothing_happened_exclude_nothing() -> None:
    test = PairedRatio([0.0, 0.0], [0.0, 0.0])
    assert (test.estimate(), test.interval(0.05), test.p_value(0.0)) == (0.0, (-math.inf, math.inf), 1.0)


def test_dispersion_by_hand() -> None:
    """Means 2 and 4; squares (4 + 4) / 2 and (4 + 4) / 4 sum to 6, over 4 - 2 degrees of freedom (at least 1)."""
    assert dispersion(singly([0, 4, 2]), singly([2, 6, 4])) == 3.0
    assert dispersion(singly([0, 4]), singly([0, 0])) == 4.0
    assert dispersion(singly([5, 5, 6]), singly([5, 6, 6])) == 1.0


def test_dispersion_is_that_of_rounds() -> None:
    """Totals 0 and 12 of one and three values: 3 and 9 were expected; 9 / 3 + 9 / 9."""
    assert dispersion([(0, 1), (12, 3)], singly([0, 0])) == 4.0


def test_dispersion_divides_both_totals() -> None:
    assert ratio_test(singly([0, 4, 2]), singly([2, 6, 4])) == RatioTest(2.0, 4.0, 1.0, 2 / 20)


@pytest.mark.parametrize("excess", [1, 3])
def test_false_alarms_stay_at_their_level(excess: int) -> None:
    """Counts of 12 rounds, Poisson and with three times its variance: at 5 % at most 5 % (+ 3 standard errors)."""
    rng = np.random.default_rng(5)
    mean, trials, alarms = 12, 2000, 0
    for _ in range(trials):
        if excess == 1:
            before, after = rng.poisson(mean, (2, 12)).tolist()
        else:
            before, after = rng.negative_binomial(mean / (excess - 1), 1 / excess, (2, 12)).tolist()
        alarms += ratio_test(singly(before), singly(after)).p_value(0.0) <= 0.05
    assert 0.01 < alarms / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


@pytest.mark.parametrize(("before", "after", "exposure"), [(20, 41, 1.0), (3, 0, 2.0), (150, 160, 0.5)])
def test_swapping_is_the_mirror_image(before: int, after: int, exposure: float) -> None:
    test, mirrored = RatioTest(before, after, exposure), RatioTest(after, before, 1 / exposure)
    low, high = test.interval(0.01)
    assert mirrored.interval(0.01) == pytest.approx((-high, -low), rel=1e-9)
    assert mirrored.estimate() == pytest.approx(-test.estimate())
    assert mirrored.p_value(0.01) == pytest.approx(test.p_value(0.01), rel=1e-9)


def test_few_rounds_exclude_nothing_whatever_they_hold() -> None:
    test = ratio_test([(0, 9), (0, 9)], [(900, 9), (900, 9)])
    assert test.p_value(0.0) == 2 / 6
    assert test.interval(0.3) == (-math.inf, math.inf)
    assert test.interval(0.4)[0] > 1


@pytest.mark.parametrize("margin", [0.0, math.log(2)])
@pytest.mark.parametrize("seed", range(20))
def test_pairs_in_every_way(seed: int, margin: float) -> None:
    """Eight rounds; twice as many as before are compared with after."""
    before, after = np.random.default_rng(seed).poisson([[3], [5]], (2, 8)).tolist()
    factor = round(math.exp(margin))
    up = in_every_way([(b - factor * a) / (1 + factor) for a, b in zip(before, after, strict=True)])
    down = in_every_way([(a - factor * b) / (1 + factor) for a, b in zip(before, after, strict=True)])
    assert paired_ratio(singly(before), singly(after)).p_value(margin) == pytest.approx(
        min(1.0, 2 * up, 2 * down),
        abs=0.1 if margin else 1e-12,  # ties of thirds
    )


def test_ends_of_the_paired_interval_are_ratios_of_subsets() -> None:
    """Four rounds and the level 2/16: the least and the largest ratio of a round or of several."""
    low, high = PairedRatio([4, 2, 5, 3], [6, 7, 5, 9]).interval(2 / 16 + 1e-9)
    assert (math.exp(low), math.exp(high)) == pytest.approx((5 / 5, 7 / 2), rel=1e-3)
    assert PairedRatio([4, 2, 5, 3], [6, 7, 5, 9]).interval(2 / 16 - 1e-9) == (-math.inf, math.inf)


@pytest.mark.parametrize("alpha", [0.1, 0.01, 0.001])
@pytest.mark.parametrize("seed", range(10))
def test_paired_p_value_and_interval_agree_and_are_mirrored(seed: int, alpha: float) -> None:
    before, after = np.random.default_rng(seed).negative_binomial([[2], [6]], 0.2, (2, 14)).tolist()
    test, mirrored = PairedRatio(before, after), PairedRatio(after, before)
    low, high = test.interval(alpha)
    assert low <= test.estimate() <= high
    assert mirrored.interval(alpha) == (-high, -low)
    for margin in (0.0, 0.2):
        assert (test.p_value(margin) <= alpha) == (low > margin or high < -margin)


def test_events_on_one_side_only() -> None:
    test = PairedRatio([0] * 10, [1, 0, 2, 1, 1, 1, 1, 1, 1, 1])
    assert test.estimate() == math.inf
    assert test.p_value(0.0) == 2 / 2**9
    low, high = test.interval(0.01)
    assert low > 0
    assert high == math.inf
    assert PairedRatio([0] * 10, [0] * 9 + [4]).interval(0.01) == (-math.inf, math.inf)


def test_paired_intervals_hold_the_truth_as_often_as_promised() -> None:
    """500 sessions of 12 rounds whose levels differ, shared by the pair; three per side at 10 %, + 3 sigma."""
    generator, missed = np.random.default_rng(8), 0
    for _ in range(500):
        levels = generator.gamma(4, 3, 12)
        before, after = generator.poisson([levels, 1.5 * levels]).tolist()
        low, high = PairedRatio(before, after).interval(0.1)
        missed += not low <= math.log(1.5) <= high
    assert 10 <= missed <= 50 + 3 * math.sqrt(50)
