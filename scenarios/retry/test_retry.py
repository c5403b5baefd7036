"""Retry: what a caller of the model provider gets, and waits for, when the provider fails.

The provider plays a script of faults and writes down every call that reaches it, so attempts and the waits between them
are counted from outside the backend. Every answer is told apart: answered, a canned fallback, or an error - a fallback
is fast and wrong. Beside each measurement stands what the policy's settings predict.
"""

from dataclasses import dataclass

import pytest

from harness.measure.provider import Provider, Step, timeline, waits
from harness.measure.turn import Turn
from harness.model import Metric
from harness.retry import RetryPolicy

# With a scripted fault the outcome of a call is certain, so it is an exact count; with random faults it is a share.
ANSWERED = Metric("answered", "1", better="higher", kind="count", about="Calls that got the model's answer.")
FALLBACK = Metric("fallback", "1", kind="count", gated=False, about="Calls that got a canned answer instead.")
ERROR = Metric("error", "1", kind="count", gated=False, about="Calls that got an error.")
SHARE_ANSWERED = Metric(
    "answered", "1", better="higher", kind="rate", about="Share of calls that got the model's answer."
)
SHARE_FALLBACK = Metric("fallback", "1", kind="rate", gated=False, about="Share of calls that got a canned answer.")
SHARE_ERROR = Metric("error", "1", kind="rate", gated=False, about="Share of calls that got an error.")
CERTAIN = {"answered": ANSWERED, "fallback": FALLBACK, "error": ERROR}
SHARES = {"answered": SHARE_ANSWERED, "fallback": SHARE_FALLBACK, "error": SHARE_ERROR}
ATTEMPTS = Metric("attempts", "1", kind="count", about="Calls that reached the provider for one request.")
WAITING = Metric("waiting", "s", about="Pauses between attempts, as the provider sees them; a tenth of real time.")
PLANNED = Metric("planned", "s", gated=False, about="Waits that the backend drew for one call, in real time.")
LATENCY = Metric("latency", "s", about="From the request to the answer, whatever the answer is; contains scaled waits.")
SHOWN_LATENCY = Metric("latency", "s", gated=False, about=LATENCY.about)
STRETCH_SCALED = Metric("stretch_scaled", "1", gated=False, about="Measured / planned waiting, a tenth of real time.")
STRETCH_REAL = Metric("stretch_real_time", "1", gated=False, about="Measured / planned waiting, in real time.")
WAITING_REAL = Metric("waiting_real_time", "s", gated=False, about="Waiting after one failure, nothing shortened.")

WAIT_SCALE = 0.1
"""Of the waits between attempts. TIME_SCALE, which keeps minutes of timeouts short, would make them so short that
timers and requests weigh more than they do: `real_time` measures by how much this scale distorts."""


@dataclass(frozen=True)
class Call:
    """One request to the backend, as its caller and as the provider saw it."""

    outcome: str
    planned: float
    """Sum of the waits that the backend says it planned, in seconds before scaling."""
    waiting: float
    """Seconds between attempts, as the provider saw them."""


def policy(turn: Turn) -> RetryPolicy:
    """The policy that the variant's settings ask for."""
    attempts, base, factor, cap, timeout = (
        float(turn.setting("backend", name))
        for name in (
            "LLM_MAX_RETRIES",
            "LLM_BASE_DELAY",
            "LLM_EXPONENTIAL_BASE",
            "LLM_MAX_DELAY",
            "LLM_TIMEOUT",
        )
    )
    return RetryPolicy(int(attempts), base, factor, cap, timeout)


def call(
    turn: Turn, *steps: Step, then: Step = "ok", latency: Metric = SHOWN_LATENCY, scale: float | None = None
) -> Call:
    """Have the provider play ``steps``, then ``then``; ask the backend once; record what became of it."""
    Provider(turn.service("llm")).play(*steps, then=then)
    return ask(turn, latency=latency, scale=scale)


def ask(turn: Turn, *, latency: Metric, outcomes: dict[str, Metric] = CERTAIN, scale: float | None = None) -> Call:
    """One request to the backend."""
    provider = Provider(turn.service("llm"))
    provider.forget()
    headers = {} if scale is None else {"X-Time-Scale": str(scale)}
    begin = turn.clock()
    with turn.timed(latency):
        answer = turn.service("backend").post("/api/llm", {"prompt": "How fast are you?"}, headers=headers)
    end = turn.clock()
    assert answer.status in (200, 503), answer.text
    body, attempts = answer.json(), provider.attempts()
    for outcome, metric in outcomes.items():
        turn.record(metric, float(body["outcome"] == outcome))
    turn.record(ATTEMPTS, len(attempts))
    if outcomes is CERTAIN:  # where chance decides, one call's timeline is no picture of the rest
        turn.trace("attempts", timeline(begin, end, attempts, body["outcome"]))
    return Call(body["outcome"], sum(body.get("waits", [])), sum(waits(attempts)))


