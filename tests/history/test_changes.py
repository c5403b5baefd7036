"""Change points on made-up histories whose truth is known: 80 runs, some slow by chance, a step of 5 % or none."""

import random
import statistics
from collections.abc import Sequence
from typing import Any

import pytest

from harness.history.changes import change_points, detector

pytest.importorskip("ruptures", reason="no release of ruptures for this Python")
KERNEL: Any = detector()
RUNS, STEP, SERIES = 80, 50, 200


def history(seed: int, noise: float, factor: float) -> list[float]:
    """Medians of 80 runs: lognormal noise, one in twenty 10 to 50 % too slow, times ``factor`` from run 50 on."""
    draw = random.Random(seed)
    return [
        draw.lognormvariate(0, noise)
        * (factor if run >= STEP else 1)
        * (draw.uniform(1.1, 1.5) if draw.random() < 0.05 else 1)
        for run in range(RUNS)
    ]


def found(values: Sequence[float]) -> tuple[int, ...]:
    return change_points(values, KERNEL)


@pytest.mark.parametrize(("noise", "least"), [(0.01, 0.99), (0.02, 0.97), (0.03, 0.85)])
def test_a_step_of_5_percent_is_found_within_3_runs(noise: float, least: float) -> None:
    hits = [any(abs(at - STEP) <= 3 for at in found(history(seed, noise, 1.05))) for seed in range(SERIES)]
    assert statistics.mean(hits) >= least


@pytest.mark.parametrize("noise", [0.01, 0.02, 0.03])
def test_hardly_ever_one_where_there_is_none(noise: float) -> None:
    alarms = [bool(found(history(seed, noise, 1.0))) for seed in range(SERIES)]
    assert statistics.mean(alarms) <= 0.02


def test_a_large_step_does_not_hide_a_small_one() -> None:
    hits = []
    for seed in range(SERIES):
        values = history(seed, 0.01, 1.05)
        values[20:] = [3 * value for value in values[20:]]
        hits.append({20, STEP} <= {min((20, STEP), key=lambda true, at=at: abs(true - at)) for at in found(values)})
    assert statistics.mean(hits) >= 0.95


def test_up_and_down_and_any_unit_are_the_same() -> None:
    for seed in range(20):
        values = history(seed, 0.02, 1.05)
        assert found([1000 * value for value in values]) == found(values)
        assert found([1 / value for value in values]) == found(values)


def test_the_first_run_of_the_new_level_is_named() -> None:
    assert found([3.0] * 5 + [4.0] * 6) == (5,)
    assert found([0.0] * 5 + [1.0] * 6 + [0.0] * 4) == (5, 11)


@pytest.mark.parametrize(
    "values",
    [[], [1.0], [1.0, 1.0, 1.0, 9.0, 9.0, 9.0, 9.0], [2.0] * 80, [0.0] * 80, [1.0] * 40 + [50.0] + [1.0] * 39],
    ids=["none", "one", "too few", "equal", "zero", "one slow run"],
)
def test_no_change_point(values: list[float]) -> None:
    assert found(values) == ()
