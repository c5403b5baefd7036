"""The running provider, seen by its callers: real processes and sockets, each step as it arrives."""

import json
import re
import socket
from collections.abc import Iterator
from time import monotonic

import httpx
import pytest

from tests.services.llm_process import (
    MESSAGES,
    RunningProvider,
    raw_chat,
    read_all,
    started,
    until,
)


@pytest.fixture(scope="module")
def process() -> Iterator[RunningProvider]:
    with started() as running:
        yield running


@pytest.fixture
def provider(process: RunningProvider) -> RunningProvider:
    process.script()
    process.http.delete("/calls")
    return process


# --- answers ---------------------------------------------------------------------------------------------------------


def test_a_good_answer_has_the_shape_of_the_chat_api(provider: RunningProvider) -> None:
    answer = provider.chat().json()
    assert set(answer) == {"id", "object", "created", "model", "choices", "usage"}
    assert (answer["id"], answer["object"]) == ("chatcmpl-1", "chat.completion")
    text = answer["choices"][0]["message"]["content"]
    assert re.fullmatch(r"Answer 1 to prompt [0-9a-f]{12}\.", text)
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 5, "total_tokens": 7}


def test_a_stream_says_the_same_in_pieces(provider: RunningProvider) -> None:
    whole = provider.chat().json()["choices"][0]["message"]["content"]
    streamed = provider.chat(stream=True)
    assert streamed.headers["content-type"] == "text/event-stream"
    *events, done, end = streamed.text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    choices = [json.loads(event.removeprefix("data: "))["choices"][0] for event in events]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == whole.replace("Answer 1", "Answer 2")
    assert [choice["finish_reason"] for choice in choices][-2:] == [None, "stop"]


def test_health_and_models_are_never_scripted(provider: RunningProvider) -> None:
    provider.script(then="500")
    assert provider.http.get("/health").json() == {"status": "ok"}
    assert provider.http.get("/v1/models").json()["data"][0]["object"] == "model"
    assert provider.calls() == []


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("POST", "/health", 405)])
def test_what_is_not_there_is_refused(provider: RunningProvider, method: str, path: str, status: int) -> None:
    answer = provider.http.request(method, path)
    assert answer.status_code == status
    assert "message" in answer.json()["error"]


# --- the script ------------------------------------------------------------------------------------------------------


def test_calls_consume_the_script_and_then_repeats(provider: RunningProvider) -> None:
    provider.script("500", "ok", {"status": 429}, then="503")
    assert [provider.chat().status_code for _ in range(5)] == [500, 200, 429, 503, 503]


def test_a_step_in_the_header_wins_and_consumes_nothing(provider: RunningProvider) -> None:
    provider.script("500", then="ok")
    assert provider.chat(step="429").status_code == 429
    assert provider.chat(step='{"status": 401}').status_code == 401
    assert provider.chat().status_code == 500


def test_a_new_script_starts_the_random_failures_anew(provider: RunningProvider) -> None:
    def statuses() -> list[int]:
        provider.script(then={"random": {"share": 0.5, "step": "500"}}, seed=7)
        return [provider.chat().status_code for _ in range(20)]

    first = statuses()
    assert set(first) == {200, 500}
    assert statuses() == first
    assert [call["step"] for call in provider.calls()][:20] == [{200: "ok", 500: "500"}[status] for status in first]


def test_an_invalid_script_is_refused_and_the_old_one_stays(provider: RunningProvider) -> None:
    provider.script(then="503")
    answer = provider.http.put("/script", json={"steps": ["ok", "sometimes"]})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith('steps[1]: found "sometimes"; allowed: ok, hang,')
    assert provider.chat().status_code == 503


@pytest.mark.parametrize(("headers", "body"), [({"X-LLM-Step": "bad"}, {"messages": MESSAGES}), ({}, {"messages": 1})])
def test_a_wrong_call_is_answered_and_logged_but_plays_no_step(
    provider: RunningProvider, headers: dict[str, str], body: object
) -> None:
    provider.script("500")
    answer = provider.http.post("/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 400
    assert "\n" not in answer.json()["error"]["message"]
    [call] = provider.calls()
    assert (call["step"], call["status"], call["outcome"]) == (None, 400, "answered")
    assert provider.chat().status_code == 500


# --- each step, as it arrives ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "header"), [(1.5, "1.5"), (2, "2"), (10.0, "10"), (0, "0")])
def test_a_status_can_say_when_to_come_back(provider: RunningProvider, seconds: float, header: str) -> None:
    answer = provider.chat(step=json.dumps({"status": 429, "retry_after": seconds}))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, header)
    assert answer.json()["error"]["type"] == "rate_limit_error"


