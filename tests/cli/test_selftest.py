"""What the two measurements of a self-test prove, told from their comparisons alone."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.cli.selftest import Check, Outcome, finds
from harness.judge.comparison import Bound, BoundState, Comparison, Estimate, Verdict
from harness.model import Metric

SLOWED = Comparison("load/x", Metric("latency", "s"), Verdict.REGRESSED, effect=Estimate(0.15, 0.13, 0.17, 0.99))
COARSE = replace(
    SLOWED,
    metric=Metric("p95", "s", quantile=0.95),
    verdict=Verdict.INCONCLUSIVE,
    report_only=True,
    reason="too coarse",
)


def with_limit(state: BoundState) -> Comparison:
    return replace(SLOWED, bounds=(Bound("limit", 0.2, (0.13, 0.17), state),))


def found(*comparisons: Comparison, code: int = 10, lengthened: Sequence[str] = ("latency", "p95")) -> Check:
    gated = {f"{c.scenario}:{c.metric.name}": c for c in comparisons}
    return finds(Outcome("s", code, gated, frozenset(f"load/x:{name}" for name in lengthened)))


def test_a_quantile_too_coarse_to_be_gated_is_left_out_and_named() -> None:
    check = found(SLOWED, COARSE)
    assert (check.holds, check.text) == (True, "1 of 1 called regressed, 1 too coarse to be gated")
    assert check.against == ("left out: load/x:p95 too coarse",)


def test_where_everything_is_too_coarse_nothing_is_proven() -> None:
    check = found(COARSE, code=0)
    assert (check.holds, check.text) == (False, "0 of 0 called regressed, 1 too coarse to be gated")


@pytest.mark.parametrize(("state", "holds"), [("broken", True), ("kept", False), ("undecided", False)])
def test_a_slowdown_has_to_go_beyond_the_limit_too(state: BoundState, *, holds: bool) -> None:
    check = found(with_limit(state))
    assert check.holds is holds
    if not holds:
        assert check.text == "0 of 1 called regressed beyond any limit"
        assert check.against[0].startswith("regressed: load/x:latency; limit +20.0 %: ")


def test_one_broken_limit_of_two_is_enough() -> None:
    two = replace(SLOWED, bounds=(*with_limit("kept").bounds, Bound("absolute limit", 0.1, (0.13, 0.17), "broken")))
    assert found(two).holds
