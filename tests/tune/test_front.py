"""The front, against its definition."""

from hypothesis import given
from hypothesis import strategies as st

from harness.model import Metric
from harness.tune.front import dominates, front

OBJECTIVES = (Metric("time", "s"), Metric("share", "1", better="higher", kind="rate"), Metric("cost", "1"))
few = st.integers(0, 4).map(float)
points = st.lists(st.fixed_dictionaries({"time": few, "share": few, "cost": few}), max_size=30)


@given(points)
def test_nothing_dominates_the_front_and_something_of_it_dominates_all_else(
    given_points: list[dict[str, float]],
) -> None:
    kept = front(given_points, OBJECTIVES)
    assert len(kept) == len(set(kept))
    for index, point in enumerate(given_points):
        if index in kept:
            assert not any(dominates(other, point, OBJECTIVES) for other in given_points)
        else:
            assert any(dominates(given_points[other], point, OBJECTIVES) for other in kept)


def test_higher_shares_are_better_and_equals_stay_together() -> None:
    low, high = {"time": 1.0, "share": 0.5, "cost": 1.0}, {"time": 1.0, "share": 0.9, "cost": 1.0}
    assert dominates(high, low, OBJECTIVES)
    assert not dominates(low, high, OBJECTIVES)
    assert front([low, high, high], OBJECTIVES) == [1, 2]


def test_rounding_is_no_difference() -> None:
    one, other = {"time": 0.1 + 0.2, "share": 1.0, "cost": 1.0}, {"time": 0.3, "share": 1.0, "cost": 1.0}
    assert not dominates(other, one, OBJECTIVES)
