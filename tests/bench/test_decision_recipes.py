"""Cold starts: where they run, and what a control variate may explain."""

import os

import numpy as np

from bench.decisions import cold
from bench.decisions.stand import CORE, Load, Started, pinned

ONE_LOOP = Load(start_loops=1)


def test_a_start_runs_on_its_core_from_the_beginning_and_leaves_the_bench_on_its_own() -> None:
    other = min(os.sched_getaffinity(0))
    with pinned():
        started = Started(ONE_LOOP, core=other)
        try:
            assert os.sched_getaffinity(started.pid) == {other}
            assert os.sched_getaffinity(0) == {CORE}
        finally:
            started.wait().stop()


def test_a_placebo_that_says_nothing_explains_nothing() -> None:
    """A slope fitted to the rounds that it is taken from would make them less scattered than they are."""
    generator = np.random.default_rng(0)
    spreads = []
    for _ in range(300):
        units, placebo = generator.normal(size=(2, 20))
        spreads.append(np.mean(cold._controlled(units, placebo) ** 2))
    assert np.mean(spreads) > 1.0


def test_a_placebo_that_drifts_along_is_taken_off() -> None:
    generator = np.random.default_rng(0)
    drift = generator.normal(size=200)
    units = drift + 0.1 * generator.normal(size=200)
    assert cold._controlled(units, drift).std() < 0.12