def record_waiting(turn: Turn, failures: int | None) -> None:
    """One call whose first ``failures`` attempts fail (None: all of them): its waiting beside what the policy predicts,
    for the waits that the backend drew and for those that the provider saw. Those may be longer, never shorter."""
    steps = ["500"] * (failures or 0)
    made = call(turn, *steps, then="500" if failures is None else "ok", scale=WAIT_SCALE)
    low, high = policy(turn).waiting(failures)
    about = "sum of base × factor^i, capped, with 10–30 % jitter"
    turn.record(WAITING, made.waiting)
    turn.predict(WAITING, low * WAIT_SCALE, high * WAIT_SCALE, f"{about}; timers and requests come on top")
    turn.record(PLANNED, made.planned)
    turn.predict(PLANNED, low, high, about)
    predict_attempts(turn, failures)
    predict_outcome(turn, answered=failures is not None and policy(turn).recovers(failures))
    assert made.waiting >= low * WAIT_SCALE * 0.999, f"waited {made.waiting} s, asked for at least {low * WAIT_SCALE} s"


def predict_attempts(turn: Turn, failures: int | None) -> None:
    attempts = policy(turn).attempts(failures)
    turn.predict(ATTEMPTS, attempts, attempts, "failures + 1, at most LLM_MAX_RETRIES, which counts attempts")


def predict_outcome(turn: Turn, *, answered: bool) -> None:
    about = "answered when an attempt succeeds within LLM_MAX_RETRIES and LLM_TIMEOUT, else the fallback"
    turn.predict(ANSWERED, answered, answered, about)
    turn.predict(FALLBACK, not answered, not answered, about)
    turn.predict(ERROR, 0, 0, about)


@pytest.mark.scenario
def test_always_fails(turn: Turn) -> None:
    """The provider answers 500 every time: how long until the backend gives up?"""
    record_waiting(turn, None)


@pytest.mark.scenario
def test_fails_once(turn: Turn) -> None:
    """One failure, then it works: how long does the recovery take?"""
    record_waiting(turn, 1)


@pytest.mark.scenario
def test_fails_twice(turn: Turn) -> None:
    """Two failures, then it works: does the caller get the answer at all?"""
    record_waiting(turn, 2)


@pytest.mark.scenario
def test_slow_but_healthy(turn: Turn) -> None:
    """The provider needs 45 s (scaled), which is longer than one variant's timeout: is a good answer thrown away?"""
    needs = 45.0
    call(turn, then={"slow_first_byte": needs * float(turn.setting("backend", "TIME_SCALE"))}, latency=LATENCY)
    in_time = needs < policy(turn).timeout
    predict_attempts(turn, 0 if in_time else None)
    predict_outcome(turn, answered=in_time)


@pytest.mark.scenario
def test_hangs(turn: Turn) -> None:
    """The provider accepts the call and never answers: how long does the caller wait for nothing?"""
    call(turn, then="hang", latency=LATENCY)
    predict_attempts(turn, None)
    predict_outcome(turn, answered=False)


@pytest.mark.scenario
def test_random_failures(turn: Turn) -> None:
    """Every attempt fails with probability 20 %: which share of calls still gets an answer, at how many attempts?"""
    Provider(turn.service("llm")).play(then={"random": {"share": 0.2, "step": "500"}}, seed=turn.round)
    for _ in range(10):
        ask(turn, latency=LATENCY, outcomes=SHARES)
    share = policy(turn).success_share(0.2)
    turn.predict(SHARE_ANSWERED, share, share, "1 − 0.2^attempts")
    turn.predict(SHARE_FALLBACK, 1 - share, 1 - share, "0.2^attempts")


@pytest.mark.scenario(rounds=4)
def test_real_time(turn: Turn) -> None:
    """One failure with nothing shortened, and the same at a tenth: how much does the shortening distort?"""
    shortened = call(turn, "500", scale=WAIT_SCALE)
    real = call(turn, "500", scale=1.0)
    turn.record(WAITING_REAL, real.waiting)
    turn.record(STRETCH_SCALED, shortened.waiting / (shortened.planned * WAIT_SCALE))
    turn.record(STRETCH_REAL, real.waiting / real.planned)
