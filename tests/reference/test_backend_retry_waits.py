"""The waits of the reference backend against the exact distribution of its policy, jitter included."""

import math
from collections.abc import Callable, Iterable

import pytest

from harness.retry import RetryPolicy
from tests.reference.backend_process import AFTER, BEFORE, backend
from tests.services.llm_process import RunningProvider

REQUESTS = 200
ERROR = 1e-6
"""The probability that a backend which draws exactly as it should fails this test."""
SCALE = 0.001
POLICIES = {
    "before": RetryPolicy(max_attempts=3, base=1.0, factor=2.0, cap=30.0, timeout=60.0),
    "after": RetryPolicy(max_attempts=2, base=0.5, factor=1.5, cap=15.0, timeout=30.0),
}


def distance(values: Iterable[float], cdf: Callable[[float], float]) -> float:
    """The largest distance between the empirical distribution function and ``cdf`` (Kolmogorov-Smirnov)."""
    ordered = sorted(values)
    n = len(ordered)
    return max(max((i + 1) / n - cdf(x), cdf(x) - i / n) for i, x in enumerate(ordered))


@pytest.mark.parametrize("variant", POLICIES)
def test_waits_have_the_distribution_of_the_policy(
    variant: str, services: dict[str, str], provider: RunningProvider
) -> None:
    """The bound is that of Dvoretzky, Kiefer & Wolfowitz with Massart's constant (Ann. Probab. 18, 1990)."""
    policy = POLICIES[variant]
    provider.script(then="500")
    settings = {"before": BEFORE, "after": AFTER}[variant]
    with backend(services, settings, TIME_SCALE=str(SCALE), LLM_TIMEOUT="3600") as running:  # none is cut short
        answers = [running.ask() for _ in range(REQUESTS)]
    totals = [sum(answer["waits"]) for answer in answers]
    bound = math.sqrt(math.log(2 / ERROR) / (2 * REQUESTS))
    assert distance(totals, policy.total_waiting(None).cdf) < bound
    less_jitter = RetryPolicy(policy.max_attempts, policy.base, policy.factor, policy.cap, policy.timeout, 0.1, 0.2)
    assert distance(totals, less_jitter.total_waiting(None).cdf) > bound, "so many requests would show half the jitter"
    check_seen(answers, provider.calls())


def check_seen(answers: list[dict[str, list[float]]], calls: list[dict[str, int]]) -> None:
    """What the provider saw of each wait is never shorter than planned. It counts from the moment before it handed out
    the failure, so that no delay of its own can shorten it."""
    left = iter(calls)
    for answer in answers:
        call = next(left)
        for planned in answer["waits"]:
            following = next(left)
            assert (following["arrived_ns"] - call["answered_ns"]) / 1e9 >= planned * SCALE
            call = following
    assert next(left, None) is None
