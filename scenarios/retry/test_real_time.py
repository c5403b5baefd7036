"""A hung provider with nothing shortened: minutes of waiting, so a soak.

The same as `hangs`, which takes a hundredth of the time. What the two say of one another: `give_up` here is a hundred
times `latency` there, if the shortening distorts nothing.
"""

import pytest

from harness.measure.provider import Provider
from harness.measure.turn import Turn
from harness.model import Metric

GIVE_UP = Metric("give_up", "s", gated=False, about="From the request to the backend's giving up, in real time.")
ATTEMPTS = Metric("attempts", "1", kind="count", gated=False, about="Calls that reached the provider.")


@pytest.mark.scenario(tag="soak", rounds=1)
def test_hangs_in_real_time(turn: Turn) -> None:
    """The provider accepts the call and never answers: how long does the caller wait for nothing?"""
    provider = Provider(turn.service("llm"))
    provider.play(then="hang")
    provider.forget()
    with turn.timed(GIVE_UP):
        answer = turn.service("backend").post(
            "/api/llm", {"prompt": "How fast are you?"}, headers={"X-Time-Scale": "1"}, deadline=900
        )
    assert answer.status in (200, 503), answer.text
    assert answer.json()["outcome"] != "answered"
    turn.record(ATTEMPTS, len(provider.attempts()))
