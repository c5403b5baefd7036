"""Load: what the backend's callers wait for when many of them come, and how many it can serve.

locust starts a mix of requests on a schedule that does not wait for answers, and latency counts from the moment at
which a request should have started: a backend that stands still for a second makes everybody late who comes meanwhile,
and that is what is shown. Of three requests one is a query that no cache knows, one goes through the backend to a model
provider that answers at once, one asks for the metrics. A wrong answer is a failure; failures are counted apart and are
in no latency. When the load could not be made as planned - the generator shares the machine with what it loads - the
round is invalid and says so, instead of showing the generator as the backend.

Read `late_starts` first (they are the generator's), then `failures`, then the latencies.
"""

from dataclasses import replace

import pytest

from harness.load.capacity import Probed, Search, find
from harness.load.job import Request
from harness.load.plan import Plan, Segment, constant, soak, spike, steps
from harness.load.recovery import back_after
from harness.load.runner import Load, drive
from harness.load.summary import Summary
from harness.measure.turn import Turn
from harness.model import Metric

P50 = Metric("p50", "s", about="Latency from the intended start that half of the requests do not exceed.")
P95 = Metric("p95", "s", smallest_effect=0.15, about="The same for 95 % of the requests.")
P99 = Metric("p99", "s", gated=False, about="The same for 99 %; of some hundred requests it is one of the slowest.")
FAILURES = Metric("failures", "1", kind="count", about="Errors, wrong answers, and no answer 5 s after the load.")
THROUGHPUT = Metric("throughput", "1/s", better="higher", gated=False, about="Good answers per second.")
CPU = Metric("cpu_per_request", "s", about="Processor time of the backend per request.")
LATE_STARTS = Metric("late_starts", "1", kind="count", gated=False, about="Starts that the generator made too late.")
BACK = Metric("back", "s", gated=False, about="From the beginning of the spike until latency is back; 12.5 ms or more.")
NOT_BACK = Metric(
    "not_back", "1", kind="count", gated=False, about="1: latency never was back, and `back` is how long was watched."
)
PEAK = Metric("p95_spike", "s", gated=False, about="p95 of the requests that should have started in the spike.")
CAPACITY = Metric(
    "capacity", "1/s", better="higher", gated=False, about="Highest rate with p95 within 100 ms and no failures."
)
AT_LEAST = Metric(
    "at_least", "1", kind="count", gated=False, about="1: `capacity` is a lower bound; no higher rate broke."
)
DRIFT = Metric("drift", "1", gated=False, about="Median latency of the last tenth over that of the first.")

RATE = 80.0
"""Requests per second that leave the machine half idle, generator included."""
LATE = 0.025
"""Seconds by which a start may be late; on two cores the generator waits for the backend now and then."""
ALLOWED = 0.03
"""The share of starts that may be late: one busy moment of the machine is a few of some hundred."""
REAL_TIME = {"X-Time-Scale": "1"}
"""Timeouts of the calls to the provider are not shortened: under load an answer would be lost to the shortening."""
LIMIT = 0.100
"""Seconds within which 95 % of the requests have to be answered, for the capacity."""


def mix(turn: Turn) -> tuple[Request, ...]:
    """The requests, on a provider that answers well. `{number}` makes each query one that no cache knows."""
    answer = turn.service("llm").put("/script", {"steps": [], "then": "ok", "seed": turn.round})
    assert answer.status == 200, answer.text
    turn.service("llm").delete("/calls")
    return (
        Request("query", "/api/query", "POST", {"sql": "SELECT {number} + 1"}, expects='"rows"'),
        Request("llm", "/api/llm", "POST", {"prompt": "How fast?"}, headers=REAL_TIME, expects='"answered"'),
        Request("metrics", "/api/metrics/summary", expects="{"),
    )


