import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.floats import halfway

numbers = st.floats(allow_nan=False)


@given(numbers, numbers)
def test_halfway_lies_between(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert low <= halfway(low, high) <= high


@given(numbers, numbers)
def test_halving_ends_within_64_steps_at_neighbours(a: float, b: float) -> None:
    low, high = sorted((a, b))
    for _ in range(64):
        middle = halfway(low, high)
        if middle == low:
            break
        low = middle
    assert high in (low, math.nextafter(low, math.inf))


@pytest.mark.parametrize(("low", "high", "middle"), [(-1.0, 1.0, 0.0), (-math.inf, math.inf, 0.0), (2.0, 2.0, 2.0)])
def test_known_middles(low: float, high: float, middle: float) -> None:
    assert halfway(low, high) == middle
