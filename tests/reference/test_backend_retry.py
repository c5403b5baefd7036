"""The retry policy of the reference backend, counted at the provider: attempts, waits, outcomes."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, ClassVar

import pytest

from tests.reference.backend_process import AFTER, BEFORE, BOUND, SCALE, Backend, backend, until
from tests.services.llm_process import RunningProvider

JITTER = (1.1, 1.3)
POLICIES = {"before": (3, 1.0, 2.0), "after": (2, 0.5, 1.5)}
"""Attempts, base delay in seconds, exponential base."""


@pytest.fixture(params=["before", "after"])
def variant(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def running(variant: str, before: Backend, after: Backend) -> Backend:
    return {"before": before, "after": after}[variant]


def pauses(provider: RunningProvider) -> list[float]:
    """Seconds between the end of one call and the arrival of the next, as the provider saw them."""
    return [(later["arrived_ns"] - earlier["ended_ns"]) / 1e9 for earlier, later in pairwise(provider.calls())]


def check_schedule(provider: RunningProvider, answer: dict[str, Any], variant: str, scale: float = SCALE) -> None:
    """The planned waits are within the policy's bounds, the provider saw them, and as many calls as were reported."""
    _, base, factor = POLICIES[variant]
    calls = provider.calls()
    assert len(calls) == answer["attempts"] == len(answer["waits"]) + 1
    assert len({call["key"] for call in calls}) == 1
    assert [call["attempt"] for call in calls] == list(range(1, len(calls) + 1))
    for number, (planned, seen) in enumerate(zip(answer["waits"], pauses(provider), strict=True)):
        low, high = (base * factor**number * jitter for jitter in JITTER)
        assert low <= planned <= high
        assert planned * scale <= seen <= planned * scale + BOUND


def test_a_good_answer_needs_one_attempt(running: Backend, provider: RunningProvider, variant: str) -> None:
    answer = running.ask()
    assert (answer["outcome"], answer["metadata"]["fallback_used"]) == ("answered", False)
    assert answer["text"].startswith("Answer 1 ")
    check_schedule(provider, answer, variant)


def test_a_provider_that_always_fails(running: Backend, provider: RunningProvider, variant: str) -> None:
    provider.script(then="500")
    answer = running.ask()
    assert (answer["outcome"], answer["metadata"]["fallback_used"]) == ("fallback", True)
    assert answer["attempts"] == POLICIES[variant][0]
    check_schedule(provider, answer, variant)


def test_one_failure_is_recovered_from(running: Backend, provider: RunningProvider, variant: str) -> None:
    provider.script("500")
    answer = running.ask()
    assert (answer["outcome"], answer["attempts"]) == ("answered", 2)
    check_schedule(provider, answer, variant)


def test_two_failures_are_recovered_from_only_before(running: Backend, provider: RunningProvider, variant: str) -> None:
    provider.script("500", "500")
    answer = running.ask()
    expected = {"before": ("answered", 3), "after": ("fallback", 2)}
    assert (answer["outcome"], answer["attempts"]) == expected[variant]
    check_schedule(provider, answer, variant)


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("garbage", "validation_error"),
        ("truncated", "network_error"),
        ("reset", "network_error"),
        ("429", "rate_limit"),
        ("401", "auth_error"),
        ("503", "api_error"),
    ],
)
def test_every_failure_is_retried_alike_and_told_apart(
    before: Backend, provider: RunningProvider, step: str, kind: str
) -> None:
    def failures() -> int:
        count: int = before.get("/api/metrics/summary")["llm"]["failure_types"].get(kind, 0)
        return count

    provider.script(step, step)
    earlier = failures()
    answer = before.ask()
    assert (answer["outcome"], answer["attempts"]) == ("answered", 3)
    assert failures() == earlier + 2
    check_schedule(provider, answer, "before")


@pytest.mark.parametrize("step", ["hang", {"slow_body": {"seconds": 60, "chunks": 2000}}, {"slow_first_byte": 60}])
def test_the_time_limit_is_for_a_whole_attempt(
    services: dict[str, str], provider: RunningProvider, step: object
) -> None:
    """Also for a body whose pieces come in time while the whole does not."""
    with backend(services, LLM_TIMEOUT="10", LLM_MAX_RETRIES="2") as impatient:
        provider.script(then=step)
        answer = impatient.ask()
        assert (answer["outcome"], answer["attempts"]) == ("fallback", 2)
        until(lambda: [call["outcome"] for call in provider.calls()] == ["client left"] * 2)
        assert impatient.get("/api/metrics/summary")["llm"]["failure_types"] == {"timeout": 2}


