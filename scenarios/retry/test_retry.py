"""Retry: what a caller of the model provider gets, and waits for, when the provider fails.

The provider plays a script of faults and writes down every call that reaches it, so attempts and the waits between them
are counted from outside the backend. Every answer is told apart: answered, a canned fallback, or an error - a fallback
is fast and wrong. Beside each measurement stands what the policy's settings predict.
"""

from dataclasses import dataclass

import pytest

from harness.measure.turn import Turn
from harness.model import Mark, Metric
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
WAITING = Metric("waiting", "s", about="Sum of the pauses between attempts, as the provider sees them; a scaled wait.")
PLANNED = Metric("planned", "s", gated=False, about="Waits that the backend drew for one call, in real time.")
LATENCY = Metric("latency", "s", about="From the request to the answer, whatever the answer is; contains scaled waits.")
SHOWN_LATENCY = Metric("latency", "s", gated=False, about=LATENCY.about)
STRETCH_SCALED = Metric("stretch_scaled", "1", gated=False, about="Measured / planned waiting, waits shortened.")
STRETCH_REAL = Metric("stretch_real_time", "1", gated=False, about="Measured / planned waiting, in real time.")
WAITING_REAL = Metric("waiting_real_time", "s", gated=False, about="Waiting after one failure, nothing shortened.")

Step = str | dict[str, object]


@dataclass(frozen=True)
class Call:
    """One request to the backend, as its caller and as the provider saw it."""

    outcome: str
    planned: float
    """Sum of the waits that the backend says it planned, in seconds before scaling."""
    attempts: list[tuple[float, float]]
    """Begin and end of each call at the provider, seconds on the machine's monotonic clock."""

    @property
    def waiting(self) -> float:
        """Seconds between attempts."""
        return sum(begin - end for (_, end), (begin, _) in zip(self.attempts, self.attempts[1:], strict=False))


def policy(turn: Turn) -> RetryPolicy:
    """The policy that the variant's settings ask for."""
    attempts, base, factor, cap, timeout, scale = (
        float(turn.setting("backend", name))
        for name in (
            "LLM_MAX_RETRIES",
            "LLM_BASE_DELAY",
            "LLM_EXPONENTIAL_BASE",
            "LLM_MAX_DELAY",
            "LLM_TIMEOUT",
            "TIME_SCALE",
        )
    )
    return RetryPolicy(int(attempts), base, factor, cap, timeout, scale=scale)


def call(
    turn: Turn, *steps: Step, then: Step = "ok", latency: Metric = SHOWN_LATENCY, scale: float | None = None
) -> Call:
    """Have the provider play ``steps``, then ``then``; ask the backend once; record what became of it."""
    script(turn, *steps, then=then)
    return ask(turn, latency=latency, scale=scale)


def script(turn: Turn, *steps: Step, then: Step = "ok") -> None:
    """What the provider does with the next calls."""
    answer = turn.service("llm").put("/script", {"steps": steps, "then": then, "seed": turn.round})
    assert answer.status == 200, answer.text


def ask(turn: Turn, *, latency: Metric, outcomes: dict[str, Metric] = CERTAIN, scale: float | None = None) -> Call:
    """One request to the backend."""
    provider = turn.service("llm")
    provider.delete("/calls")
    headers = {} if scale is None else {"X-Time-Scale": str(scale)}
    begin = turn.clock()
    with turn.timed(latency):
        answer = turn.service("backend").post("/api/llm", {"prompt": "How fast are you?"}, headers=headers)
    end = turn.clock()
    assert answer.status in (200, 503), answer.text
    body = answer.json()
    calls = provider.get("/calls").json()["calls"]
    attempts = [(entry["arrived_ns"] / 1e9, (entry["ended_ns"] or end * 1e9) / 1e9) for entry in calls]
    for outcome, metric in outcomes.items():
        turn.record(metric, float(body["outcome"] == outcome))
    turn.record(ATTEMPTS, len(attempts))
    turn.trace("attempts", marks(begin, end, attempts, body["outcome"]))
    return Call(body["outcome"], sum(body.get("waits", [])), attempts)