def test_a_status_alone_says_nothing_of_coming_back(provider: RunningProvider) -> None:
    assert "retry-after" not in provider.chat(step="429").headers


def test_a_hang_sends_nothing_until_the_client_leaves(provider: RunningProvider) -> None:
    with provider.connect() as connection:
        connection.sendall(raw_chat("hang"))
        until(lambda: len(provider.calls()) == 1)
        [call] = provider.calls()
        assert (call["answered_ns"], call["ended_ns"], call["outcome"]) == (None, None, None)
        connection.settimeout(0)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
    until(lambda: provider.calls()[0]["outcome"] == "client left")
    [call] = provider.calls()
    assert call["ended_ns"] > call["arrived_ns"]
    assert (call["status"], call["answered_ns"]) == (None, None)


def test_a_hang_notices_a_client_that_breaks_off(provider: RunningProvider) -> None:
    with provider.connect() as connection:
        connection.sendall(raw_chat("hang"))
        until(lambda: len(provider.calls()) == 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until(lambda: provider.calls()[0]["outcome"] == "client left")


def test_a_hang_with_an_end_closes_without_an_answer(provider: RunningProvider) -> None:
    with provider.connect() as connection:
        connection.sendall(raw_chat('{"hang": 0.1}'))
        assert read_all(connection) == b""
    [call] = provider.calls()
    assert (call["outcome"], call["status"]) == ("closed", None)
    assert call["ended_ns"] - call["arrived_ns"] >= 0.1e9


def test_a_slow_first_byte_comes_after_the_silence(provider: RunningProvider) -> None:
    assert provider.chat(step='{"slow_first_byte": 0.2}').status_code == 200
    [call] = provider.calls()
    assert call["answered_ns"] - call["arrived_ns"] >= 0.2e9


def test_a_slow_body_begins_at_once_and_takes_its_time(provider: RunningProvider) -> None:
    answer = provider.chat(step='{"slow_body": {"seconds": 0.2, "chunks": 4}}')
    assert answer.json()["object"] == "chat.completion"
    [call] = provider.calls()
    assert call["ended_ns"] - call["answered_ns"] >= 0.2e9
    assert call["step"] == {"slow_body": {"seconds": 0.2, "chunks": 4}}


def test_a_slow_body_has_its_head_before_its_body_is_due(provider: RunningProvider) -> None:
    with provider.connect() as connection:
        connection.sendall(raw_chat('{"slow_body": {"seconds": 3600, "chunks": 2}}'))
        head = connection.recv(65536)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert head.endswith(b"\r\n\r\n")
        assert provider.calls()[0]["answered_ns"] is not None
        assert provider.calls()[0]["ended_ns"] is None
    until(lambda: provider.calls()[0]["outcome"] == "client left")
    assert provider.calls()[0]["status"] == 200


def test_more_pieces_than_bytes_still_make_the_whole_body(provider: RunningProvider) -> None:
    answer = provider.chat(step='{"slow_body": {"seconds": 0, "chunks": 10000}}', stream=True)
    assert answer.text.endswith("data: [DONE]\n\n")


def test_a_reset_is_a_reset(provider: RunningProvider) -> None:
    with provider.connect() as connection:
        connection.sendall(raw_chat("reset"))
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    [call] = provider.calls()
    assert (call["outcome"], call["status"], call["answered_ns"]) == ("reset", None, None)


@pytest.mark.parametrize("stream", [False, True])
def test_a_truncated_answer_is_shorter_than_announced(provider: RunningProvider, *, stream: bool) -> None:
    with provider.connect() as connection:
        connection.sendall(raw_chat("truncated", stream=stream))
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    announced = re.search(rb"Content-Length: (\d+)", head)
    assert announced
    assert 0 < len(body) < int(announced[1])
    with pytest.raises(httpx.RemoteProtocolError):
        provider.chat(step="truncated", stream=stream)
    assert [call["outcome"] for call in provider.calls()] == ["truncated", "truncated"]


def test_garbage_is_a_success_that_is_not_json(provider: RunningProvider) -> None:
    answer = provider.chat(step="garbage")
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_garbage_in_a_stream_is_an_event_that_is_not_json(provider: RunningProvider) -> None:
    answer = provider.chat(step="garbage", stream=True)
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text.startswith("data: ")
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.text.removeprefix("data: "))


