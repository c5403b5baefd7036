"""The search for the highest rate, on simulated services whose capacity is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.capacity import Capacity, Probe, Probed, Search, find, found, next_rate


class Queue:
    """An M/M/1 queue: the mean time in it is 1 / (capacity - rate), so a limit on it is kept up to a known rate."""

    def __init__(self, capacity: float, limit: float, generator: float = float("inf")) -> None:
        self.capacity, self.limit, self.generator = capacity, limit, generator
        self.asked: list[float] = []

    @property
    def highest(self) -> float:
        return self.capacity - 1 / self.limit

    def probe(self, rate: float) -> Probed:
        self.asked.append(rate)
        if rate > self.generator:
            return "generator"
        return "kept" if rate <= self.highest else "broken"


@given(st.floats(40, 50_000), st.floats(0.05, 0.5), st.floats(1, 5000))
def test_the_highest_rate_is_found_to_the_precision(capacity: float, precision: float, begin: float) -> None:
    queue = Queue(capacity, 0.1)
    made = find(Search(begin, 1e6, precision, least=1.0), queue.probe)
    assert made.rate <= queue.highest <= made.rate * (1 + precision) * (1 + 1e-9)
    assert not made.at_least
    assert len(queue.asked) < 40


def test_it_doubles_first_and_then_halves_the_logarithm() -> None:
    queue = Queue(capacity=110, limit=0.1)  # kept up to 100/s
    find(Search(30, 1e6, precision=0.2), queue.probe)
    assert queue.asked == pytest.approx([30, 60, 120, 84.853, 100.908], abs=0.01)


def test_it_says_when_the_generator_is_the_limit() -> None:
    queue = Queue(1e6, 0.1, generator=500)
    made = find(Search(100, 1e6), queue.probe)
    assert queue.asked == [100, 200, 400, 800]
    assert (made.rate, made.at_least) == (400, True)
    assert "generator is the limit" in made.why


def test_a_generator_that_fails_below_a_broken_rate_leaves_a_lower_bound() -> None:
    probes = [Probe(100, "kept"), Probe(200, "broken"), Probe(141, "generator")]
    assert next_rate(Search(100, 1e6), probes) is None
    assert found(Search(100, 1e6), probes).at_least


def test_it_stops_at_the_most_that_was_asked_for() -> None:
    queue = Queue(1e6, 0.1)
    made = find(Search(100, 300), queue.probe)
    assert queue.asked == [100, 200, 300]
    assert (made.rate, made.at_least) == (300, True)


def test_a_service_that_keeps_no_rate_has_none() -> None:
    queue = Queue(0.5, 0.1)
    made = find(Search(8, 300, least=2), queue.probe)
    assert queue.asked == [8, 4, 2]
    assert made == Capacity(0.0, at_least=False, why="no rate kept the limit, 2/s did not")
