"""Many callers and a provider that is down: who still gets an answer, and what the retries do to the provider.

Callers come on a schedule, whatever becomes of the earlier ones. In `outage` it is down for 2 or 10 s: a request is
answered if its attempts reach past the end, so the share says how long the policy holds out. `storm` counts the calls
that each request makes of itself (amplification) and the most that arrive within 100 ms. `in_step` asks whether callers
that failed together come back together; the more the waits are spread, the fewer. `breaker` is `outage` with a circuit
breaker. Waits are a twentieth of real time, and so is everything that follows from them; in `outage`, where a share
follows from them, a tenth; `in_step` shortens nothing.
"""

from statistics import fmean, pstdev
from typing import Any

import pytest

from harness.measure.callers import Call, at_once, open_loop
from harness.measure.http import Client
from harness.measure.provider import Provider, by_request, peak, waits
from harness.measure.service import RunningService
from harness.measure.turn import Turn
from harness.model import Metric
from harness.retry import RetryPolicy

Answer = dict[str, Any]

SCALE, OUTAGE_SCALE = 0.05, 0.1
RATE = 2
"""Requests a second before scaling."""
TOGETHER = 100
"""Callers that fail at the same moment."""

ANSWERED_DURING = Metric(
    "answered_during",
    "1",
    better="higher",
    kind="rate",
    gated=False,
    about="Of the requests made during the outage: answered.",
)
BACK = Metric("back", "s", gated=False, about="From the provider's recovery to the first answer; shortened.")
LONGEST = Metric("longest", "s", gated=False, about="The longest that a caller waited for its end; shortened.")
CALLS = Metric("calls_per_request", "1", kind="count", gated=False, about="Calls that reached the provider.")
PEAK = Metric("peak", "1", kind="count", gated=False, about="Most calls that reached the provider within 100 ms.")
ANSWERED = Metric("answered", "1", better="higher", kind="rate", gated=False, about="Share of requests answered.")

SPREAD = Metric(
    "spread", "1", better="higher", gated=False, about="Of the first wait as drawn: standard deviation over mean."
)
FIRST_IN_STEP = Metric(
    "first_in_step",
    "1",
    kind="count",
    gated=False,
    about="Most of 100 first attempts within a tenth of the base delay.",
)
IN_STEP = Metric("in_step", "1", kind="count", gated=False, about="The same of their second attempts.")

SPARED = Metric("spared", "1", better="higher", kind="count", gated=False, about="Requests refused without a call.")
TRIES = Metric("half_open_tries", "1", kind="count", gated=False, about="Tries let through while it was open.")
TRIPS = Metric("trips", "1", kind="count", gated=False, about="How often it opened.")
CLOSED = Metric("closed", "1", better="higher", kind="count", gated=False, about="Closed again in the end.")
OPEN_FOR = Metric("open_for", "s", gated=False, about="How long it was not closed; a twentieth of real time.")

HONOURED = Metric("honoured", "1", better="higher", kind="count", gated=False, about="The wait was as long as asked.")
FIRST_WAIT = Metric("first_wait", "s", gated=False, about="Until the second attempt; a twentieth of real time.")


def ask(client: Client, scale: float = SCALE) -> Answer:
    """One request to the backend; what it answered."""
    answer = client.post("/api/llm", {"prompt": "How fast are you?"}, headers={"X-Time-Scale": str(scale)})
    assert answer.status in (200, 503), answer.text
    body: Answer = answer.json()
    return body


def policy(backend: RunningService) -> RetryPolicy:
    """What the running backend says that it does."""
    asked = backend.get("/api/llm/settings").json()
    names = ("LLM_MAX_RETRIES", "LLM_BASE_DELAY", "LLM_EXPONENTIAL_BASE", "LLM_MAX_DELAY", "LLM_TIMEOUT")
    return RetryPolicy(*(asked[name] for name in names))


def answered(call: Call[Answer]) -> bool:
    assert call.result is not None, call.error
    return bool(call.result["outcome"] == "answered")


def survive(turn: Turn, backend: RunningService, outage: float, afterwards: float, scale: float) -> list[Call[Answer]]:
    """Callers during an outage and for a while after it, both in seconds before scaling; record what became of them."""
    down = round(outage * RATE)
    provider = Provider(turn.service("llm"))
    provider.play(then="500")
    provider.forget()
    recovered: list[float] = []

    def call(client: Client, index: int) -> Answer:
        if index == down:  # the outage lasts exactly as long as the schedule says
            recovered.append(turn.clock())  # before: nothing is answered earlier
            provider.play()
        return ask(client, scale)

    calls = open_loop(backend, RATE / scale, (outage + afterwards) * scale, call)
    for one in calls[:down]:
        turn.record(ANSWERED_DURING, float(answered(one)))
    turn.record(BACK, min(one.ended for one in calls if answered(one)) - recovered[0])
    turn.record(LONGEST, max(one.latency for one in calls))
    for one in calls:
        turn.record(CALLS, one.result["attempts"] if one.result else 0)
    turn.record(PEAK, peak((attempt.arrived for attempt in provider.attempts()), 0.1))
    return calls


