"""What looking several times costs and gains, by simulated sessions; and what has to hold for any values."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.compare import compare_runs
from harness.judge.comparison import Comparison, Verdict
from harness.judge.policy import Policy
from harness.statistics.sequential import boundaries, nominal_level
from harness.statistics.signed_rank import signed_rank
from tests.judge.build import MIRROR, TIME
from tests.judge.sessions import measured, pair_of_runs, simulated, without_floor

CALLED = (Verdict.REGRESSED, Verdict.IMPROVED)
PLANS = [(12, 24, 48, 96), (14, 20, 28)]


def heavy_tailed(generator: np.random.Generator, rounds: int) -> np.ndarray:
    """Noise with rare huge outliers, as a neighbour's."""
    return 0.1 * generator.standard_t(2, rounds)


def normal(generator: np.random.Generator, rounds: int) -> np.ndarray:
    return generator.normal(0, 0.1, rounds)


@pytest.mark.parametrize("looks", PLANS)
@pytest.mark.parametrize("draw", [normal, heavy_tailed])
@pytest.mark.parametrize("budget", [0.1, 0.01])
def test_alarming_at_any_look_is_as_rare_as_the_budget_says(looks: tuple[int, ...], draw, budget: float) -> None:  # type: ignore[no-untyped-def]
    """4000 sessions without change that never stop before the end: the worst that stopping can do. Three standard
    errors of chance are allowed for. That it is also not far below shows that looking costs what it must, not more."""
    levels = [nominal_level(z) for z in boundaries(looks, budget)]
    tests = list(zip(looks, levels, strict=True))
    alarms = sum(
        any(signed_rank(logs[:look]).p_value(0.0) <= level for look, level in tests)
        for logs in simulated(4000, looks[-1], draw)
    )
    error = math.sqrt(budget * (1 - budget) / 4000)
    assert budget / 2 <= alarms / 4000 <= budget + 3 * error


@pytest.mark.parametrize("looks", PLANS)
def test_sessions_without_change_alarm_within_the_budget(looks: tuple[int, ...]) -> None:
    """300 sessions of four scenarios, measured, stopped and judged as the product does, without a floor."""
    budget, sessions = 0.05, 300
    generator = np.random.default_rng(5)
    alarms = 0
    for _ in range(sessions):
        logs = generator.normal(0, 0.04, (4, looks[-1])).tolist()
        comparisons, _ = measured(logs, looks, Policy(error_budget=budget), without_floor())
        alarms += any(comparison.verdict in CALLED for comparison in comparisons)
    assert alarms / sessions <= budget + 3 * math.sqrt(budget / sessions)


@pytest.mark.parametrize("looks", PLANS)
def test_five_percent_in_two_percent_noise_is_found(looks: tuple[int, ...]) -> None:
    """100 sessions; as one of 20 gated metrics, that is at 0.05 %: at least 95 found, and most at the first looks."""
    found, rounds = 0, 0
    for logs in simulated(100, looks[-1], lambda g, n: g.normal(math.log(1.05), 0.02, n)):
        comparisons, taken = measured([logs], looks, Policy(error_budget=0.01 / 20))
        found += comparisons[0].verdict is Verdict.REGRESSED
        rounds += taken[0]
    assert found >= 95
    assert rounds / 100 <= looks[1]


def test_more_rounds_are_measured_only_while_they_can_change_something() -> None:
    """Two scenarios decided at the first look, one that needs the second, one that never gets there."""
    generator = np.random.default_rng(3)
    same, slower = [0.0] * 96, [0.1] * 96
    later = [-0.03, 0.09] * 12 + [0.05] * 72
    wild = generator.normal(0, 0.5, 96).tolist()
    comparisons, taken = measured([same, slower, later, wild], (12, 24, 48, 96), Policy(error_budget=0.04))
    assert taken == [12, 12, 48, 96]
    assert [c.verdict for c in comparisons] == [
        Verdict.UNCHANGED,
        Verdict.REGRESSED,
        Verdict.REGRESSED,
        Verdict.INCONCLUSIVE,
    ]


logs = st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=40)


def judged(d: list[float], scale: float = 1.0, *, swapped: bool = False) -> Comparison:
    before, after = pair_of_runs([d], (6, 12, 24))
    if swapped:
        before, after = (
            replace(before, samples=after.samples),
            replace(after, samples=before.samples),
        )
    before, after = (
        replace(one, samples=tuple(replace(s, values=tuple(scale * v for v in s.values)) for s in one.samples))
        for one in (before, after)
    )
    (comparison,) = compare_runs(before, after, Policy(error_budget=0.1))
    return comparison


@given(logs)
def test_swapping_the_runs_mirrors_the_verdict(d: list[float]) -> None:
    forth, back = judged(d), judged(d, swapped=True)
    assert back.verdict is MIRROR.get(forth.verdict, forth.verdict)
    assert (back.p_value, back.units, back.minor) == (pytest.approx(forth.p_value), forth.units, forth.minor)
    assert back.warnings == forth.warnings


@given(logs, st.integers(-30, 30))
def test_the_unit_does_not_matter(d: list[float], power: int) -> None:
    plain, scaled = judged(d), judged(d, 2.0**power)
    assert (scaled.verdict, scaled.units) == (plain.verdict, plain.units)
    assert scaled.p_value == pytest.approx(plain.p_value)


@given(logs, st.lists(st.floats(0, 0.3), min_size=40, max_size=40))
def test_slower_values_never_look_faster(d: list[float], extra: list[float]) -> None:
    rank = {Verdict.IMPROVED: 0, Verdict.UNCHANGED: 1, Verdict.INCONCLUSIVE: 1, Verdict.REGRESSED: 2}
    plain, slower = judged(d), judged([x + more for x, more in zip(d, extra, strict=False)])
    assert plain.effect is not None
    assert slower.effect is not None
    assert slower.effect.low >= plain.effect.low - 1e-12
    assert rank[slower.verdict] >= rank[plain.verdict]


@given(logs, st.lists(st.floats(-9, 9), min_size=1, max_size=5))
def test_rounds_after_the_look_change_nothing(d: list[float], more: list[float]) -> None:
    look = max((n for n in (6, 12, 24) if n <= len(d)), default=0)
    if not look:
        return
    plain, longer = judged(d[:look]), judged([*d[:look], *more][: look + 5])
    assert (longer.verdict, longer.effect, longer.p_value) == (plain.verdict, plain.effect, plain.p_value)
    assert longer.warnings == (f"judged at the look after {look} rounds: {min(len(more), 5)} more do not count",)


def test_one_look_is_as_no_look() -> None:
    d = [0.01, 0.03, -0.02, 0.05, 0.04, 0.06, 0.02, 0.03]
    one, none = (compare_runs(*pair_of_runs([d], looks), Policy()) for looks in ((8,), ()))
    assert one == none
    assert TIME.gated
