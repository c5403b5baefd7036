"""Boundaries against published tables, against another integration and against simulation."""

import math
import time
from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from harness.statistics.normal import lower_tail, two_sided
from harness.statistics.sequential import boundaries, nominal_level, pocock_spending

FIVE = (1, 2, 3, 4, 5)


def obrien_fleming_spending(alpha: float, t: float) -> float:
    """Another spending function with published boundaries: it spends late. Lan & DeMets (1983), after O'Brien & Fleming
    (Biometrics 35, 1979); theirs is one-sided, so each side spends half."""
    return 4 * lower_tail(-two_sided(alpha / 2) / math.sqrt(t))


def exits(looks: Sequence[int], z: Sequence[float], points: int = 1501) -> list[float]:
    """The probability of the first alarm at each look, two-sided, by the trapezoidal rule on a full dense grid."""
    shares = np.array(looks) / looks[-1]
    grid, mass = np.zeros(1), np.ones(1)
    found = []
    for earlier, t, limit in zip((0, *shares), shares, np.array(z) * np.sqrt(shares), strict=False):
        step = math.sqrt(t - earlier)
        found.append(float(mass @ (ndtr((grid - limit) / step) + ndtr((-grid - limit) / step))))
        new = np.linspace(-limit, limit, points)
        heights = np.exp(-((new[:, None] - grid) ** 2) / (2 * step * step)) @ mass / (step * math.sqrt(2 * math.pi))
        weights = np.full(points, new[1] - new[0])
        weights[[0, -1]] /= 2
        grid, mass = new, weights * heights
    return found


@pytest.mark.parametrize(
    ("spending", "published"),
    [
        (pocock_spending, (2.438, 2.427, 2.410, 2.397, 2.386)),
        (obrien_fleming_spending, (4.877, 3.357, 2.680, 2.290, 2.031)),
    ],
)
def test_five_equal_looks_at_five_percent_as_published(spending: object, published: Sequence[float]) -> None:
    """As printed by the program of Lan & DeMets for two-sided 5 %, and by all that came after it."""
    assert boundaries(FIVE, 0.05, spending) == pytest.approx(published, abs=6e-4)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("looks", "alpha", "simulated"),
    [
        ((25, 50, 100, 200, 400), 0.01, (3.29, 3.26, 3.12, 2.96, 2.84)),
        ((25, 50, 100, 200, 400), 0.001, (3.93, 3.89, 3.73, 3.64, 3.52)),
        ((25, 50, 100, 200, 400), 0.10, (2.57, 2.52, 2.31, 2.10, 1.92)),
        ((12, 24, 48, 96), 0.01, (3.10, 3.09, 2.96, 2.82)),
        ((12, 24, 48, 96), 0.001, (3.77, 3.73, 3.63, 3.52)),
        ((12, 24, 48, 96), 0.10, (2.34, 2.29, 2.10, 1.92)),
    ],
)
def test_doubling_looks_as_a_million_simulated_paths_have_them(
    looks: tuple[int, ...], alpha: float, simulated: Sequence[float]
) -> None:
    """A boundary passed by 100 of 10^6 paths is known to 0.03 only; the tolerance is two such errors."""
    tolerance = 0.06 if alpha < 0.01 else 0.02
    assert boundaries(looks, alpha) == pytest.approx(simulated, abs=tolerance)


@pytest.mark.parametrize(
    ("alpha", "constants"),
    [(0.05, {2: 2.178, 3: 2.289, 4: 2.361, 5: 2.413, 10: 2.555}), (0.01, {2: 2.772, 3: 2.873, 5: 2.986, 10: 3.117})],
)
def test_spending_as_pococks_test_does_gives_his_constants(alpha: float, constants: dict[int, float]) -> None:
    """Jennison & Turnbull, table 2.1: one boundary for all of K equally spaced looks."""
    for count, constant in constants.items():
        looks = tuple(range(1, count + 1))
        spent = list(accumulate(exits(looks, [constant] * count, points=801)))
        assert spent[-1] == pytest.approx(alpha, rel=3e-3)  # the constant has three decimals
        table = dict(zip((look / count for look in looks), spent, strict=True))
        assert boundaries(looks, alpha, lambda _, t, table=table: table[t]) == pytest.approx(
            [constant] * count, abs=1e-3
        )  # type: ignore[misc]