@pytest.mark.scenario(tag="full", rounds=8)
@pytest.mark.parametrize("seconds", [2, 10])
def test_outage(turn: Turn, seconds: int) -> None:
    """The provider is down for so long: which share of the callers of that time still gets an answer?"""
    backend = turn.service("backend")
    survive(turn, backend, seconds, 2, OUTAGE_SCALE)
    held_out = policy(backend).total_waiting(None)
    share = fmean(1 - held_out.cdf(seconds - number / RATE) for number in range(seconds * RATE))
    about = "share of requests whose waits reach past the end; the attempts themselves take time on top"
    turn.predict(ANSWERED_DURING, share, share, about)


@pytest.mark.scenario(tag="full", rounds=8)
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_storm(turn: Turn, share: float) -> None:
    """Each attempt fails with this probability: how many calls come of the requests, and how many at the same time?"""
    provider, backend = Provider(turn.service("llm")), turn.service("backend")
    provider.play(then={"random": {"share": share, "step": "500"}}, seed=turn.round)
    provider.forget()
    calls = open_loop(backend, RATE / SCALE, 0.6, lambda client, _: ask(client))
    attempts = provider.attempts()
    for request in by_request(attempts):
        turn.record(CALLS, len(request))
    turn.record(PEAK, peak((attempt.arrived for attempt in attempts), 0.1))
    for call in calls:
        turn.record(ANSWERED, float(answered(call)))
    if share == 1:
        turn.predict(CALLS, policy(backend).attempts(None), policy(backend).attempts(None), "LLM_MAX_RETRIES")
    expected = policy(backend).success_share(share)
    turn.predict(ANSWERED, expected, expected, "1 − share^attempts, on average")


@pytest.mark.scenario(tag="full", rounds=6)
def test_in_step(turn: Turn) -> None:
    """100 callers fail at the same moment: do their second attempts come at the same moment, too? Nothing shortened."""
    provider = Provider(turn.service("llm"))
    provider.play(then="500")
    provider.forget()
    with turn.started("backend", {"LLM_MAX_RETRIES": 2}, settled=False) as (backend, _):  # two attempts are enough
        calls = at_once(backend, TOGETHER, lambda client, _: ask(client, 1.0))
        window = policy(backend).base / 10
    first = [call.result["waits"][0] for call in calls if call.result]
    requests = by_request(provider.attempts())
    assert len(first) == len(requests) == TOGETHER
    turn.record(SPREAD, pstdev(first) / fmean(first))
    turn.record(FIRST_IN_STEP, peak((request[0].arrived for request in requests), window))
    turn.record(IN_STEP, peak((request[1].arrived for request in requests), window))


@pytest.mark.scenario(tag="full", rounds=8)
def test_breaker(turn: Turn) -> None:
    """The outage of 10 s with a circuit breaker that opens after 5 failures and tries again every 4 s."""
    switched_on = {
        "LLM_USE_CIRCUIT_BREAKER": True,
        "LLM_BREAKER_THRESHOLD": 5,
        "LLM_BREAKER_RECOVERY": 4,
        "TIME_SCALE": SCALE,  # the breaker's own time is not scaled call by call
    }
    with turn.started("backend", switched_on, settled=False) as (backend, _):
        calls = survive(turn, backend, 10, 8, SCALE)
        breaker = backend.get("/api/metrics/summary").json()["llm"]["circuit_breakers"]["llm"]
    turn.record(CLOSED, float(breaker["state"] == "closed"))
    turn.record(SPARED, sum(call.result is not None and call.result["attempts"] == 0 for call in calls))
    turn.record(TRIES, breaker["half_open_tries"])
    turn.record(TRIPS, breaker["trips"])
    turn.record(OPEN_FOR, breaker["open_seconds"])


@pytest.mark.scenario(tag="full", rounds=8)
def test_retry_after(turn: Turn) -> None:
    """The provider answers 429 and asks for 8 s: does the backend wait that long?"""
    rate_limited(turn, turn.service("backend"))


@pytest.mark.scenario(tag="full", rounds=2)
def test_retry_after_switched_on(turn: Turn) -> None:
    """The same with LLM_HONOUR_RETRY_AFTER."""
    with turn.started("backend", {"LLM_HONOUR_RETRY_AFTER": True}, settled=False) as (backend, _):
        rate_limited(turn, backend)


def rate_limited(turn: Turn, backend: RunningService) -> None:
    provider = Provider(turn.service("llm"))
    provider.play({"status": 429, "retry_after": 8})
    provider.forget()
    assert ask(backend)["outcome"] == "answered"
    (wait,) = waits(provider.attempts())
    turn.record(FIRST_WAIT, wait)
    turn.record(HONOURED, float(wait > 0.9 * 8 * SCALE))