def test_a_slow_answer_within_the_limit_is_taken(after: Backend, provider: RunningProvider) -> None:
    provider.script({"slow_body": {"seconds": 0.05, "chunks": 5}})
    answer = after.ask(headers={"X-Time-Scale": "1"})
    assert (answer["outcome"], answer["attempts"]) == ("answered", 1)


def test_the_longest_wait_is_capped(services: dict[str, str], provider: RunningProvider) -> None:
    settings = {"LLM_MAX_RETRIES": "5", "LLM_BASE_DELAY": "1", "LLM_EXPONENTIAL_BASE": "10", "LLM_MAX_DELAY": "3"}
    with backend(services, settings) as capped:
        provider.script(then="500")
        waits = capped.ask()["waits"]
        assert [0.9 < wait / nominal < 1.3 for wait, nominal in zip(waits, (1, 3, 3, 3), strict=True)] == [True] * 4
        assert min(waits[1:]) >= 3 * JITTER[0]


def test_a_call_can_have_a_time_scale_of_its_own(after: Backend, provider: RunningProvider) -> None:
    provider.script("500")
    answer = after.ask(headers={"X-Time-Scale": "0.5"})
    assert answer["metadata"]["time_scale"] == 0.5
    check_schedule(provider, answer, "after", scale=0.5)


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf", "1001", "fast"])
def test_a_time_scale_that_is_none_is_refused(after: Backend, provider: RunningProvider, scale: str) -> None:
    answer = after.ask(400, headers={"X-Time-Scale": scale})
    assert answer["error"] == "X-Time-Scale: allowed is a number above 0, at most 1000"
    assert provider.calls() == []


def test_without_fallback_giving_up_is_an_error_answer(services: dict[str, str], provider: RunningProvider) -> None:
    with backend(services, AFTER, LLM_USE_FALLBACK="false") as honest:
        provider.script(then="500")
        answer = honest.ask(503)
        assert (answer["outcome"], answer["error"]) == ("error", "HTTP 500 from the provider")
        check_schedule(provider, answer, "after")
        assert honest.get("/api/errors") == {
            "answers": {"HTTP <n> from the provider": 1},
            "log_lines": {"LLM operation general failed after <n> attempts: HTTP <n> from the provider": 1},
        }
        assert (
            honest.logged("LLM operation general failed (attempt 1/2): HTTP 500 from the provider. Retrying in 0.") == 1
        )


@pytest.mark.parametrize("request_type", ["general", "triage", "data_analysis", "structured"])
def test_every_type_of_request_has_a_fallback(after: Backend, provider: RunningProvider, request_type: str) -> None:
    provider.script(then="500")
    answer = after.ask(request_type=request_type)
    assert (answer["outcome"], bool(answer["text"])) == ("fallback", True)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "prompt: a text is needed"),
        ({"prompt": 1}, "prompt: a text is needed"),
        (
            {"prompt": "?", "request_type": "x"},
            "request_type: allowed is one of general, triage, data_analysis, structured",
        ),
        ({"prompt": "?", "more": 1}, "body: 'more' is not known; known are prompt, request_type"),
        ([], "body: a JSON object is needed"),
    ],
)
def test_a_request_that_is_not_understood_is_refused(
    after: Backend, provider: RunningProvider, body: object, error: str
) -> None:
    assert after.post("/api/llm", body, 400) == {"error": error}
    assert provider.calls() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b" " * (1 << 20) + b"{}"])
