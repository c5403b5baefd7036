"""Waiting as a distribution, against formulas known by heart, a numeric convolution, and a simulation of the policy."""

import random
from statistics import NormalDist, fmean, variance

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from harness.retry import Distribution, Part, RetryPolicy
from harness.retry import distribution as module
from harness.retry.distribution import uniform_sum_cdf

BEFORE = RetryPolicy(max_attempts=3, base=1.0, factor=2.0, cap=30.0, timeout=60.0)
LONG = RetryPolicy(max_attempts=10, base=0.5, factor=1.9, cap=30.0, timeout=60.0)


def simulated(policy: RetryPolicy, share: float, draw: random.Random) -> tuple[int, float, bool]:
    """Attempts, waiting and success of one call, step by step as a backend makes it."""
    waited = 0.0
    for attempt in range(policy.max_attempts):
        if draw.random() >= share:
            return attempt + 1, waited, True
        if attempt + 1 < policy.max_attempts:
            wait = min(policy.base * policy.factor**attempt, policy.cap)
            waited += wait * (1 + draw.uniform(policy.jitter_low, policy.jitter_high))
    return policy.max_attempts, waited, False


def test_one_width_is_a_line_two_equal_ones_a_triangle() -> None:
    assert [uniform_sum_cdf([2.0], t) for t in (0.0, 0.5, 1.0, 2.0)] == [0.0, 0.25, 0.5, 1.0]
    assert [uniform_sum_cdf([1.0, 1.0], t) for t in (0.5, 1.0, 1.5)] == [0.125, 0.5, 0.875]


def test_no_digit_is_lost_where_the_terms_cancel() -> None:
    widths = [0.01 * 1.3**i for i in range(12)]
    half = sum(widths) / 2
    assert uniform_sum_cdf(widths, half) == pytest.approx(0.5, abs=1e-12), "symmetric about its middle"
    # Far below, only the empty subset counts: t^n / (n! w1 … wn).
    t = 0.005
    expected = 1.0
    for i, width in enumerate(widths, 1):
        expected *= t / (i * width)
    assert uniform_sum_cdf(widths, t) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("policy", [BEFORE, LONG], ids=["three", "ten"])
def test_the_cdf_is_that_of_a_numeric_convolution(policy: RetryPolicy) -> None:
    (part,) = policy.total_waiting(None).parts
    cell = sum(part.widths) / 40_000
    density = np.array([1.0])
    for width in part.widths:
        density = fftconvolve(density, np.full(round(width / cell), 1 / round(width / cell)))
    cumulated = np.cumsum(density)
    # A value that lies in the cells 0, 1, … of each wait lies in the middle of them.
    shift = len(part.widths) / 2
    for x in np.linspace(0.2, 0.8, 7) * sum(part.widths):
        numeric = cumulated[int(x / cell - shift)]
        assert policy.total_waiting(None).cdf(part.least + x) == pytest.approx(numeric, abs=1e-3)


def test_the_grid_agrees_with_the_exact_sum_within_what_it_states(monkeypatch: pytest.MonkeyPatch) -> None:
    (part,) = LONG.total_waiting(None).parts
    monkeypatch.setattr(module, "CELLS", 2000)
    off = len(part.widths) / 2 * sum(part.widths) / 2000
    for share in (0.2, 0.5, 0.7):
        t = share * sum(part.widths)
        exact = [uniform_sum_cdf(part.widths, x) for x in (t - off, t + off)]
        with monkeypatch.context() as patch:
            patch.setattr(module, "MAX_TERMS", 1)
            assert exact[0] <= uniform_sum_cdf(part.widths, t) <= exact[1]


def test_a_hundred_attempts_are_near_the_normal_distribution() -> None:
    many = RetryPolicy(100, base=1.0, factor=1.01, cap=60.0, timeout=1.0).total_waiting(None)
    assert many.cdf(many.mean) == pytest.approx(0.5, abs=0.01)
    one_sigma = NormalDist().cdf(1.0)
    assert many.cdf(many.mean + many.variance**0.5) == pytest.approx(one_sigma, abs=0.01)


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_what_is_predicted_is_what_a_simulation_of_the_policy_does(share: float) -> None:
    draw = random.Random(11)
    calls = [simulated(BEFORE, share, draw) for _ in range(40_000)]
    waits = sorted(waited for _, waited, _ in calls)
    predicted = BEFORE.waiting_under(share)
    spread = predicted.variance**0.5
    assert BEFORE.expected_attempts(share) == pytest.approx(fmean(a for a, _, _ in calls), abs=0.02)
    assert predicted.mean == pytest.approx(fmean(waits), abs=5 * spread / 200)
    assert predicted.variance == pytest.approx(variance(waits), rel=0.05)
    assert BEFORE.success_share(share) == pytest.approx(fmean(ok for _, _, ok in calls), abs=0.012)
    for x in (0.0, 0.5, 1.2, 2.0, 3.6, 4.0):
        assert predicted.cdf(x) == pytest.approx(fmean(waited <= x for waited in waits), abs=0.012)


def test_quantiles_are_the_smallest_values_that_reach_them() -> None:
    mixture = BEFORE.waiting_under(0.2)
    assert mixture.quantile(0.5) == 0.0, "four of five calls do not wait at all"
    for q in (0.85, 0.95, 0.999):
        x = mixture.quantile(q)
        assert mixture.cdf(x) >= q - 1e-9
        assert mixture.cdf(x - 1e-6) < q
    assert mixture.quantile(1.0) == pytest.approx(mixture.support[1])
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        mixture.quantile(0.0)


def test_without_jitter_the_waiting_is_certain() -> None:
    steady = RetryPolicy(3, 1.0, 2.0, 30.0, 60.0, jitter_low=0.0, jitter_high=0.0).total_waiting(2)
    assert (steady.mean, steady.variance, steady.quantile(0.5)) == (3.0, 0.0, 3.0)
    assert (steady.cdf(2.999), steady.cdf(3.0)) == (0.0, 1.0)


@given(
    st.lists(st.floats(0.001, 50), min_size=1, max_size=6),
    st.lists(st.floats(0, 1), min_size=2, max_size=6),
)
def test_a_cdf_grows_from_zero_to_one_and_is_symmetric(widths: list[float], shares: list[float]) -> None:
    total = sum(widths)
    values = [uniform_sum_cdf(widths, share * total) for share in sorted(shares)]
    assert values == sorted(values)
    assert all(0 <= value <= 1 for value in values)
    for share in shares:
        mirrored = 1 - uniform_sum_cdf(widths, total - share * total)
        assert uniform_sum_cdf(widths, share * total) == pytest.approx(mirrored, abs=1e-9)


def test_a_mixture_spreads_within_and_between_its_parts() -> None:
    mixture = Distribution((Part(0.5, 0.0), Part(0.5, 1.0, (2.0,))))
    assert mixture.mean == 1.0
    assert mixture.variance == pytest.approx(0.5 * 4 / 12 + 1.0)
    assert mixture.support == (0.0, 3.0)
    assert [mixture.cdf(x) for x in (-0.1, 0.0, 2.0, 3.0)] == [0.0, 0.5, 0.75, 1.0]
