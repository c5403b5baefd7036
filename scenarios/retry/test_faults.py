"""Every fault that the provider can play: what the caller gets, after how many attempts, after which waits.

Each fault is played twice: once, after which the provider works (does the caller recover, and after how long?), and for
ever (how long until the backend gives up?). Faults that take no time themselves run at a twentieth of real time, those
that do - 40 s or for ever - at a two hundredth; a time says so where it stands. What is certain is a count.
"""

import time
from typing import Any

import pytest

from harness.measure.callers import open_loop
from harness.measure.http import Client
from harness.measure.provider import Provider, Step, timeline, waits
from harness.measure.turn import Turn
from harness.model import Metric
from harness.retry import RetryPolicy

SCALE, SLOW_SCALE, MIX_SCALE = 0.05, 0.005, 0.01
SHORTENED = "a twentieth of real time where the fault takes none, else a two hundredth"
FAULTS: dict[str, Step] = {
    "500": "500",
    "503": "503",
    "401": "401",
    "429": {"status": 429, "retry_after": 8},
    "reset": "reset",
    "truncated": "truncated",
    "garbage": "garbage",
}
SLOW_FAULTS: dict[str, Step] = {
    "hang": "hang",
    "hang_40s": {"hang": 40 * SLOW_SCALE},
    "slow_first_byte_40s": {"slow_first_byte": 40 * SLOW_SCALE},
    "slow_body_40s": {"slow_body": {"seconds": 40 * SLOW_SCALE, "chunks": 10}},
}

RECOVERED = Metric(
    "recovered", "1", better="higher", kind="count", about="The fault once, then a working provider: answered."
)
RECOVERY = Metric("recovery", "s", gated=False, about=f"The same: from the request to its end; {SHORTENED}.")
ANSWERED = Metric("answered", "1", better="higher", kind="count", gated=False, about="The fault for ever: answered.")
FALLBACK = Metric("fallback", "1", kind="count", gated=False, about="The fault for ever: a canned answer.")
ERROR = Metric("error", "1", kind="count", gated=False, about="The fault for ever: an error.")
ATTEMPTS = Metric("attempts", "1", kind="count", gated=False, about="The fault for ever: calls that came of a request.")
FIRST_WAIT = Metric("first_wait", "s", gated=False, about="The fault for ever: the first pause; a twentieth.")
WAITING = Metric("waiting", "s", gated=False, about="The fault for ever: all pauses; a twentieth of real time.")
GIVE_UP = Metric("give_up", "s", gated=False, about=f"The fault for ever: until the caller has its end; {SHORTENED}.")

IN_TIME = Metric(
    "attempts_in_time", "1", better="higher", kind="count", gated=False, about="Begun before the caller left."
)
IN_VAIN = Metric("attempts_in_vain", "1", kind="count", gated=False, about="Begun after the caller had left.")

QUANTILES = [
    Metric(f"latency_p{percent}", "s", gated=False, quantile=percent / 100, about="All requests; a hundredth.")
    for percent in (50, 95, 99)
]
SHARE_ANSWERED = Metric("answered", "1", better="higher", kind="rate", gated=False, about="Share that was answered.")


def ask(client: Client, scale: float, *, request_type: str = "general", deadline: float = 60.0) -> dict[str, Any]:
    """One request to the backend; what it answered."""
    question = {"prompt": "How fast are you?", "request_type": request_type}
    answer = client.post("/api/llm", question, headers={"X-Time-Scale": str(scale)}, deadline=deadline)
    assert answer.status in (200, 503), answer.text
    body: dict[str, Any] = answer.json()
    return body


def policy(turn: Turn) -> RetryPolicy:
    """What the running backend says that it does."""
    asked = turn.service("backend").get("/api/llm/settings").json()
    names = ("LLM_MAX_RETRIES", "LLM_BASE_DELAY", "LLM_EXPONENTIAL_BASE", "LLM_MAX_DELAY", "LLM_TIMEOUT")
    return RetryPolicy(*(asked[name] for name in names))


def once(turn: Turn, step: Step, scale: float) -> None:
    """The fault once, then a working provider."""
    Provider(turn.service("llm")).play(step)
    with turn.timed(RECOVERY):
        answer = ask(turn.service("backend"), scale)
    turn.record(RECOVERED, float(answer["outcome"] == "answered"))
    turn.predict(RECOVERED, policy(turn).recovers(1), policy(turn).recovers(1), "recovers if it may try twice")