# --- the log ---------------------------------------------------------------------------------------------------------


def test_attempts_are_counted_by_key(provider: RunningProvider) -> None:
    for key in ("a", "b", "a", None, "a"):
        provider.chat(key=key)
    seen = [(call["number"], call["key"], call["attempt"]) for call in provider.calls()]
    assert seen == [(1, "a", 1), (2, "b", 1), (3, "a", 2), (4, None, None), (5, "a", 3)]


def test_the_times_of_a_call_lie_in_order_on_our_own_clock(provider: RunningProvider) -> None:
    before = int(monotonic() * 1e9)
    provider.chat()
    [call] = provider.calls()
    assert before <= call["arrived_ns"] <= call["answered_ns"] <= call["ended_ns"] <= monotonic() * 1e9 + 1e3


def test_a_key_that_is_too_long_to_keep_is_refused(provider: RunningProvider) -> None:
    assert provider.chat(key="k" * 200).status_code == 200
    assert provider.chat(key="k" * 201).status_code == 400
    assert len(provider.calls()) == 1


# --- the protocol ----------------------------------------------------------------------------------------------------


def test_one_connection_serves_many_calls(provider: RunningProvider) -> None:
    with provider.connect() as connection:
        for _ in range(3):
            connection.sendall(raw_chat("500"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 500 ")
        connection.sendall(raw_chat("500", more="Connection: close\r\n"))
        assert b"Connection: close\r\n" in read_all(connection)


def test_an_answer_leaves_in_one_piece(provider: RunningProvider) -> None:
    with provider.connect() as connection:
        for _ in range(20):
            connection.sendall(raw_chat("ok"))
            assert connection.recv(65536).endswith(b"}")


def test_a_client_that_asks_before_it_sends_the_body_is_told_to_go_on(provider: RunningProvider) -> None:
    head, _, body = raw_chat("ok", more="Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    with provider.connect() as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"GET http://elsewhere/ HTTP/1.1\r\n\r\n", 400),
        (b"GET /health HTTP/2\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"PUT /script HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n" + b"x" * 1_048_577, 413),
        (b"GET /health HTTP/1.1\r\nX: " + b"x" * 100_000, 431),
        (b"GET /health HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    ],
)
def test_a_malformed_request_gets_an_answer_and_an_end(
    provider: RunningProvider, request_bytes: bytes, status: int
) -> None:
    with provider.connect() as connection:
        connection.sendall(request_bytes)
        answer = read_all(connection)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close\r\n" in answer
    assert provider.http.get("/health").status_code == 200


@pytest.mark.parametrize("unfinished", [b"GET /hea", b"PUT /script HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"])
def test_a_request_that_breaks_off_is_survived(provider: RunningProvider, unfinished: bytes) -> None:
    with provider.connect() as connection:
        connection.sendall(unfinished)
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection).startswith(b"HTTP/1.1 400 ")
    assert provider.http.get("/health").status_code == 200


def test_hundreds_of_hanging_callers_do_not_hold_up_another(provider: RunningProvider) -> None:
    connections: list[socket.socket] = []
    try:
        for _ in range(250):
            connections.append(provider.connect())
            connections[-1].sendall(raw_chat("hang"))
        until(lambda: len(provider.calls()) == 250)
        assert provider.chat(step="ok").status_code == 200
        assert [call["outcome"] for call in provider.calls()] == [None] * 250 + ["answered"]
    finally:
        for connection in connections:
            connection.close()
    until(lambda: all(call["outcome"] for call in provider.calls()))