def marks(begin: float, end: float, attempts: list[tuple[float, float]], outcome: str) -> list[Mark]:
    """The timeline of one call; the attempt that brought the answer ends with it."""
    timeline = [Mark("request", 0.0)]
    for number, (arrived, ended) in enumerate(attempts, 1):
        timeline.append(Mark(f"attempt {number}", arrived - begin))
        if outcome != "answered" or number < len(attempts):
            timeline.append(Mark(f"failed {number}", ended - begin))
    return [*timeline, Mark("answer" if outcome == "answered" else outcome, end - begin)]


def record_waiting(turn: Turn, made: Call, failures: int | None) -> None:
    """Waiting beside what the policy predicts for it; the waits may be longer than planned, never shorter."""
    asked = policy(turn)
    low, high = asked.waiting(failures)
    about = "sum of base × factor^i, capped, with 10–30 % jitter"
    turn.record(WAITING, made.waiting)
    turn.predict(WAITING, low, high, f"{about}; timers and requests come on top")
    turn.record(PLANNED, made.planned)
    turn.predict(PLANNED, low / asked.scale, high / asked.scale, about)
    predict_attempts(turn, failures)
    assert made.waiting >= low * 0.999, f"waited {made.waiting} s, the policy asks for at least {low} s"


def predict_attempts(turn: Turn, failures: int | None) -> None:
    attempts = policy(turn).attempts(failures)
    turn.predict(ATTEMPTS, attempts, attempts, "failures + 1, at most LLM_MAX_RETRIES, which counts attempts")


@pytest.mark.scenario
def test_always_fails(turn: Turn) -> None:
    """The provider answers 500 every time: how long until the backend gives up?"""
    record_waiting(turn, call(turn, then="500"), None)


@pytest.mark.scenario
def test_fails_once(turn: Turn) -> None:
    """One failure, then it works: how long does the recovery take?"""
    record_waiting(turn, call(turn, "500"), 1)


@pytest.mark.scenario
def test_fails_twice(turn: Turn) -> None:
    """Two failures, then it works: does the caller get the answer at all?"""
    record_waiting(turn, call(turn, "500", "500"), 2)


@pytest.mark.scenario
def test_slow_but_healthy(turn: Turn) -> None:
    """The provider needs 45 s (scaled), which is longer than one variant's timeout: is a good answer thrown away?"""
    scaled = 45 * policy(turn).scale
    call(turn, then={"slow_first_byte": scaled}, latency=LATENCY)
    in_time = scaled < policy(turn).time_out()
    predict_attempts(turn, 0 if in_time else None)


@pytest.mark.scenario
def test_hangs(turn: Turn) -> None:
    """The provider accepts the call and never answers: how long does the caller wait for nothing?"""
    call(turn, then="hang", latency=LATENCY)
    predict_attempts(turn, None)


@pytest.mark.scenario
def test_random_failures(turn: Turn) -> None:
    """Every attempt fails with probability 20 %: which share of calls still gets an answer, at how many attempts?"""
    script(turn, then={"random": {"share": 0.2, "step": "500"}})
    for _ in range(10):
        ask(turn, latency=LATENCY, outcomes=SHARES)
    share = policy(turn).success_share(0.2)
    turn.predict(SHARE_ANSWERED, share, share, "1 − 0.2^attempts")


@pytest.mark.scenario(rounds=4)
def test_real_time(turn: Turn) -> None:
    """One failure with nothing shortened, and the same shortened: how much does the shortening distort?"""
    shortened = call(turn, "500")
    real = call(turn, "500", scale=1.0)
    turn.record(WAITING_REAL, real.waiting)
    turn.record(STRETCH_SCALED, shortened.waiting / (shortened.planned * policy(turn).scale))
    turn.record(STRETCH_REAL, real.waiting / real.planned)
