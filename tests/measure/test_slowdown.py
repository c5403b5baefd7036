"""Known slowdowns: how long, where, and how the self-test asks for them."""

from pathlib import Path
from statistics import median

import pytest

from harness.configuration.schema import MetricOverride
from harness.errors import ExitCode, HarnessError
from harness.judge.comparison import Verdict
from harness.judge.policy import Policy
from harness.judgement import judge
from harness.measure.scenario import Scenario
from harness.measure.slowdown import Slowdown, busy_wait
from harness.model import SIDES
from tests.measure.simulated import Clock, Session, works


def test_a_busy_wait_lasts_as_long_as_it_was_asked_to() -> None:
    clock = Clock(tick=0.001)
    busy_wait(0.5, clock)
    assert clock.now == pytest.approx(0.5, abs=0.003)


@pytest.mark.parametrize(("slowdown", "factor"), [(Slowdown(0.5), 1.5), (Slowdown(), 1 + 3 * 0.05)])
def test_timed_blocks_of_after_alone_take_longer(tmp_path: Path, slowdown: Slowdown, factor: float) -> None:
    session = Session(tmp_path)
    session.clock.tick = 1e-5
    session.slowdown = slowdown
    session.run(Scenario("load/works", works, looks=(14,)))
    values = {
        side: median(v.value for v in session.values if (v.metric, v.side) == ("latency", side))
        for side in ("before", "after")
    }
    assert values["after"] / values["before"] == pytest.approx(factor, rel=0.02)
    assert slowdown.lengthened == {("load/works", "latency")}
    verdicts = {c.metric.name: c.verdict for c in judge(*session.runs, Policy()).comparisons}
    assert verdicts == {"latency": Verdict.REGRESSED, "cpu": Verdict.UNCHANGED, "calls": Verdict.UNCHANGED}


@pytest.mark.parametrize(
    ("decided", "factor"),
    [
        ({"smallest_effect": 0.1}, 1.30),
        ({"limit": 0.2}, 1.35),
        ({"absolute_limit": 0.05}, 1.65),  # of 0.1 s
        ({"limit": 0.8, "absolute_limit": 0.05}, 1.95),
    ],
)
def test_by_itself_it_goes_beyond_what_the_gate_tolerates(
    tmp_path: Path, decided: dict[str, float], factor: float
) -> None:
    session = Session(tmp_path)
    session.clock.tick = 1e-5
    session.slowdown = Slowdown()
    session.overrides = {"load/*:latency": MetricOverride.model_validate(decided)}
    session.run(Scenario("load/works", works, looks=(14,)))
    before, after = (
        median(v.value for v in session.values if (v.metric, v.side) == ("latency", side)) for side in SIDES
    )
    assert after / before == pytest.approx(factor, rel=0.02)
    assert judge(*session.runs, Policy()).gate.exit_code == ExitCode.REGRESSED


@pytest.mark.parametrize(
    ("text", "share", "size"), [("auto", None, "3 times"), ("15", 0.15, "15 %"), ("0.5", 0.005, "0.5 %")]
)
def test_what_a_user_may_ask_for(text: str, share: float | None, size: str) -> None:
    slowdown = Slowdown.parse(text)
    assert slowdown.share == share
    assert slowdown.size.startswith(size)


@pytest.mark.parametrize("text", ["", "much", "0", "-5", "nan", "inf", "1001", "5%"])
def test_what_a_user_may_not_ask_for(text: str) -> None:
    with pytest.raises(
        HarnessError, match=r"slowdown: found '.*', allowed: auto, or per cent above 0 up to 1000"
    ) as caught:
        Slowdown.parse(text)
    assert caught.value.code == ExitCode.USAGE
