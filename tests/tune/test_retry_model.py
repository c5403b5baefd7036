"""The exact prediction, against a simulation of the policy call by call; mixes; the grid."""

import math
import random
from statistics import fmean, stdev

import pytest

from harness.errors import ExitCode, HarnessError
from harness.retry import RetryPolicy
from harness.tune.faults import Fate, Fault, Outage, drawn, parse_mix
from harness.tune.retry_model import grid, jitters, predict, replay, simulated, slow_tail

MIX = parse_mix("ok=0.6,500=0.2,slow:8=0.05,slow:45=0.1,hang=0.05,outage:2=0.1,outage:3s=0.1,outage:20s=0.05")
BEFORE = RetryPolicy(3, 1.0, 2.0, 30.0, 60.0)
AFTER = RetryPolicy(2, 0.5, 1.5, 15.0, 30.0)
MANY = RetryPolicy(6, 1.0, 3.0, 15.0, 10.0, jitter_low=0.0, jitter_high=1.0)
NEVER = RetryPolicy(1, 1.0, 2.0, 30.0, 60.0)
AT_ONCE = RetryPolicy(4, 0.0, 1.0, 5.0, 20.0)


@pytest.mark.parametrize("policy", [BEFORE, AFTER, MANY, NEVER, AT_ONCE])
def test_the_prediction_is_what_a_simulation_of_many_calls_does(policy: RetryPolicy) -> None:
    calls = simulated(policy, MIX, seed=5, calls=40_000)
    predicted = predict(policy, MIX)
    for name, values in (
        ("waiting", [call.seconds for call in calls]),
        ("answered", [float(call.answered) for call in calls]),
        ("attempts", [float(call.attempts) for call in calls]),
    ):
        error = stdev(values) / math.sqrt(len(values)) if len(set(values)) > 1 else 0.0
        assert predicted[name] == pytest.approx(fmean(values), abs=4 * error + 1e-9), name


def test_without_outages_it_is_the_policy_s_own_arithmetic() -> None:
    mix = parse_mix("500=0.2")
    predicted = predict(BEFORE, mix)
    assert predicted["answered"] == pytest.approx(BEFORE.success_share(0.2))
    assert predicted["attempts"] == pytest.approx(BEFORE.expected_attempts(0.2))
    assert predicted["waiting"] == pytest.approx(BEFORE.waiting_under(0.2).mean)


def test_a_slow_answer_is_lost_by_a_shorter_limit_and_waited_for_by_a_longer_one() -> None:
    mix = parse_mix("slow:45=1")
    assert predict(BEFORE, mix) == {"waiting": 45.0, "answered": 1.0, "attempts": 1.0}
    lost = predict(AFTER, mix)
    assert (lost["answered"], lost["attempts"]) == (0.0, 2.0)
    assert lost["waiting"] == pytest.approx(30 + 0.5 * 1.2 + 30)


def test_one_call_step_by_step() -> None:
    error, good, hang = Fault("500", 0.0, good=False), Fault("ok", 0.0, good=True), Fault("hang", math.inf, good=False)
    steady = lambda: 1.0  # noqa: E731
    fate = Fate(Outage(), (error, hang, good))
    call = replay(BEFORE, fate, steady)
    assert (call.answered, call.attempts, call.seconds) == (True, 3, 1.0 + 60.0 + 2.0)
    assert not replay(AFTER, fate, steady).answered
    in_outage = Fate(Outage(seconds=1.5), (good, error))
    assert replay(BEFORE, in_outage, steady).attempts == 3, "the second attempt, after 1 s, still meets it"
    assert replay(BEFORE, Fate(Outage(seconds=0.9), (good,)), steady).attempts == 2
    assert not replay(BEFORE, Fate(Outage(attempts=3), (good,)), steady).answered


def test_the_tail_is_that_of_time_outs() -> None:
    mix = parse_mix("hang=0.1")
    assert slow_tail(NEVER, mix, seed=1) == 60.0
    assert slow_tail(NEVER, parse_mix("hang=0.01"), seed=1) == 0.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ok=0.7,500=0.2", "add up to 0.9, not to 1"),
        ("500=0.7,hang=0.4", "add up to 1.1, not to 1"),
        ("500", "a share from 0 to 1 is needed"),
        ("500=2", "a share from 0 to 1 is needed"),
        ("500=nan", "a share from 0 to 1 is needed"),
        ("slow=0.1", "allowed are ok, a status"),
        ("slow:-3=0.1", "seconds above 0"),
        ("slow:nan=0.1", "seconds above 0"),
        ("outage:0=0.1", "attempts from 1 to 20"),
        ("outage:21=0.1", "attempts from 1 to 20"),
        ("outage:xs=0.1", "seconds above 0"),
        ("500=0.1,500=0.1", "twice"),
        ("outage:1=0.6,outage:2=0.6", "the shares of outages add up to 1.2"),
    ],
)
def test_mistakes_in_a_mix_are_told_in_one_line(text: str, says: str) -> None:
    with pytest.raises(HarnessError, match=says) as raised:
        parse_mix(text)
    assert raised.value.code is ExitCode.USAGE
    assert "\n" not in str(raised.value)


def test_what_is_missing_to_one_is_ok_and_no_outage() -> None:
    mix = parse_mix("500=0.25")
    assert [(share, fault.text) for share, fault in mix.faults] == [(0.25, "500"), (0.75, "ok")]
    assert mix.outages == ((1.0, Outage()),)


def test_steps_for_the_provider_are_shortened() -> None:
    faults = {fault.text: fault for _, fault in MIX.faults}
    assert [faults[name].step(0.1) for name in ("ok", "500", "hang")] == ["ok", "500", "hang"]
    assert faults["slow:45"].step(0.1) == {"slow_first_byte": 4.5}


def test_the_grid_has_each_schedule_once_and_a_limit_above_each_slow_answer() -> None:
    policies = grid(MIX, jitters(settable=False, fixed=(0.1, 0.3)), timeouts=(61.0,))
    schedules = [(p.max_attempts, p.timeout, p.nominal(p.max_attempts - 1)) for p in policies]
    assert len(schedules) == len(set(schedules))
    assert {8.8, 49.5, 61.0} <= {policy.timeout for policy in policies}
    assert {(policy.jitter_low, policy.jitter_high) for policy in policies} == {(0.1, 0.3)}
    assert len({(p.jitter_low, p.jitter_high) for p in grid(MIX, jitters(settable=True, fixed=(0, 0)))}) == 3


def test_draws_follow_the_shares() -> None:
    generator = random.Random(2)
    fates = [MIX.draw(generator) for _ in range(4000)]
    assert fmean(fate.outage == Outage(attempts=2) for fate in fates) == pytest.approx(0.1, abs=0.02)
    hangs = [fault.text == "hang" for fate in fates for fault in fate.faults]
    assert fmean(hangs) == pytest.approx(0.05, abs=0.005)


def test_calls_to_be_measured_meet_the_shares_of_the_mix() -> None:
    fates = drawn(MIX, 200, random.Random(3))
    assert sum(fate.outage == Outage(attempts=2) for fate in fates) == pytest.approx(20, abs=1)
    for attempt in range(3):
        assert sum(fate.faults[attempt].text == "slow:45" for fate in fates) == pytest.approx(20, abs=1)
    again = [fate.faults[1].text for fate in fates if fate.faults[0].text != "ok"]
    assert again.count("500") == pytest.approx(0.2 * len(again), abs=1), "also in the attempts that are made"
    assert len({tuple(fault.text for fault in fate.faults) for fate in fates}) == 200, "and are mixed"
