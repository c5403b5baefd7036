"""The client of the provider against a real provider, and its arithmetic against cases counted by hand."""

from collections.abc import Iterator

import pytest

from harness.errors import HarnessError
from harness.measure.http import Client
from harness.measure.provider import Attempt, Provider, by_request, peak, timeline, waits
from harness.model import Mark
from tests.services.llm_process import RunningProvider, started


@pytest.fixture(scope="module")
def running() -> Iterator[RunningProvider]:
    with started() as provider:
        yield provider


@pytest.fixture
def provider(running: RunningProvider) -> Iterator[Provider]:
    with Client("127.0.0.1", running.port) as client:
        provider = Provider(client)
        provider.play()
        provider.forget()
        yield provider


def attempt(arrived: float, ended: float | None, key: str | None = "a") -> Attempt:
    return Attempt(key, arrived, ended, None if ended is None else "answered")


def test_it_plays_what_it_is_told_and_lists_what_came(running: RunningProvider, provider: Provider) -> None:
    provider.play("503", then="401")
    assert [running.chat(key="one").status_code for _ in range(3)] == [503, 401, 401]
    running.chat(key="two")
    attempts = provider.attempts()
    assert [attempt.key for attempt in attempts] == ["one", "one", "one", "two"]
    assert all(attempt.ended is not None and attempt.ended >= attempt.arrived for attempt in attempts)
    assert [len(request) for request in by_request(attempts)] == [3, 1]
    assert len(waits(by_request(attempts)[0])) == 2
    provider.forget()
    assert provider.attempts() == []
    assert running.chat().status_code == 401, "forgetting leaves the script as it is"
    provider.play()
    assert (running.chat().status_code, len(provider.attempts())) == (200, 2), "and a new script the calls so far"


def test_a_seed_fixes_what_is_random(running: RunningProvider, provider: Provider) -> None:
    def drawn(seed: int) -> list[int]:
        provider.play(then={"random": {"share": 0.5, "step": "500"}}, seed=seed)
        return [running.chat().status_code for _ in range(40)]

    assert drawn(1) == drawn(1) != drawn(2)


def test_a_script_that_is_none_is_refused_in_one_line(provider: Provider) -> None:
    with pytest.raises(HarnessError, match=r'the provider refused PUT /script: .*found \\"sometimes\\"'):
        provider.play("sometimes")


def test_requests_are_told_apart_by_their_keys() -> None:
    a, b, c, d = attempt(1, 2), attempt(2, 3, "b"), attempt(3, 4), attempt(4, 5, None)
    assert by_request([a, b, c, d, d]) == [[a, c], [b], [d], [d]]


def test_waits_are_counted_from_the_end_of_an_attempt() -> None:
    assert waits([attempt(1, 2), attempt(2.5, 4), attempt(7, 8)]) == [0.5, 3]
    assert waits([attempt(1, None), attempt(5, 6)]) == [0]
    assert waits([attempt(1, 2)]) == waits([]) == []


def test_a_peak_is_the_densest_window() -> None:
    assert peak([5, 1, 1.5, 1.9, 2], 1) == 3, "half-open: 2 is not within a second of 1"
    assert peak([5, 1, 1.5, 1.9, 2], 1.01) == 4
    assert peak([], 1) == 0


def test_a_timeline_ends_with_what_the_caller_got() -> None:
    attempts = [attempt(11, 12), attempt(14, None)]
    failed = timeline(10, 17, attempts, "fallback")
    assert [(mark.name, mark.at) for mark in failed] == [
        ("request", 0), ("attempt 1", 1), ("failed 1", 2), ("attempt 2", 4), ("failed 2", 7), ("fallback", 7),
    ]  # fmt: skip
    assert timeline(10, 17, attempts, "answered")[-2:] == [Mark("attempt 2", 4), Mark("answer", 7)]
