"""Which settings are in effect, and what each changed one does alone.

A setting that was changed may never reach the code that should obey it, or make no difference where it stands. So the
running backend is asked what it runs with; and each setting that differs between the variants is changed alone: in
`ablation[X]` *before* is the variant before, and *after* is the variant before with nothing but X taken from after (and
settings that only after has: what is set cannot be unset). A metric that is `unchanged` there says: no measured effect.
In a run of a variant against itself nothing changes.
"""

from statistics import fmean
from typing import Any

import pytest

from harness.measure.callers import at_once
from harness.measure.http import Client
from harness.measure.provider import Provider, by_request, waits
from harness.measure.turn import Turn
from harness.model import Metric
from harness.retry import RetryPolicy

POLICY = ("LLM_MAX_RETRIES", "LLM_BASE_DELAY", "LLM_EXPONENTIAL_BASE", "LLM_MAX_DELAY", "LLM_TIMEOUT")
SCALE, TWICE_SCALE, SLOW_SCALE = 0.05, 0.02, 0.005
CALLERS = 5

DIFFERENT = Metric("different", "1", kind="count", about="Settings that the backend does not run with as it was told.")
UNKNOWN = Metric("unknown", "1", kind="count", about="Settings that the backend was started with and does not know.")

ATTEMPTS = Metric("attempts", "1", kind="count", gated=False, about="The provider always fails: calls for a request.")
WAITING = Metric(
    "waiting", "s", gated=False, about=f"The same: pauses of a request, mean of {CALLERS} callers; a twentieth."
)
PLANNED = Metric("planned", "s", gated=False, about="The same: the waits that the backend drew, in real time.")
AFTER_TWO = Metric(
    "answered_after_two",
    "1",
    better="higher",
    kind="count",
    gated=False,
    about="Two failures, then it works: answered.",
)
IF_SLOW = Metric(
    "answered_if_slow", "1", better="higher", kind="count", gated=False, about="A good answer after 40 s: answered."
)
SLOW_LATENCY = Metric("latency_if_slow", "s", gated=False, about="The same: until the end; a two hundredth.")
HUNG_LATENCY = Metric("latency_if_hung", "s", gated=False, about="It never answers: until the end; a two hundredth.")


def ask(client: Client, scale: float) -> dict[str, Any]:
    """One request to the backend; what it answered."""
    answer = client.post("/api/llm", {"prompt": "How fast are you?"}, headers={"X-Time-Scale": str(scale)})
    assert answer.status in (200, 503), answer.text
    body: dict[str, Any] = answer.json()
    return body


def same(told: str, effective: object) -> bool:
    """Whether the text of an environment variable means the value that is in effect."""
    if isinstance(effective, bool):
        return effective == (told.strip().lower() in {"true", "1", "yes", "on"})
    if isinstance(effective, int | float):
        return float(told) == effective
    return effective in (told, "***")  # a secret is masked


@pytest.mark.scenario(tag="full", rounds=2)
def test_settings_in_effect(turn: Turn) -> None:
    """What the backend was started with against what it says that it runs with."""
    backend = turn.service("backend")
    effective = backend.get("/api/llm/settings").json()
    known = {name: value for name, value in backend.settings.items() if name in effective}
    turn.record(DIFFERENT, sum(not same(value, effective[name]) for name, value in known.items()))
    turn.record(UNKNOWN, len(backend.settings) - len(known))
    assert set(POLICY) <= set(known)


@pytest.mark.scenario(tag="full", rounds=8)
@pytest.mark.parametrize("setting", POLICY)
def test_ablation(turn: Turn, setting: str) -> None:
    """One changed setting alone: a provider that always fails, fails twice, or needs 40 s."""
    before, after = (turn.variants[side].settings["backend"] for side in ("before", "after"))
    differing = {name: value for name, value in before.items() if after.get(name) != value}
    alone = {setting: turn.variant.settings["backend"][setting]}
    with turn.started("backend", differing | alone, settled=False) as (backend, _):
        effective = backend.get("/api/llm/settings").json()
        assert all(same((dict(before) | alone)[name], effective[name]) for name in POLICY)
        policy = RetryPolicy(*(effective[name] for name in POLICY))
        provider = Provider(turn.service("llm"))
        always_fails(turn, backend, provider, policy)
        provider.play("500", "500")
        turn.record(AFTER_TWO, float(ask(backend, TWICE_SCALE)["outcome"] == "answered"))
        turn.predict(AFTER_TWO, policy.recovers(2), policy.recovers(2), "answered if it may try three times")
        provider.play(then={"slow_first_byte": 40 * SLOW_SCALE})
        with turn.timed(SLOW_LATENCY):
            answer = ask(backend, SLOW_SCALE)
        turn.record(IF_SLOW, float(answer["outcome"] == "answered"))
        turn.predict(IF_SLOW, policy.timeout > 40, policy.timeout > 40, "answered if LLM_TIMEOUT is longer")
        if setting == "LLM_TIMEOUT":  # costs more than all of the above, and no other setting makes a difference
            provider.play(then="hang")
            with turn.timed(HUNG_LATENCY):
                assert ask(backend, SLOW_SCALE)["outcome"] == "fallback"


def always_fails(turn: Turn, backend: Any, provider: Provider, policy: RetryPolicy) -> None:
    """Several callers at once, so that the jitter of one says little."""
    provider.play(then="500")
    provider.forget()
    answers = [call.result for call in at_once(backend, CALLERS, lambda client, _: ask(client, SCALE))]
    requests = by_request(provider.attempts())
    assert len(requests) == CALLERS
    assert all(answer and answer["outcome"] == "fallback" for answer in answers)
    for request in requests:
        turn.record(ATTEMPTS, len(request))
    low, high = policy.waiting(None)
    turn.record(WAITING, fmean(sum(waits(request)) for request in requests))
    turn.record(PLANNED, fmean(sum(answer["waits"]) for answer in answers if answer))
    turn.predict(PLANNED, low, high, "sum of base × factor^i, capped, with 10–30 % jitter")
    turn.predict(ATTEMPTS, policy.attempts(None), policy.attempts(None), "as many as the settings allow")
