"""The policy's arithmetic, against the measured original and against tenacity."""

import random

import pytest
from tenacity import RetryCallState, Retrying, wait_exponential

from harness.retry import RetryPolicy

BEFORE = RetryPolicy(max_attempts=3, base=1.0, factor=2.0, cap=30.0, timeout=60.0)
AFTER = RetryPolicy(max_attempts=2, base=0.5, factor=1.5, cap=15.0, timeout=30.0)


@pytest.mark.parametrize(
    ("policy", "failures", "measured"),
    [(BEFORE, None, 3.60), (AFTER, None, 0.61), (BEFORE, 1, 1.21), (AFTER, 1, 0.60)],
)
def test_waiting_holds_what_was_measured_on_the_original_backend(
    policy: RetryPolicy, failures: int | None, measured: float
) -> None:
    low, high = policy.waiting(failures)
    assert low <= measured <= high


def test_waits_are_those_of_tenacity_lengthened_by_jitter() -> None:
    policy = RetryPolicy(max_attempts=8, base=1.0, factor=2.0, cap=30.0, timeout=60.0, jitter_low=0.0, jitter_high=0.0)
    state = RetryCallState(Retrying(), None, (), {})
    total = 0.0
    for state.attempt_number in range(1, 8):
        total += wait_exponential(multiplier=1.0, exp_base=2, max=30)(state)
        assert policy.waiting(state.attempt_number)[0] == pytest.approx(total)


def test_attempts_and_recovery() -> None:
    assert [BEFORE.attempts(n) for n in (0, 1, 2, 3, None)] == [1, 2, 3, 3, 3]
    assert [BEFORE.recovers(n) for n in range(4)] == [True, True, True, False]
    assert [AFTER.recovers(n) for n in range(3)] == [True, True, False]
    assert AFTER.waiting(0) == (0.0, 0.0)


def test_shares_and_attempts_under_random_failures_agree_with_a_simulation() -> None:
    draw = random.Random(5)
    calls = [next((n for n in range(1, 4) if draw.random() >= 0.2), None) for _ in range(20_000)]
    answered = sum(call is not None for call in calls) / len(calls)
    attempts = sum(call or 3 for call in calls) / len(calls)
    assert BEFORE.success_share(0.2) == pytest.approx(answered, abs=0.003)
    assert BEFORE.expected_attempts(0.2) == pytest.approx(attempts, abs=0.02)


def test_scale_shortens_every_time() -> None:
    scaled = RetryPolicy(max_attempts=3, base=1.0, factor=2.0, cap=30.0, timeout=60.0, scale=0.1)
    assert scaled.waiting(None) == pytest.approx([wait / 10 for wait in BEFORE.waiting(None)])
    assert scaled.time_out() == pytest.approx(6.0)
