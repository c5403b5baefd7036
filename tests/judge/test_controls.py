"""Control arms: what certifies a session, what voids it, and how often chance alone would."""

import math
import random
from dataclasses import replace

import pytest

from harness.errors import ExitCode
from harness.judge.compare import compare_runs
from harness.judge.comparison import Comparison, Estimate, Verdict
from harness.judge.controls import (
    PLACEBO_LEVEL,
    SPIKE_LEVEL,
    certify,
    compare_controls,
    judge_controls,
    without_controls,
)
from harness.judge.gate import Gate
from harness.judge.policy import Policy
from harness.model import PLACEBO, SPIKE_IN, SPIKE_SIZE, Metric, Run, Sample, Variant
from harness.statistics.signed_rank import fewest

LATENCY = Metric("latency", "s", gated=False)


def arm(scenario: str, verdict: Verdict, value: float, half: float = 0.03, units: int = 14) -> Comparison:
    effect = Estimate(value, value - half, value + half, 0.99)
    return Comparison(scenario, LATENCY, verdict, effect=effect, units=units, detectable=2 * half)


QUIET = arm(PLACEBO, Verdict.UNCHANGED, 0.003)
FOUND = arm(SPIKE_IN, Verdict.REGRESSED, 0.21)


def test_a_certified_session_says_what_was_seen() -> None:
    controls = judge_controls([QUIET, FOUND])
    assert (controls.valid, controls.undecided) == (True, False)
    assert controls.sentence == "controls: placebo unchanged (+0.3 %), spike-in of +20.0 % found (+21.0 %)"


@pytest.mark.parametrize("verdict", [Verdict.REGRESSED, Verdict.IMPROVED])
def test_a_placebo_that_is_called_voids(verdict: Verdict) -> None:
    assert not judge_controls([replace(QUIET, verdict=verdict), FOUND]).valid


def test_a_placebo_that_is_not_decided_does_not_alarm() -> None:
    assert judge_controls([replace(QUIET, verdict=Verdict.INCONCLUSIVE), FOUND]).valid


@pytest.mark.parametrize(
    "spike",
    [
        arm(SPIKE_IN, Verdict.UNCHANGED, 0.0),
        arm(SPIKE_IN, Verdict.IMPROVED, -0.2),
        arm(SPIKE_IN, Verdict.INCONCLUSIVE, 0.03, half=0.1),  # all of the interval below what was injected
        arm(SPIKE_IN, Verdict.REGRESSED, 0.029, half=0.004),  # called, but hardly anything of it arrived
        arm(SPIKE_IN, Verdict.REGRESSED, 0.06, half=0.039),
    ],
)
def test_a_missed_spike_in_voids(spike: Comparison) -> None:
    controls = judge_controls([QUIET, spike])
    assert (controls.valid, controls.undecided) == (False, False)
    assert "spike-in of +20.0 % MISSED" in controls.sentence


def test_a_spike_in_of_which_much_more_arrives_than_was_injected_voids() -> None:
    controls = judge_controls([QUIET, arm(SPIKE_IN, Verdict.REGRESSED, 0.897)])
    assert (controls.valid, controls.undecided) == (False, False)
    assert controls.sentence.endswith("spike-in of +20.0 % TOO LARGE (+89.7 %)")


@pytest.mark.parametrize(("value", "half"), [(0.12, 0.03), (0.38, 0.03), (0.2, 0.18)])
def test_about_what_was_injected_is_enough(value: float, half: float) -> None:
    controls = judge_controls([QUIET, arm(SPIKE_IN, Verdict.REGRESSED, value, half)])
    assert (controls.valid, controls.undecided) == (True, False)


def test_a_spike_in_lost_in_noise_is_undecided_and_says_what_could_have_been_seen() -> None:
    controls = judge_controls([QUIET, arm(SPIKE_IN, Verdict.INCONCLUSIVE, 0.15, half=0.3)])
    assert (controls.valid, controls.undecided) == (True, True)
    assert "undecided (too much noise: only +60.0 % could have been seen)" in controls.sentence


def test_without_arms_nothing_is_certified_and_nothing_void() -> None:
    controls = judge_controls([])
    assert (controls.valid, controls.sentence) == (True, "no control arms")


@pytest.mark.parametrize(
    ("comparisons", "lost"),
    [
        ([QUIET], "spike-in"),
        ([FOUND], "placebo"),
        ([Comparison(PLACEBO, LATENCY, Verdict.MISSING), FOUND], "placebo"),
        ([QUIET, Comparison(SPIKE_IN, LATENCY, Verdict.MISSING)], "spike-in"),
        ([QUIET, Comparison(SPIKE_IN, LATENCY, Verdict.INVALID)], "spike-in"),
    ],
)
def test_an_arm_that_was_not_measured_beside_the_other_voids(comparisons: list[Comparison], lost: str) -> None:
    controls = judge_controls(comparisons)
    assert not controls.valid
    assert controls.sentence == f"controls: {lost} not measured"