def for_ever(turn: Turn, step: Step, scale: float) -> tuple[float, list[float]]:
    """The same fault again and again; the total waiting that the backend planned, in real time, and each wait seen."""
    provider = Provider(turn.service("llm"))
    provider.play(then=step)
    provider.forget()
    began = turn.clock()
    with turn.timed(GIVE_UP):
        answer = ask(turn.service("backend"), scale)
    ended, attempts = turn.clock(), provider.attempts()
    for metric in (ANSWERED, FALLBACK, ERROR):
        turn.record(metric, float(answer["outcome"] == metric.name))
    turn.record(ATTEMPTS, len(attempts))
    turn.trace("attempts", timeline(began, ended, attempts, answer["outcome"]))
    return sum(answer["waits"]), waits(attempts)


@pytest.mark.scenario(tag="full", rounds=8)
@pytest.mark.parametrize("fault", FAULTS)
def test_fault(turn: Turn, fault: str) -> None:
    """A fault that takes no time itself: once, and for ever."""
    once(turn, FAULTS[fault], SCALE)
    planned, seen = for_ever(turn, FAULTS[fault], SCALE)
    turn.predict(ATTEMPTS, policy(turn).attempts(None), policy(turn).attempts(None), "as many as the settings allow")
    if seen:
        turn.record(FIRST_WAIT, seen[0])
        turn.record(WAITING, sum(seen))
    assert sum(seen) > 0.9 * planned * SCALE, f"waited {sum(seen)} s of {planned * SCALE} s"


@pytest.mark.scenario(tag="full", rounds=8)
@pytest.mark.parametrize("fault", SLOW_FAULTS)
def test_slow_fault(turn: Turn, fault: str) -> None:
    """A fault that takes longer than one variant's limit: once, and for ever. What is only slow is a good answer."""
    once(turn, SLOW_FAULTS[fault], SLOW_SCALE)
    for_ever(turn, SLOW_FAULTS[fault], SLOW_SCALE)
    tries = 1 if fault.startswith("slow") and policy(turn).timeout > 40 else policy(turn).attempts(None)
    turn.predict(ATTEMPTS, tries, tries, "one if the answer comes within LLM_TIMEOUT, else as many as allowed")


@pytest.mark.scenario(tag="full", rounds=2)
@pytest.mark.parametrize("request_type", ["general", "triage", "data_analysis", "structured"])
def test_fallback(turn: Turn, request_type: str) -> None:
    """The canned answer of each type of request: told as one, and in its form (structured: an object)."""
    Provider(turn.service("llm")).play(then="500")
    answer = ask(turn.service("backend"), SLOW_SCALE, request_type=request_type)
    told = answer["outcome"] == "fallback" and answer["metadata"]["fallback_used"]
    in_form = answer["text"].startswith("{") == (request_type == "structured")
    turn.record(FALLBACK, float(bool(told and answer["text"] and in_form)))


@pytest.mark.scenario(tag="full", rounds=8)
def test_caller_leaves(turn: Turn) -> None:
    """The provider hangs, and the caller waits 40 s (a two hundredth): which attempts does it never see?"""
    provider, most = Provider(turn.service("llm")), policy(turn)
    provider.play(then="hang")
    provider.forget()
    with Client(turn.service("backend").host, turn.service("backend").port) as caller:
        with pytest.raises(TimeoutError):
            ask(caller, SLOW_SCALE, deadline=40 * SLOW_SCALE)
        left = turn.clock()
    attempts = provider.attempts()
    bound = left + (most.timeout * most.max_attempts + most.waiting(None)[1]) * SLOW_SCALE + 1.0
    while turn.clock() < bound and not (len(attempts) == most.max_attempts and attempts[-1].ended):
        time.sleep(0.01)
        attempts = provider.attempts()
    in_time = sum(attempt.arrived < left for attempt in attempts)
    turn.record(IN_TIME, in_time)
    turn.record(IN_VAIN, len(attempts) - in_time)


@pytest.mark.scenario(tag="full", rounds=8)
def test_mix(turn: Turn) -> None:
    """40 requests in a second; of the attempts 70 % work, 20 % fail, 6 % take 40 s, 4 % hang: how long is the tail?"""
    steps: list[Step] = ["ok", "500", {"slow_first_byte": 40 * MIX_SCALE}, "hang"]
    Provider(turn.service("llm")).play(*turn.random.choices(steps, (70, 20, 6, 4), k=120))
    for call in open_loop(turn.service("backend"), 40, 1.0, lambda client, _: ask(client, MIX_SCALE)):
        assert call.result is not None, call.error
        turn.record(SHARE_ANSWERED, float(call.result["outcome"] == "answered"))
        for metric in QUANTILES:
            turn.record(metric, call.latency)
    fails = 0.24 if policy(turn).timeout > 40 else 0.30
    share = policy(turn).success_share(fails)
    turn.predict(SHARE_ANSWERED, share, share, "1 − share of attempts that fail or come too late ^ attempts")
