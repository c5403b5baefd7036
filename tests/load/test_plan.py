"""The schedule: how many starts, when, and how they are shared out."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.load.job import Job, Request, from_json, mixed, to_json
from harness.load.plan import (
    Plan,
    Segment,
    constant,
    planned,
    ramp,
    share,
    soak,
    spike,
    starts,
    steps,
)

RATES = st.floats(0, 200)
SEGMENTS = st.lists(st.tuples(st.floats(0.01, 3), RATES, RATES), min_size=1, max_size=4).map(
    lambda drawn: tuple(Segment(f"s{index}", *values) for index, values in enumerate(drawn))
)


def test_a_constant_rate_is_evenly_spaced_from_0() -> None:
    made = list(starts(Plan(constant(100, 2))))
    assert [start.number for start in made] == list(range(200))
    assert [start.at for start in made] == pytest.approx([index / 100 for index in range(200)])


def test_a_ramp_from_0_follows_the_square_root() -> None:
    # rate t·10/s: after t seconds 5·t² starts are expected, so start i comes at sqrt(i/5)
    made = [start.at for start in starts(Plan(ramp(0, 100, 10)))]
    assert len(made) == 500
    assert made == pytest.approx([math.sqrt(index / 5) for index in range(500)])


def test_steps_and_spikes_have_the_starts_of_their_rates_in_each_segment() -> None:
    plan = Plan((*steps([10, 20], 3), *spike(5, 100, before=2, seconds=1, after=2)))
    assert {name: planned(plan, name) for name in ("step 1", "step 2", "before", "spike", "after")} == {
        "step 1": 30, "step 2": 60, "before": 10, "spike": 100, "after": 10,
    }  # fmt: skip
    assert plan.span("spike") == (8, 9)
    assert plan.seconds == 11
    with pytest.raises(KeyError):
        plan.span("peak")


def test_a_soak_is_ten_parts() -> None:
    plan = Plan(soak(10, 60))
    assert plan.seconds == pytest.approx(60)
    assert [planned(plan, segment.name) for segment in plan.segments] == [60] * 10


@given(SEGMENTS, st.sampled_from(["uniform", "poisson"]), st.integers(0, 5))
def test_starts_are_in_order_within_their_segment_and_the_plan(
    segments: tuple[Segment, ...], arrivals: str, seed: int
) -> None:
    plan = Plan(segments, arrivals, seed)  # type: ignore[arg-type]
    made = list(starts(plan))
    assert [start.number for start in made] == list(range(len(made)))
    assert all(earlier.at <= later.at for earlier, later in itertools.pairwise(made))
    for start in made:
        begin, end = plan.span(start.segment)
        assert begin <= start.at <= end + 1e-9
    if arrivals == "uniform":  # one at every whole number of expected starts, from 0 on
        assert 0 <= len(made) - sum(segment.starts for segment in segments) + 1e-6 <= 1 + 2e-6


@given(SEGMENTS, st.integers(1, 7))
def test_workers_do_exactly_the_whole(segments: tuple[Segment, ...], workers: int) -> None:
    plan = Plan(segments, "poisson", 1)
    shares = [list(share(starts(plan), worker, workers)) for worker in range(workers)]
    assert sorted(itertools.chain(*shares), key=lambda start: start.number) == list(starts(plan))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_random_arrivals_have_the_rate_and_the_spread_of_a_poisson_process() -> None:
    made = [start.at for start in starts(Plan(constant(100, 100), "poisson", 3))]
    assert abs(len(made) - 10_000) < 5 * math.sqrt(10_000)
    counts = [sum(second <= at < second + 1 for at in made) for second in range(100)]
    mean = sum(counts) / 100
    assert 0.5 < sum((count - mean) ** 2 for count in counts) / 99 / mean < 2  # evenly spaced ones have 0
    assert made == [start.at for start in starts(Plan(constant(100, 100), "poisson", 3))]
    assert made != [start.at for start in starts(Plan(constant(100, 100), "poisson", 4))]


@pytest.mark.parametrize("values", [(0, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, math.inf), (math.nan, 1, 1)])
def test_impossible_segments_are_refused(values: tuple[float, float, float]) -> None:
    with pytest.raises(HarnessError, match="load segment 'odd'"):
        Segment("odd", *values)


def test_segments_have_names_of_their_own() -> None:
    with pytest.raises(HarnessError, match="two segments have one name"):
        Plan((*constant(1, 1), *constant(2, 1)))


def test_a_mix_is_the_same_for_any_number_of_workers_and_keeps_its_weights() -> None:
    job = job_of(Request("often", "/", weight=3), Request("seldom", "/"))
    whole = list(mixed(job))
    halves = [list(share(mixed(job), worker, 2)) for worker in (0, 1)]
    assert sorted(halves[0] + halves[1], key=lambda pair: pair[0].number) == whole
    assert sum(request.name == "often" for _, request in whole) / len(whole) == pytest.approx(0.75, abs=0.05)


def test_a_job_survives_the_way_to_another_process() -> None:
    job = job_of(Request("query", "/q", "POST", {"sql": "{number}", "list": [1, None]}, headers={"A": "b"}))
    assert from_json(to_json(job)) == job


def job_of(*requests: Request) -> Job:
    return Job("http://127.0.0.1:1", Plan(constant(1000, 2), "poisson", 7), requests, "records.jsonl")