GATE = Gate(ExitCode.OK, 3, 3, "3 unchanged")
VOID = judge_controls([replace(QUIET, verdict=Verdict.REGRESSED), FOUND])
LOST = judge_controls([QUIET, arm(SPIKE_IN, Verdict.INCONCLUSIVE, 0.15, half=0.3)])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (ExitCode.OK, ExitCode.ENVIRONMENT),
        (ExitCode.REGRESSED, ExitCode.ENVIRONMENT),
        (ExitCode.BASELINE, ExitCode.ENVIRONMENT),
        (ExitCode.INTEGRITY, ExitCode.INTEGRITY),
    ],
)
def test_a_void_session_is_code_12_whatever_its_verdicts_are(code: ExitCode, expected: ExitCode) -> None:
    gate = certify(replace(GATE, exit_code=code, reasons=("regressed: x",)), VOID, Policy())
    assert gate.exit_code == expected
    assert f"verdicts of this session are void: {VOID.sentence}" in gate.reasons
    assert "regressed: x" in gate.reasons


def test_undecided_controls_matter_when_everything_has_to_be_decided() -> None:
    assert certify(GATE, LOST, Policy()) == GATE
    assert certify(GATE, LOST, Policy(strict=True)).exit_code == ExitCode.INCONCLUSIVE
    regressed = replace(GATE, exit_code=ExitCode.REGRESSED, reasons=("regressed: x",))
    told = certify(regressed, LOST, Policy(strict=True))
    assert (told.exit_code, told.reasons[0]) == (ExitCode.REGRESSED, "regressed: x")


def session(draw: random.Random, *, rounds: int, noise: float, spike: float = SPIKE_SIZE) -> tuple[Run, Run]:
    """Two runs with one scenario and both arms; per round one value, log-normal."""
    effects = {"load/works": 0.0, PLACEBO: 0.0, SPIKE_IN: spike}

    def samples(*, shift: bool) -> tuple[Sample, ...]:
        numbers = tuple(range(rounds))
        return tuple(
            Sample(
                scenario,
                LATENCY if scenario != "load/works" else replace(LATENCY, gated=True),
                tuple(math.exp(draw.gauss(math.log1p(effect if shift else 0.0), noise)) for _ in numbers),
                numbers,
                (0,) * rounds,
            )
            for scenario, effect in effects.items()
        )

    before = Run("s1", Variant("before", "b"), "2026-01-01T00:00:00+00:00", 1, rounds, "complete", samples(shift=False))
    return before, replace(before, variant=Variant("after", "a"), samples=samples(shift=True))


def test_chance_alone_hardly_ever_voids_a_session() -> None:
    """The placebo's level is 0.1 % and its floor 1 %; at 3 % noise a spike-in of 20 % is always found."""
    draw, alarms, lost = random.Random(5), 0, 0
    for _ in range(400):
        controls = judge_controls(compare_controls(*session(draw, rounds=14, noise=0.03)))
        alarms += not controls.valid
        lost += controls.undecided
    assert (alarms, lost) == (0, 0)


@pytest.mark.parametrize(("arrived", "void"), [(0.0, 200), (0.029, 200), (0.2, 0), (0.897, 200)])
def test_a_diluted_spike_in_is_told_from_one_that_arrives(arrived: float, void: int) -> None:
    draw = random.Random(15)
    sessions = (session(draw, rounds=14, noise=0.02, spike=arrived) for _ in range(200))
    assert sum(not judge_controls(compare_controls(*one)).valid for one in sessions) == void


def test_a_real_difference_between_the_two_befores_is_noticed() -> None:
    draw = random.Random(6)
    before, after = session(draw, rounds=14, noise=0.02)
    shifted = tuple(
        replace(s, values=tuple(1.1 * value for value in s.values)) if s.scenario == PLACEBO else s
        for s in after.samples
    )
    assert not judge_controls(compare_controls(before, replace(after, samples=shifted))).valid


def test_the_arms_do_not_take_part_in_what_they_certify() -> None:
    before, after = map(without_controls, session(random.Random(7), rounds=14, noise=0.02))
    assert {c.scenario for c in compare_runs(before, after, Policy())} == {"load/works"}


def test_a_project_cannot_widen_the_margins_of_the_arms() -> None:
    wide = Metric("latency", "s", floor=5.0, smallest_effect=9.0)
    before, after = session(random.Random(8), rounds=14, noise=0.02)
    runs = (replace(r, samples=tuple(replace(s, metric=wide) for s in r.samples)) for r in (before, after))
    assert judge_controls(compare_controls(*runs)).spike_in is Verdict.REGRESSED


def test_a_plan_of_looks_does_not_concern_the_arms() -> None:
    before, after = (replace(run, looks=(14, 28)) for run in session(random.Random(9), rounds=20, noise=0.02))
    assert {c.units for c in compare_controls(before, after)} == {20}


def test_runs_of_two_sessions_have_no_controls() -> None:
    before, after = session(random.Random(9), rounds=14, noise=0.02)
    assert compare_controls(before, replace(after, session="s2")) == ()


def test_the_levels_can_be_reached_with_the_rounds_that_the_documentation_names() -> None:
    assert (fewest(SPIKE_LEVEL), fewest(PLACEBO_LEVEL)) == (8, 11)
