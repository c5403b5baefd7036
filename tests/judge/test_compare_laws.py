"""What has to hold for any values: mirror, scale, order."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.compare import compare_runs
from harness.judge.comparison import Comparison, Estimate
from harness.judge.policy import Policy
from tests.judge.build import MIRROR, TIME, run, sample

ratios = st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=14)


def inverse(change: float) -> float:
    """The change back: 1 / (1 + e) - 1."""
    return math.inf if change == -1 else 1 / (1 + change) - 1


@given(ratios, st.sampled_from(["one", "two"]), st.sampled_from(["lower", "higher"]))
def test_swapping_the_runs_mirrors_the_verdict_and_inverts_the_effect(
    d: list[float], session: str, better: Any
) -> None:
    metric = replace(TIME, better=better)
    policy = Policy(between_sessions=1.05)
    first = run("before", sample(metric, [1.0] * len(d)))
    second = run("after", sample(metric, [math.exp(x) for x in d]), session=session)
    (forth,), (back,) = compare_runs(first, second, policy), compare_runs(second, first, policy)
    assert back.verdict is MIRROR.get(forth.verdict, forth.verdict)
    assert forth.effect is not None
    assert back.effect is not None
    for ahead, reverse in (
        (forth.effect.value, back.effect.value),
        (forth.effect.low, back.effect.high),
        (forth.effect.high, back.effect.low),
    ):
        assert reverse == pytest.approx(inverse(ahead), abs=1e-9)
    assert (back.p_value, back.units) == (pytest.approx(forth.p_value), forth.units)


@given(ratios, st.sampled_from(["one", "two"]), st.integers(-30, 30))
def test_the_unit_does_not_matter(d: list[float], session: str, power: int) -> None:
    def measured(scale: float) -> Comparison:
        before = run("before", sample(TIME, [scale] * len(d)))
        after = run("after", sample(TIME, [scale * math.exp(x) for x in d]), session=session)
        return compare_runs(before, after, Policy())[0]

    plain, scaled = measured(1.0), measured(2.0**power)
    assert plain.effect is not None
    assert scaled.effect is not None
    assert scaled.effect.value == pytest.approx(plain.effect.value, abs=1e-9)
    assert scaled.effect.low == pytest.approx(plain.effect.low, abs=1e-9)
    assert scaled.effect.high == pytest.approx(plain.effect.high, abs=1e-9)


@given(ratios, st.lists(st.floats(0, 0.3), min_size=14, max_size=14), st.sampled_from(["one", "two"]))
def test_slower_values_never_look_faster(d: list[float], extra: list[float], session: str) -> None:
    def measured(logs: Sequence[float]) -> Estimate:
        before = run("before", sample(TIME, [1.0] * len(d)))
        after = run("after", sample(TIME, [math.exp(x) for x in logs]), session=session)
        effect = compare_runs(before, after, Policy())[0].effect
        assert effect is not None
        return effect

    plain, slower = measured(d), measured([x + more for x, more in zip(d, extra, strict=False)])
    assert slower.value >= plain.value - 1e-12
    assert slower.low >= plain.low - 1e-12
    assert slower.high >= plain.high - 1e-12