def test_a_body_that_is_no_small_json_is_refused(after: Backend, body: bytes) -> None:
    answer = after.http.post("/api/llm", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("body: ")


class TestClassification:
    """The behaviour that was meant: failures differ in whether and when they are tried again."""

    @pytest.fixture(scope="class")
    @classmethod
    def classifying(cls, services: dict[str, str]) -> Any:
        with backend(services, BEFORE, LLM_CLASSIFY_FAILURES="true") as running:
            yield running

    def test_an_auth_error_is_not_retried(self, classifying: Backend, provider: RunningProvider) -> None:
        provider.script(then="401")
        answer = classifying.ask()
        assert (answer["outcome"], answer["attempts"], answer["waits"]) == ("fallback", 1, [])
        assert len(provider.calls()) == 1

    @pytest.mark.parametrize(("step", "base"), [("429", 5.0), ("hang", 2.0), ("500", 1.0)])
    def test_the_base_of_the_wait_depends_on_the_failure(
        self, classifying: Backend, provider: RunningProvider, step: str, base: float
    ) -> None:
        provider.script(step)
        answer = classifying.ask()
        assert answer["outcome"] == "answered"
        assert base * JITTER[0] <= answer["waits"][0] <= base * JITTER[1]


class TestRetryAfter:
    STEP: ClassVar = {"status": 429, "retry_after": 2.5}

    def test_it_is_ignored_unless_asked_for(self, before: Backend, provider: RunningProvider) -> None:
        provider.script(self.STEP)
        answer = before.ask()
        check_schedule(provider, answer, "before")

    def test_a_wait_is_never_shorter_and_may_be_longer(
        self, services: dict[str, str], provider: RunningProvider
    ) -> None:
        settings = {"LLM_HONOUR_RETRY_AFTER": "true", "LLM_MAX_DELAY": "2", "LLM_MAX_RETRIES": "4"}
        with backend(services, settings) as patient:
            provider.script(self.STEP, {"status": 503, "retry_after": 1}, "500")
            answer = patient.ask()
        first, second, third = answer["waits"]
        assert (answer["outcome"], first) == ("answered", 2.5)  # beyond the cap
        assert 2 * JITTER[0] <= second <= 2 * JITTER[1]
        assert 2 * JITTER[0] <= third <= 2 * JITTER[1]
        assert all(seen >= planned * SCALE for seen, planned in zip(pauses(provider), answer["waits"], strict=True))


class TestCircuitBreaker:
    SETTINGS: ClassVar = {"LLM_USE_CIRCUIT_BREAKER": "true", "LLM_BREAKER_THRESHOLD": "2", "LLM_MAX_RETRIES": "1"}

    @staticmethod
    def breaker(running: Backend) -> Any:
        return running.get("/api/metrics/summary")["llm"]["circuit_breakers"]["llm"]

    def test_it_opens_after_failures_in_a_row(self, services: dict[str, str], provider: RunningProvider) -> None:
        with backend(services, self.SETTINGS, LLM_BREAKER_RECOVERY="1e6") as careful:
            provider.script("500", "ok", "500", then="500")
            assert [careful.ask()["attempts"] for _ in range(6)] == [1, 1, 1, 1, 0, 0]
            assert len(provider.calls()) == 4
            assert (self.breaker(careful)["state"], self.breaker(careful)["trips"]) == ("open", 1)
            assert self.breaker(careful)["refused"] == 2
            assert careful.logged("Circuit breaker 'llm' -> OPEN") == 1

    def test_a_success_after_the_recovery_time_closes_it(
        self, services: dict[str, str], provider: RunningProvider
    ) -> None:
        with backend(services, self.SETTINGS, LLM_BREAKER_RECOVERY="0") as careful:
            provider.script("500", "500")
            assert [careful.ask()["outcome"] for _ in range(2)] == ["fallback"] * 2
            assert self.breaker(careful)["state"] == "open"
            assert careful.ask()["outcome"] == "answered"
            assert self.breaker(careful)["state"] == "closed"

    def test_a_try_under_way_is_told(self, services: dict[str, str], provider: RunningProvider) -> None:
        with (
            backend(services, self.SETTINGS, LLM_BREAKER_RECOVERY="0", LLM_TIMEOUT="10") as careful,
            ThreadPoolExecutor(1) as other,
        ):
            provider.script("500", "500", "hang")
            assert [careful.ask()["attempts"] for _ in range(2)] == [1, 1]
            hanging = other.submit(careful.ask)
            until(lambda: self.breaker(careful)["state"] == "half_open")
            opened_for = self.breaker(careful)["open_seconds"]
            assert hanging.result(BOUND)["outcome"] == "fallback"
            report = self.breaker(careful)
            assert (report["state"], report["half_open_tries"]) == ("open", 1)
            assert report["open_seconds"] > opened_for > 0
            assert careful.logged("Circuit breaker 'llm' -> HALF_OPEN") == 1
            assert careful.ask()["outcome"] == "answered"
            assert careful.logged("Circuit breaker 'llm' -> CLOSED") == 1
            closed = self.breaker(careful)
            assert (closed["state"], closed["trips"], closed["half_open_tries"]) == ("closed", 1, 2)
            assert self.breaker(careful)["open_seconds"] == closed["open_seconds"]