def load(turn: Turn, *segments: Segment) -> Load:
    """Put a load on the backend, the same schedule for both variants of a pair. A line for each request stays in the
    session's folder."""
    plan = Plan(segments, "poisson", seed=turn.random.getrandbits(32))
    keep = turn.stack.logs / turn.scenario / f"round-{turn.round}-{turn.side}"
    return drive(turn.service("backend"), plan, mix(turn), late=LATE, shortfall=ALLOWED, keep=keep)


def record(turn: Turn, found: Summary, *, gated: bool = False) -> None:
    """What every load shows; gated where there are rounds enough to decide anything."""
    failures = found.failed + len(found.unanswered)
    values = {P50: found.quantile(0.5).seconds, P95: found.quantile(0.95).seconds, FAILURES: failures}
    for metric, value in values.items():
        turn.record(metric if gated else replace(metric, gated=False), value)
    turn.record(P99, found.quantile(0.99).seconds)
    turn.record(THROUGHPUT, found.throughput)
    turn.record(LATE_STARTS, found.late)


@pytest.mark.scenario(tag="full", rounds=14)
def test_steady(turn: Turn) -> None:
    """The same rate all the time."""
    backend = turn.service("backend")
    used = backend.cpu_seconds()
    made = load(turn, *constant(RATE, 1.5))
    used_after = backend.cpu_seconds()
    record(turn, made.summary, gated=True)
    if used is not None and used_after is not None:
        turn.record(CPU, (used_after - used) / len(made.records))


@pytest.mark.scenario(tag="full", rounds=4)
def test_spike(turn: Turn) -> None:
    """From 40 to 320 requests a second for 0.4 s: how long until callers do not notice it any more?"""
    made = load(turn, *spike(RATE / 2, 4 * RATE, before=0.5, seconds=0.4, after=1.6))
    begin, _ = made.plan.span("spike")
    usual = made.segment("before").quantile(0.5).seconds
    back = back_after(made.records, begin, 2 * usual)
    turn.record(BACK, max(back.seconds, 1 / RATE))
    turn.record(NOT_BACK, back.at_least)
    turn.record(PEAK, made.segment("spike").quantile(0.95).seconds)
    record(turn, made.summary)


@pytest.mark.scenario(tag="full", rounds=4)
def test_steps(turn: Turn) -> None:
    """One rate after the other: from which one on does latency grow?"""
    rates = (RATE / 2, RATE, 2 * RATE)
    made = load(turn, *steps(rates, 0.5))
    for number, rate in enumerate(rates, 1):
        about = f"Median latency at {rate:g} requests per second."
        metric = Metric(f"p50_at_{rate:g}", "s", gated=False, about=about)
        turn.record(metric, made.segment(f"step {number}").quantile(0.5).seconds)
    record(turn, made.summary)


@pytest.mark.scenario(tag="full", rounds=2)
def test_capacity(turn: Turn) -> None:
    """The highest rate at which 95 % of the requests are answered within 100 ms, to a factor of 1.5."""
    plans = turn.random.getrandbits(32)
    requests = mix(turn)

    def probe(rate: float) -> Probed:
        plan = Plan(constant(rate, 0.8), "poisson", plans)
        made = drive(turn.service("backend"), plan, requests, late=LATE, shortfall=None)
        if made.summary.shortfall > ALLOWED or made.busiest > 0.8:
            return "generator"
        return "kept" if made.summary.keeps(0.95, LIMIT) else "broken"

    found = find(Search(2 * RATE, 1000.0, precision=0.5, least=RATE / 4), probe)
    assert found.rate, found.why
    turn.record(CAPACITY, found.rate)
    turn.record(AT_LEAST, found.at_least)


@pytest.mark.scenario(tag="soak", rounds=2)
def test_soak(turn: Turn) -> None:
    """Five minutes of the steady rate: does latency drift?"""
    made = load(turn, *soak(RATE, 300.0))
    first, last = (made.segment(f"soak {part}").quantile(0.5).seconds for part in (1, 10))
    turn.record(DRIFT, last / first)
    record(turn, made.summary)
