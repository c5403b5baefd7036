"""The provider's parts without sockets: the call log's bounds, requests and answers."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.services.llm import answers
from harness.services.llm.calls import CallLog
from harness.services.llm.http import BODY_LIMIT, BadRequest, Response, body_length, parse_head


def test_the_log_drops_the_oldest_and_counts_all() -> None:
    log = CallLog(capacity=3)
    for key in ("a", "b", "a", "a", None):
        log.arrive(key)
    listed = log.as_json()
    assert (listed["count"], listed["dropped"]) == (5, 2)
    calls = listed["calls"]
    assert isinstance(calls, list)
    assert [(call["number"], call["key"], call["attempt"]) for call in calls] == [
        (3, "a", 2),
        (4, "a", 3),
        (5, None, None),
    ]


def test_a_key_is_forgotten_with_its_last_call_and_not_before() -> None:
    log = CallLog(capacity=2)
    assert [log.arrive(key).attempt for key in ("a", "a", "a")] == [1, 2, 3]
    for number in range(10_000):
        log.arrive(f"other-{number}")
    assert len(log._attempts) == 2
    assert log.arrive("a").attempt == 1


def test_a_cleared_log_starts_anew_and_ignores_what_ends_later() -> None:
    log = CallLog()
    call = log.arrive("a")
    log.clear()
    call.end("answered")
    assert log.as_json() == {"count": 0, "dropped": 0, "calls": []}
    assert (log.arrive("a").number, log.arrive("a").attempt) == (1, 2)


def test_a_head_is_read() -> None:
    request = parse_head(b"PUT /script?x=1 HTTP/1.1\r\nX-A:  one \r\nx-a: two\r\n\r\n")
    assert (request.method, request.path, dict(request.headers)) == ("PUT", "/script", {"x-a": "one, two"})
    assert request.keep_alive


@pytest.mark.parametrize("head", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n"])
def test_a_client_that_does_not_want_to_stay_is_let_go(head: bytes) -> None:
    assert not parse_head(head).keep_alive


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="GET /HTP1.:\r\n", max_size=60).map(str.encode))
def test_any_head_is_a_request_or_a_bad_one(head: bytes) -> None:
    assert _path_or_status(head).startswith(("/", "400"))


def _path_or_status(head: bytes) -> str:
    try:
        return parse_head(head).path
    except BadRequest as error:
        return str(error.status)


@pytest.mark.parametrize("text", ["-1", "+1", "1, 1", "1_0", "", "0x10", "٣", "9" * 30])
def test_a_strange_content_length_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as error:
        body_length({"content-length": text})
    assert error.value.status == 400


def test_a_body_may_have_the_limit_and_not_one_byte_more() -> None:
    assert body_length({"content-length": str(BODY_LIMIT)}) == BODY_LIMIT
    with pytest.raises(BadRequest) as error:
        body_length({"content-length": str(BODY_LIMIT + 1)})
    assert error.value.status == 413


@pytest.mark.parametrize("status", range(400, 600))
def test_every_status_that_a_script_may_name_has_a_head(status: int) -> None:
    assert Response(status, b"").head(keep_alive=True).startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        (b"", "body: not valid JSON"),
        (b"[" * 100_000, "body: not valid JSON"),
        (b"[]", "body: must be an object with messages"),
        (b"{}", "messages: must be a list of at least one object"),
        (b'{"messages": []}', "messages: must be a list of at least one object"),
        (b'{"messages": ["hi"]}', "messages: must be a list of at least one object"),
        (b'{"messages": [{}], "model": 4}', "model: must be a string"),
        (b'{"messages": [{}], "stream": 1}', "stream: must be true or false"),
    ],
)
def test_what_is_no_chat_is_refused_in_one_line(body: bytes, mistake: str) -> None:
    with pytest.raises(HarnessError) as error:
        answers.parse_chat(body)
    assert str(error.value) == mistake


def test_the_answer_follows_from_prompt_and_number_alone() -> None:
    def answer(prompt: str, number: int) -> bytes:
        chat = answers.parse_chat(json.dumps({"messages": [{"role": "user", "content": prompt}]}).encode())
        return answers.good(chat, number, created=0).body

    assert answer("a", 1) == answer("a", 1)
    assert len({answer("a", 1), answer("b", 1), answer("a", 2)}) == 3