@pytest.mark.parametrize(
    ("alpha", "constants"), [(0.05, {2: 1.977, 4: 2.024, 5: 2.040, 10: 2.087}), (0.01, {5: 2.621})]
)
def test_spending_as_obrien_and_flemings_test_does_gives_their_constants(
    alpha: float, constants: dict[int, float]
) -> None:
    """Jennison & Turnbull, table 2.3: C * sqrt(K / k)."""
    for count, constant in constants.items():
        looks = tuple(range(1, count + 1))
        z = [constant * math.sqrt(count / k) for k in looks]
        spent = list(accumulate(exits(looks, z, points=801)))
        assert spent[-1] == pytest.approx(alpha, rel=3e-3)
        table = dict(zip((look / count for look in looks), spent, strict=True))
        assert boundaries(looks, alpha, lambda _, t, table=table: table[t]) == pytest.approx(z, abs=1e-3)  # type: ignore[misc]


@pytest.mark.parametrize("alpha", [0.1, 0.01, 1e-4, 1e-6])
@pytest.mark.parametrize("looks", [(14, 20, 28), (12, 24, 48, 96), (100, 101, 102, 400), (1, 2, 1000)])
def test_another_integration_spends_the_same(looks: tuple[int, ...], alpha: float) -> None:
    """A relative error of 0.5 % in what is spent is less than 1e-3 in z everywhere beyond z = 1.6."""
    spent = exits(looks, boundaries(looks, alpha))
    budget = [pocock_spending(alpha, look / looks[-1]) for look in looks]
    assert spent == pytest.approx([later - earlier for earlier, later in pairwise([0, *budget])], rel=5e-3)


def test_simulated_paths_alarm_as_often_as_they_may() -> None:
    looks, alpha, paths = (12, 24, 48, 96), 0.05, 200_000
    z = boundaries(looks, alpha)
    sums = np.cumsum(np.random.default_rng(7).normal(size=(paths, 96)), axis=1)[:, np.array(looks) - 1]
    alarms = np.abs(sums) / np.sqrt(looks) >= z
    for look, rate in zip(looks, np.maximum.accumulate(alarms, axis=1).mean(axis=0), strict=True):
        expected = pocock_spending(alpha, look / 96)
        assert rate == pytest.approx(expected, abs=4 * math.sqrt(expected / paths))


@given(st.floats(1e-7, 0.2), st.integers(1, 10_000))
def test_one_look_is_the_plain_test(alpha: float, look: int) -> None:
    (z,) = boundaries((look,), alpha)
    assert z == pytest.approx(two_sided(alpha), abs=1e-9)
    assert nominal_level(z) == pytest.approx(alpha, rel=1e-9)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=6, unique=True).map(sorted), st.floats(1e-6, 0.1))
def test_looking_oftener_never_makes_a_look_cheaper_than_looking_once(looks: list[int], alpha: float) -> None:
    for spending in (pocock_spending, obrien_fleming_spending):
        assert all(z >= two_sided(alpha) - 1e-9 for z in boundaries(tuple(looks), alpha, spending))


def test_a_look_without_anything_to_spend_is_set_as_far_as_floats_go() -> None:
    z = boundaries((1, 1000), 0.01, obrien_fleming_spending)
    assert z == pytest.approx((37, two_sided(0.01)), abs=1e-6)
    assert nominal_level(z[0]) > 0


@pytest.mark.parametrize("looks", [(), (0,), (-1, 4), (4, 4), (8, 4)])
def test_looks_that_do_not_ascend_are_refused(looks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="positive and ascending"):
        boundaries(looks, 0.01)


def test_five_looks_cost_less_than_a_million_additions() -> None:
    """Which take about 50 ms wherever five looks take 10: the speed of the machine does not matter."""
    started = time.process_time()
    sum(float(i) for i in range(1_000_000))
    yardstick = time.process_time() - started
    started = time.process_time()
    boundaries((25, 50, 100, 200, 401), 0.0123)
    assert time.process_time() - started < yardstick
